#include "storage/pack_frame.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/uuid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/record_key.h"
#include "storage/record_pack.h"

namespace sluice {
namespace {

// Records that resemble each other.
std::string PackOf(int records) {
  RecordPackWriter writer;
  const std::string origin(16, 'o');
  for (int i = 0; i < records; ++i) {
    const std::string key =
        RecordKey{v1::RECORD_KIND_REVISION, Uuid::FromName({}, absl::StrCat(i)), 1, {}}.Encode();
    const std::string body =
        absl::StrCat("openssl 3.0.", i, ": Secure Sockets Layer toolkit - cryptographic utility");
    PackedRecord record;
    record.key = key;
    record.origin = origin;
    record.version = static_cast<uint64_t>(i);
    record.payload_bytes = static_cast<uint32_t>(body.size());
    record.body = body;
    writer.Add(record);
  }
  return writer.Finish();
}

bool Refused(absl::string_view received) {
  std::string buffer;
  const absl::StatusOr<absl::string_view> opened = OpenPackFrame(received, buffer);
  return ReasonOf(opened.status()) == v1::REASON_ITEM_CORRUPT;
}

// A frame of `size` equal bytes, as somebody else could make it.
std::string FrameOf(size_t size, bool says_its_size = true) {
  const std::string content(size, 'x');
  std::string frame(ZSTD_compressBound(size), '\0');
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                   &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, says_its_size ? 1 : 0);
  frame.resize(ZSTD_compress2(context.get(), frame.data(), frame.size(), content.data(), size));
  return frame;
}

TEST(PackFrameTest, GivesThePackBack) {
  PackFramer framer;
  std::string buffer;
  for (const int records : {1, 10, 3000, 2}) {
    const std::string pack = PackOf(records);
    const std::string frame = framer.Frame(pack);
    const absl::StatusOr<absl::string_view> opened = OpenPackFrame(frame, buffer);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(*opened, pack);
  }
}

TEST(PackFrameTest, MakesManyRecordsSmall) {
  const std::string pack = PackOf(3000);
  EXPECT_LT(PackFramer().Frame(pack).size(), pack.size() / 3);
}

TEST(PackFrameTest, LeavesAPackAsItIsThatWouldGrow) {
  const std::string pack = PackOf(0);
  EXPECT_EQ(PackFramer().Frame(pack), pack);
  std::string buffer;
  EXPECT_EQ(*OpenPackFrame(pack, buffer), pack);
}

// What a reader that knows no frames does with one.
TEST(PackFrameTest, IsNoPackByItself) {
  const std::string frame = PackFramer().Frame(PackOf(100));
  RecordPackReader reader(frame);
  PackedRecord record;
  EXPECT_FALSE(reader.Next(record));
  EXPECT_EQ(ReasonOf(reader.status()), v1::REASON_ITEM_CORRUPT);
}

TEST(PackFrameTest, UnpacksNoMoreThanItsLimit) {
  std::string buffer;
  EXPECT_TRUE(OpenPackFrame(FrameOf(kFramedPackBytesMax), buffer).ok());
  const std::string bomb = FrameOf(kFramedPackBytesMax + 1);
  EXPECT_LT(bomb.size(), 1000u);
  EXPECT_TRUE(Refused(bomb));
  EXPECT_TRUE(Refused(FrameOf(size_t{1} << 30)));
  EXPECT_LE(buffer.capacity(), 2 * kFramedPackBytesMax);
}

TEST(PackFrameTest, RefusesAFrameThatDoesNotSayWhatItHolds) {
  EXPECT_TRUE(Refused(FrameOf(1000, /*says_its_size=*/false)));
  EXPECT_TRUE(Refused("\x28\xb5\x2f\xfd"));
  // It holds more, and less, than it says.
  const std::string two = absl::StrCat(FrameOf(1000), FrameOf(1000));
  EXPECT_TRUE(Refused(two));
  const std::string one = FrameOf(1000);
  EXPECT_TRUE(Refused(one.substr(0, one.size() - 1)));
}

TEST(PackFrameTest, SurvivesDamage) {
  const std::string pack = PackOf(300);
  const std::string frame = PackFramer().Frame(pack);
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = frame.substr(0, 1 + random() % frame.size());
    damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
    std::string buffer;
    const absl::StatusOr<absl::string_view> opened = OpenPackFrame(damaged, buffer);
    ASSERT_LE(buffer.size(), kFramedPackBytesMax);
    if (opened.ok()) continue;
    ++refused;
    ASSERT_EQ(ReasonOf(opened.status()), v1::REASON_ITEM_CORRUPT);
  }
  EXPECT_GT(refused, 4500);
}

}  // namespace
}  // namespace sluice
