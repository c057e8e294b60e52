#include "storage/header_scan.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "sluice/stored/v1/stored.pb.h"

namespace sluice {
namespace {

stored::v1::RecordHeader FullHeader() {
  stored::v1::RecordHeader header;
  header.set_seq(uint64_t{1} << 40);
  header.set_state(v1::RECORD_STATE_PRESENT);
  header.mutable_stamp()->set_origin_id(std::string(16, 'o'));
  header.mutable_stamp()->set_epoch_counter(1'700'000'000);
  header.mutable_stamp()->set_version(77);
  header.set_shard_id(std::string(16, 's'));
  header.set_digest(std::string(32, 'd'));
  header.set_codec(v1::CODEC_ZSTD_DICTIONARY);
  header.set_payload_bytes(750);
  header.set_title("a title");
  header.add_product_ids(std::string(16, 'p'));
  header.add_files()->set_size_bytes(-1);
  header.set_dictionary_id(std::string(16, 'x'));
  return header;
}

TEST(HeaderScanTest, ReadsWhatTheMessageSays) {
  stored::v1::RecordHeader header = FullHeader();
  HeaderFields fields;
  const std::string bytes = header.SerializeAsString();
  ASSERT_TRUE(ScanHeader(bytes, fields));
  EXPECT_EQ(fields.state, header.state());
  EXPECT_EQ(fields.origin, header.stamp().origin_id());
  EXPECT_EQ(fields.epoch_counter, header.stamp().epoch_counter());
  EXPECT_EQ(fields.version, header.stamp().version());
  EXPECT_EQ(fields.shard_id, header.shard_id());
  EXPECT_EQ(fields.digest, header.digest());
  EXPECT_EQ(fields.codec, header.codec());
  EXPECT_EQ(fields.payload_bytes, header.payload_bytes());
  EXPECT_EQ(fields.dictionary_id, header.dictionary_id());
  EXPECT_FALSE(fields.has_parts);

  header.add_decisions()->set_key("decline");
  const std::string with_decisions = header.SerializeAsString();
  ASSERT_TRUE(ScanHeader(with_decisions, fields));
  EXPECT_TRUE(fields.has_parts);
  ASSERT_TRUE(ScanHeader("", fields));
  EXPECT_TRUE(fields.digest.empty());
}

// Whatever can be parsed is read alike; damage is noticed or stays inside of the bytes.
TEST(HeaderScanTest, SurvivesDamage) {
  const std::string sound = FullHeader().SerializeAsString();
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = sound.substr(0, random() % (sound.size() + 1));
    if (!damaged.empty()) damaged[random() % damaged.size()] = static_cast<char>(random());
    HeaderFields fields;
    if (!ScanHeader(damaged, fields)) {
      ++refused;
      continue;
    }
    ASSERT_LE(fields.shard_id.size() + fields.digest.size() + fields.origin.size(), damaged.size());
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace sluice
