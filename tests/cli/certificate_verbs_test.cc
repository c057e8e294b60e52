#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "common/file_io.h"
#include "common/tls/certificate.h"
#include "gmock/gmock.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kNode[] = "0e6f9f5a-7a4e-4d1e-9d55-0a3f6d3f1c11";

class CertificateVerbsTest : public CliTest {
 protected:
  CertificateVerbsTest() {
    char path[] = "/tmp/certificate_verbs_XXXXXX";
    folder_ = mkdtemp(path);
    authority_ = folder_ + "/authority";
  }
  ~CertificateVerbsTest() override { std::filesystem::remove_all(folder_); }

  int InitAuthority() {
    return Run({"certificate", "init-authority", authority_, "--trust-domain", "contoso.example"});
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }

  std::string folder_;
  std::string authority_;
};

TEST_F(CertificateVerbsTest, MakesAnAuthorityOnce) {
  EXPECT_EQ(InitAuthority(), 0) << err_;
  EXPECT_EQ(ModeOf(authority_ + "/ca-key.pem"), 0600U);
  const std::string before = *ReadSmallFile(authority_ + "/ca-key.pem");
  EXPECT_EQ(InitAuthority(), 1);
  EXPECT_THAT(err_, HasSubstr("an authority is never replaced"));
  EXPECT_EQ(*ReadSmallFile(authority_ + "/ca-key.pem"), before);
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(CertificateVerbsTest, KeepsTheAuthorityThatIsThereWhenAsked) {
  const auto init_if_absent = [this](const char* domain) {
    return Run(
        {"certificate", "init-authority", authority_, "--trust-domain", domain, "--if-absent"});
  };
  EXPECT_EQ(init_if_absent("contoso.example"), 0) << err_;
  const std::string before = *ReadSmallFile(authority_ + "/ca-key.pem");
  EXPECT_EQ(init_if_absent("contoso.example"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("is in " + authority_ + " already"));
  EXPECT_EQ(*ReadSmallFile(authority_ + "/ca-key.pem"), before);
  EXPECT_EQ(init_if_absent("fabrikam.example"), 1);
  EXPECT_THAT(err_, HasSubstr("is of spiffe://contoso.example, and not fabrikam.example"));
  std::filesystem::remove(authority_ + "/ca-key.pem");
  EXPECT_EQ(init_if_absent("contoso.example"), 1);
  EXPECT_THAT(err_, HasSubstr("ca-key.pem is missing"));
}

TEST_F(CertificateVerbsTest, IssuesForANodeAndShowsIt) {
  ASSERT_EQ(InitAuthority(), 0) << err_;
  const std::string to = folder_ + "/hq";
  EXPECT_EQ(Run({"certificate", "issue", to, "--authority", authority_, "--node", kNode, "--host",
                 "hq.contoso.example", "--host", "192.0.2.1", "--valid-for", "30d"}),
            0)
      << err_;
  EXPECT_THAT(out_, HasSubstr("spiffe://contoso.example/node/"));
  EXPECT_EQ(ModeOf(to + "/key.pem"), 0600U);
  EXPECT_EQ(Run({"certificate", "show", to}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("hq.contoso.example, 192.0.2.1"), HasSubstr("2026-12-24"),
                          HasSubstr("usable:      yes")));
}

TEST_F(CertificateVerbsTest, ShowsWhyACertificateCannotBeUsed) {
  ASSERT_EQ(InitAuthority(), 0) << err_;
  const std::string to = folder_ + "/hq";
  ASSERT_EQ(Run({"certificate", "issue", to, "--authority", authority_, "--user", "ann"}), 0);
  clock_.Advance(absl::Hours(24 * 91));
  EXPECT_EQ(Run({"certificate", "show", to}), 1);
  EXPECT_THAT(err_, HasSubstr("expired at"));
}

TEST_F(CertificateVerbsTest, RefusesWhatCannotBeIssued) {
  EXPECT_EQ(Run({"certificate", "init-authority", authority_}), 2);
  EXPECT_EQ(Run({"certificate", "init-authority", authority_, "--trust-domain", "No Domain"}), 2);
  ASSERT_EQ(InitAuthority(), 0) << err_;
  const std::string to = folder_ + "/hq";
  EXPECT_EQ(Run({"certificate", "issue", to, "--authority", authority_}), 2);
  EXPECT_EQ(Run({"certificate", "issue", to, "--user", "ann"}), 2);
  EXPECT_EQ(Run({"certificate", "issue", to, "--authority", authority_, "--node", "hq"}), 1);
  EXPECT_EQ(Run({"certificate", "issue", to, "--authority", folder_, "--user", "ann"}), 1);
  EXPECT_FALSE(std::filesystem::exists(to));
}

TEST_F(CertificateVerbsTest, DryRunsWriteNothing) {
  EXPECT_EQ(Run({"certificate", "init-authority", authority_, "--trust-domain", "contoso.example",
                 "--dry-run"}),
            0);
  EXPECT_FALSE(std::filesystem::exists(authority_));
}

TEST_F(CertificateVerbsTest, OtherMachinesAreCalledWithACertificate) {
  variables_["HOME"] = "/home/ann";
  Run({"--address", "127.0.0.1:8530", "tree"});
  EXPECT_EQ(certificates_, "");
  Run({"--address", "hq.contoso.example:8531", "tree"});
  EXPECT_EQ(certificates_, "/home/ann/.config/sluice");
  variables_["SLUICE_CERTIFICATES"] = "/ann";
  Run({"--address", "127.0.0.1:8530", "tree"});
  EXPECT_EQ(certificates_, "");
  Run({"--address", "hq.contoso.example:8531", "tree"});
  EXPECT_EQ(certificates_, "/ann");
  Run({"--address", "127.0.0.1:8530", "--certificates", "/other", "tree"});
  EXPECT_EQ(certificates_, "/other");
}

}  // namespace
}  // namespace sluice
