#include "common/symbol_run.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sluice {
namespace {

SymbolRun RunOf(size_t items, uint32_t first, size_t count) {
  std::mt19937_64 random(items);
  std::vector<uint64_t> set(items);
  for (uint64_t& item : set) item = random();
  SymbolEncoder encoder(set);
  const std::span<const CodedSymbol> symbols = encoder.First(first + count).subspan(first);
  return {first, static_cast<uint32_t>(items), {symbols.begin(), symbols.end()}};
}

bool IsRefused(absl::string_view bytes) {
  return SymbolRun::Decode(bytes).status().code() == absl::StatusCode::kInvalidArgument;
}

TEST(SymbolRunTest, ReadsWhatItWrote) {
  for (const size_t items : {0U, 1U, 10U, 20'000U}) {
    const SymbolRun run = RunOf(items, 7, 3000);
    const absl::StatusOr<SymbolRun> read = SymbolRun::Decode(run.Encode());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->first, run.first);
    EXPECT_EQ(read->item_count, run.item_count);
    EXPECT_EQ(read->symbols, run.symbols);
  }
}

TEST(SymbolRunTest, TakesLessThanFifteenBytesASymbol) {
  EXPECT_LT(RunOf(200'000, 0, 2000).Encode().size(), 15U * 2000);
  EXPECT_LT(RunOf(200'000, 20'000, 2000).Encode().size(), 13.2 * 2000);
}

TEST(SymbolRunTest, RefusesEveryPrefixAndEveryTail) {
  const std::string bytes = RunOf(1000, 0, 20).Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(IsRefused(bytes.substr(0, size))) << size;
  }
  EXPECT_TRUE(IsRefused(bytes + std::string(1, '\0')));
}

TEST(SymbolRunTest, RefusesWhatIsBeyondItsBounds) {
  SymbolRun run = RunOf(1000, 0, 20);
  run.symbols.clear();
  EXPECT_TRUE(IsRefused(run.Encode())) << "no symbols";
  run = RunOf(1000, 0, 20);
  run.first = kSymbolsMax - 19;
  EXPECT_TRUE(IsRefused(run.Encode())) << "more symbols than a stream has";
  run = RunOf(1000, 1, 20);
  run.item_count = kSymbolItemsMax + 1;
  EXPECT_TRUE(IsRefused(run.Encode())) << "more items than a set has";
  run = RunOf(1000, 0, 1);
  run.symbols.resize(kSymbolsPerRunMax + 1);
  EXPECT_TRUE(IsRefused(run.Encode())) << "more symbols than a run has";
  // First 0, 1,000 items, 65,536 symbols: announced and not there.
  EXPECT_TRUE(IsRefused(absl::string_view("\x00\xe8\x07\x80\x80\x04", 6)));
}

TEST(SymbolRunTest, RefusesCountsThatNoSetGives) {
  SymbolRun run = RunOf(1000, 0, 20);
  run.symbols[0].count = 999;
  EXPECT_TRUE(IsRefused(run.Encode())) << "symbol 0 holds every item";
  run = RunOf(1000, 0, 20);
  run.symbols[5].count = 1001;
  EXPECT_TRUE(IsRefused(run.Encode()));
  run.symbols[5].count = -1;
  EXPECT_TRUE(IsRefused(run.Encode()));
}

TEST(SymbolRunTest, RefusesNumbersInALongerForm) {
  EXPECT_FALSE(IsRefused(absl::string_view("\x00\x00\x01............\x00", 16)));
  EXPECT_TRUE(IsRefused(absl::string_view("\x80\x00\x00\x01............\x00", 17)));
  EXPECT_TRUE(IsRefused(absl::string_view("\x00\x00\x01............\x80\x00", 17)));
}

// A peer may send anything: it is read or refused, and what is read can be written again.
TEST(SymbolRunTest, SurvivesDamage) {
  std::mt19937_64 random(11);
  const std::string bytes = RunOf(1000, 0, 20).Encode();
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string damaged = bytes;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    const absl::StatusOr<SymbolRun> read = SymbolRun::Decode(damaged);
    if (read.ok()) {
      ASSERT_EQ(read->Encode(), damaged);
    } else {
      ASSERT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(ItemListTest, ReadsWhatItWrote) {
  const std::vector<uint64_t> items = {0,         1, 2, 1000, uint64_t{1} << 63, UINT64_MAX - 1,
                                       UINT64_MAX};
  const absl::StatusOr<std::vector<uint64_t>> read = DecodeItems(EncodeItems(items), items.size());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, items);
  EXPECT_EQ(DecodeItems("", 0)->size(), 0U);
}

TEST(ItemListTest, RefusesTooManyAndWhatDoesNotAscend) {
  const std::string three = EncodeItems(std::vector<uint64_t>{5, 6, 7});
  EXPECT_EQ(DecodeItems(three, 2).status().code(), absl::StatusCode::kInvalidArgument);
  const std::string last = EncodeItems(std::vector<uint64_t>{UINT64_MAX});
  EXPECT_TRUE(DecodeItems(last, 9).ok());
  EXPECT_FALSE(DecodeItems(last + std::string(1, '\0'), 9).ok());
  EXPECT_FALSE(DecodeItems(EncodeItems(std::vector<uint64_t>{9}) + last, 9).ok());
  EXPECT_FALSE(DecodeItems("\x80", 9).ok()) << "cut off";
}

}  // namespace
}  // namespace sluice
