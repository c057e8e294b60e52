// Comparing records by items that are far too short, so that different records have the same item
// all the time: what passes for the whole difference is the whole difference.
#include "storage/record_items.h"

#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/symbol_decoder.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using Fact = std::pair<RecordKey, Digest>;
using Facts = std::set<Fact>;

Fact FactOf(int id, int content) {
  return {RecordKey{.kind = v1::RECORD_KIND_REVISION,
                    .id = Uuid::FromName(Uuid(), absl::StrCat(id)),
                    .revision = 1},
          Digest::Of(absl::StrCat(content))};
}

uint64_t FactItem(const SipKey& session_key, const RecordKey& key, const Digest& digest) {
  return ItemOf(session_key, ItemScope::kFact, ShardId(), {key, digest, Stamp()});
}

Fingerprint Sum(const Facts& facts) {
  Fingerprint sum;
  for (const auto& [key, digest] : facts) sum.Add(digest);
  return sum;
}

struct Difference {
  bool decoded = false;
  bool proven = false;
  Facts only_here;
  Facts only_there;
};

// As two nodes do it, with items of `bits` bits.
Difference Compare(const SipKey& session_key, int bits, const Facts& here, const Facts& there) {
  const uint64_t mask = bits == 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1;
  const auto items_of = [&](const Facts& facts) {
    std::vector<uint64_t> items;
    for (const auto& [key, digest] : facts)
      items.push_back(FactItem(session_key, key, digest) & mask);
    return items;
  };
  const std::vector<uint64_t> items_there = items_of(there);
  SymbolEncoder encoder(items_there);
  SymbolDecoder decoder(items_of(here));
  const std::span<const CodedSymbol> symbols = encoder.First(256);
  EXPECT_TRUE(decoder
                  .Add({.item_count = static_cast<uint32_t>(there.size()),
                        .symbols = {symbols.begin(), symbols.end()}})
                  .ok());
  Difference difference;
  difference.decoded = decoder.state() == SymbolDecoder::State::kDecoded;
  const std::vector<Fact> in_order(here.begin(), here.end());
  for (const size_t i : decoder.only_here()) difference.only_here.insert(in_order[i]);
  const std::set<uint64_t> wanted(decoder.only_there().begin(), decoder.only_there().end());
  size_t i = 0;
  for (const Fact& fact : there) {
    if (wanted.count(items_there[i++]) > 0) difference.only_there.insert(fact);
  }
  difference.proven =
      difference.decoded && IsWholeDifference({Sum(here), Sum(there), Sum(difference.only_here),
                                               Sum(difference.only_there)});
  return difference;
}

Facts Less(const Facts& from, const Facts& what) {
  Facts rest = from;
  for (const Fact& fact : what) rest.erase(fact);
  return rest;
}

TEST(RecordItemsTest, TwoRecordsWithOneItemNeverPassForTheSame) {
  const SipKey session_key{1, 2};
  const Fact a = FactOf(1, 1);
  // Found by trying: another record whose item has the same 12 bits.
  const auto short_item = [&](const Fact& fact) {
    return FactItem(session_key, fact.first, fact.second) & 0xfff;
  };
  int other = 2;
  while (short_item(FactOf(other, other)) != short_item(a)) ++other;
  Facts here = {FactOf(-1, 1), FactOf(-2, 2)};
  Facts there = here;
  here.insert(a);
  there.insert(FactOf(other, other));

  const Difference by_short = Compare(session_key, 12, here, there);
  EXPECT_TRUE(by_short.decoded);
  EXPECT_TRUE(by_short.only_here.empty());
  EXPECT_TRUE(by_short.only_there.empty());
  EXPECT_FALSE(by_short.proven);  // Not "in parity".

  const Difference by_whole = Compare(session_key, 64, here, there);
  EXPECT_TRUE(by_whole.proven);
  EXPECT_EQ(by_whole.only_here, Facts{a});
}

TEST(RecordItemsTest, WhatIsProvenIsExactHoweverShortTheItemsAre) {
  std::mt19937_64 random(5);
  int proven = 0;
  int refused = 0;
  for (int trial = 0; trial < 3'000; ++trial) {
    Facts here;
    Facts there;
    const int shared = static_cast<int>(random() % 40);
    for (int i = 0; i < shared; ++i) here.insert(FactOf(i, 0));
    there = here;
    for (uint64_t i = random() % 8; i > 0; --i)
      here.insert(FactOf(static_cast<int>(random() % 60), 1));
    for (uint64_t i = random() % 8; i > 0; --i)
      there.insert(FactOf(static_cast<int>(random() % 60), 2));
    const int bits = 5 + static_cast<int>(random() % 12);
    const Difference found = Compare({random(), random()}, bits, here, there);
    if (!found.proven) {
      ++refused;
      continue;
    }
    ++proven;
    ASSERT_EQ(found.only_here, Less(here, there)) << "trial " << trial;
    ASSERT_EQ(found.only_there, Less(there, here)) << "trial " << trial;
  }
  EXPECT_GT(proven, 500);
  EXPECT_GT(refused, 500);
}

TEST(RecordItemsTest, AFactIsTheSameWithAnyNumberShardAndStampButNotWithAnotherKeeper) {
  const SipKey session_key = SipKey::Random();
  const auto [key, digest] = FactOf(1, 1);
  const ShardMember member{key, digest, {.epoch_counter = 1, .version = 2}};
  const uint64_t fact = ItemOf(session_key, ItemScope::kFact, ShardId(), member);
  const uint64_t placed = ItemOf(session_key, ItemScope::kPlaced, ShardId(), member);
  const ShardId shard = ShardId::Of(v1::ShardDefinition());
  EXPECT_NE(fact, placed);

  ShardMember renumbered = member;
  renumbered.key.revision = 7;
  EXPECT_EQ(ItemOf(session_key, ItemScope::kFact, shard, renumbered), fact);
  EXPECT_EQ(ItemOf(session_key, ItemScope::kPlaced, ShardId(), renumbered), placed);
  EXPECT_NE(ItemOf(session_key, ItemScope::kPlaced, shard, member), placed);

  for (const Stamp& stamp :
       {Stamp{2, 2, Uuid()}, Stamp{1, 3, Uuid()}, Stamp{1, 2, Uuid::FromName(Uuid(), "origin")}}) {
    ShardMember restamped = member;
    restamped.stamp = stamp;
    EXPECT_EQ(ItemOf(session_key, ItemScope::kFact, ShardId(), restamped), fact);
    EXPECT_NE(ItemOf(session_key, ItemScope::kPlaced, ShardId(), restamped), placed);
  }
  ShardMember kept = member;
  kept.key.kept_by = Uuid::FromName(Uuid(), "keeper");
  EXPECT_NE(ItemOf(session_key, ItemScope::kFact, ShardId(), kept), fact);
}

}  // namespace
}  // namespace sluice
