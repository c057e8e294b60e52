// The parts of Debian's format: versions, stanzas, packing, armor.
#include <zlib.h>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "upstream/debian/deb822.h"
#include "upstream/debian/decompress.h"
#include "upstream/debian/run_program.h"
#include "upstream/debian/signature.h"
#include "upstream/debian/version_order.h"

namespace sluice::debian {
namespace {

TEST(VersionOrderTest, AgreesWithDpkg) {
  const std::vector<std::string> versions = {"1.0",    "1.0-1", "1.0~rc1", "1.0~~",   "1:0.1",
                                             "1.0+b1", "1.00",  "1.0a",    "1.0-1.1", "0",
                                             "10.0",   "9.9",   "1.0-1~b", "1.0.1-2"};
  for (const std::string& a : versions) {
    for (const std::string& b : versions) {
      const int order = CompareVersions(a, b);
      const std::string relation = order < 0 ? "lt" : order > 0 ? "gt" : "eq";
      const auto dpkg = RunProgram({"/usr/bin/dpkg", "--compare-versions", a, relation, b});
      ASSERT_TRUE(dpkg.ok()) << dpkg.status();
      EXPECT_EQ(dpkg->exit_code, 0) << a << " " << relation << " " << b;
    }
  }
}

TEST(Deb822Test, KeepsContinuationLinesAndIgnoresCaseAndComments) {
  std::vector<std::string> seen;
  const absl::Status status = ForEachStanza(
      "# a comment\nPackage: a\nDescription: short\n long one\n .\n end\n\n\nPackage: b\n", "test",
      [&seen](const Stanza& stanza) {
        seen.emplace_back(stanza.Get("package"));
        seen.emplace_back(stanza.Get("DESCRIPTION"));
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, ::testing::ElementsAre("a", "short\n long one\n .\n end", "b", ""));
}

TEST(Deb822Test, NamesTheLineThatIsWrong) {
  for (const char* text :
       {"Package: a\nno field\n", "Package: a\n: value\n", "\n continuation\n"}) {
    const absl::Status status =
        ForEachStanza(text, "file", [](const Stanza&) { return absl::OkStatus(); });
    EXPECT_EQ(ReasonOf(status), v1::REASON_SOURCE_MALFORMED);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("file:2"));
  }
}

TEST(DecompressTest, IsCappedAndFindsTruncation) {
  const std::string text(100'000, 'x');
  std::string packed(compressBound(text.size()) + 32, '\0');
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  EXPECT_EQ(*Decompress(packed, "x.gz", 100'000), text);
  EXPECT_EQ(ReasonOf(Decompress(packed, "x.gz", 99'999).status()), v1::REASON_SOURCE_MISMATCH);
  EXPECT_EQ(ReasonOf(Decompress(packed.substr(0, packed.size() - 9), "x.gz", 100'000).status()),
            v1::REASON_SOURCE_MISMATCH);
  for (const char* name : {"x.xz", "x.bz2", "x.gz"}) {
    EXPECT_EQ(ReasonOf(Decompress("no such packing", name, 1000).status()),
              v1::REASON_SOURCE_MISMATCH)
        << name;
  }
}

TEST(DearmorTest, RefusesWhatIsCutOff) {
  EXPECT_FALSE(Dearmor("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n").ok());
  EXPECT_EQ(*Dearmor("-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\nAAAA\n=crc1\n"
                     "-----END PGP PUBLIC KEY BLOCK-----\n"),
            std::string(3, '\0'));
}

}  // namespace
}  // namespace sluice::debian
