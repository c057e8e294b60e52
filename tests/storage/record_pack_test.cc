#include "storage/record_pack.h"

#include <random>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/uuid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/record_key.h"

namespace sluice {
namespace {

const std::string kHere = Uuid::FromName({}, "here").bytes();
const std::string kThere = Uuid::FromName({}, "there").bytes();

std::string KeyOf(v1::RecordKind kind, absl::string_view name, const Uuid& kept_by = {}) {
  const uint32_t revision = kind == v1::RECORD_KIND_REVISION ? 7 : 0;
  return RecordKey{kind, Uuid::FromName({}, name), revision, kept_by}.Encode();
}

// One record of each form.
std::vector<PackedRecord> OneOfEach(std::vector<std::string>& keys, const std::string& digest) {
  keys = {KeyOf(v1::RECORD_KIND_CATEGORY, "a"), KeyOf(v1::RECORD_KIND_REVISION, "b"),
          KeyOf(v1::RECORD_KIND_POLICY, "c"),
          KeyOf(v1::RECORD_KIND_REVISION, "d", Uuid::FromName({}, "keeper")),
          KeyOf(v1::RECORD_KIND_EXPIRY, "e")};
  std::vector<PackedRecord> records(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    records[i].key = keys[i];
    records[i].origin = i == 3 ? kThere : kHere;
    records[i].epoch_counter = 1'700'000'000 + i / 4;
    records[i].version = uint64_t{1} << (8 * i);
    records[i].shard = static_cast<uint32_t>(i * 100);
  }
  records[0].payload_bytes = 4;
  records[0].body = "body";
  records[1].codec = v1::CODEC_ZSTD;
  records[1].payload_bytes = 300;
  records[1].body = "packed";
  records[2].parts = "decisions";
  records[3].codec = v1::CODEC_ZSTD_DICTIONARY;
  records[3].dictionary = 2;
  records[3].payload_bytes = 1 << 20;
  records[3].body = "packed by what was learnt";
  records[4].tombstone = true;
  records[4].digest = digest;
  return records;
}

std::string PackOf(const std::vector<PackedRecord>& records) {
  RecordPackWriter writer;
  for (const PackedRecord& record : records) writer.Add(record);
  EXPECT_EQ(writer.count(), static_cast<int>(records.size()));
  return writer.Finish();
}

TEST(RecordPackTest, GivesBackEveryFormOfRecord) {
  std::vector<std::string> keys;
  const std::string digest(32, 'd');
  const std::vector<PackedRecord> records = OneOfEach(keys, digest);
  const std::string pack = PackOf(records);
  RecordPackReader reader(pack);
  PackedRecord read;
  for (const PackedRecord& record : records) {
    ASSERT_TRUE(reader.Next(read)) << reader.status();
    EXPECT_EQ(read.key, record.key);
    EXPECT_EQ(read.tombstone, record.tombstone);
    EXPECT_EQ(read.origin, record.origin);
    EXPECT_EQ(read.epoch_counter, record.epoch_counter);
    EXPECT_EQ(read.version, record.version);
    EXPECT_EQ(read.shard, record.shard);
    EXPECT_EQ(read.codec, record.codec);
    EXPECT_EQ(read.dictionary, record.dictionary);
    EXPECT_EQ(read.digest, record.digest);
    EXPECT_EQ(read.parts, record.parts);
    EXPECT_EQ(read.payload_bytes, record.payload_bytes);
    EXPECT_EQ(read.body, record.body);
  }
  EXPECT_FALSE(reader.Next(read));
  EXPECT_TRUE(reader.status().ok()) << reader.status();
}

TEST(RecordPackTest, AddsLittleToTheBody) {
  PackedRecord record;
  const std::string key = KeyOf(v1::RECORD_KIND_REVISION, "a");
  record.key = key;
  record.origin = kHere;
  record.epoch_counter = 1'700'000'000;
  record.version = 900'000;
  record.shard = 200;
  record.codec = v1::CODEC_ZSTD;
  record.payload_bytes = 750;
  const std::string body(300, 'x');
  record.body = body;
  const std::vector<PackedRecord> records(100, record);
  EXPECT_LT(PackOf(records).size(), 100 * (body.size() + 34));
}

TEST(RecordPackTest, BeginsAnewAfterAPack) {
  std::vector<std::string> keys;
  const std::string digest(32, 'd');
  const std::vector<PackedRecord> records = OneOfEach(keys, digest);
  RecordPackWriter writer;
  for (const PackedRecord& record : records) writer.Add(record);
  const std::string first = writer.Finish();
  EXPECT_EQ(writer.count(), 0);
  EXPECT_EQ(writer.size_bytes(), 0);
  for (const PackedRecord& record : records) writer.Add(record);
  EXPECT_EQ(writer.Finish(), first);
}

// However a pack is damaged: the walk ends, and what it gives lies inside of the pack.
TEST(RecordPackTest, SurvivesDamage) {
  std::vector<std::string> keys;
  const std::string digest(32, 'd');
  const std::string pack = PackOf(OneOfEach(keys, digest));
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = pack.substr(0, random() % (pack.size() + 1));
    for (int i = 0; i < 3 && !damaged.empty(); ++i) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    RecordPackReader reader(damaged);
    PackedRecord read;
    size_t seen = 0;
    while (reader.Next(read)) {
      seen += read.key.size() + read.digest.size() + read.parts.size() + read.body.size();
      ASSERT_LE(seen, damaged.size());
    }
    if (reader.status().ok()) continue;
    ++refused;
    ASSERT_EQ(ReasonOf(reader.status()), v1::REASON_ITEM_CORRUPT);
  }
  EXPECT_GT(refused, 10'000);
}

TEST(RecordPackTest, RefusesNumbersThatAreTooLarge) {
  const std::string key = KeyOf(v1::RECORD_KIND_CATEGORY, "a");
  const std::string eleven_bytes(10, '\xff');
  const std::string pack = std::string(1, '\0') + key + eleven_bytes + "\x01";
  RecordPackReader reader(pack);
  PackedRecord read;
  EXPECT_FALSE(reader.Next(read));
  EXPECT_FALSE(reader.status().ok());
}

}  // namespace
}  // namespace sluice
