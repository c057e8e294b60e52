// Two sides compare their sets by coded symbols. The one property: what is decoded is the symmetric
// difference, or nothing is decoded.
#include "common/coded_symbols.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sip_hash.h"
#include "common/symbol_decoder.h"
#include "common/symbol_run.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using State = SymbolDecoder::State;
using Items = std::vector<uint64_t>;

SymbolRun NextRun(SymbolEncoder& there, size_t first, size_t count) {
  const std::span<const CodedSymbol> symbols = there.First(first + count).subspan(first);
  return {static_cast<uint32_t>(first),
          static_cast<uint32_t>(there.item_count()),
          {symbols.begin(), symbols.end()}};
}

struct Comparison {
  State state = State::kNeedsMore;
  std::set<uint64_t> only_here;
  std::set<uint64_t> only_there;
  size_t symbols = 0;
};

// Sends runs as they travel until `symbols_max` or until the state is another.
Comparison Compare(const Items& here, const Items& there, size_t run, size_t symbols_max) {
  SymbolEncoder encoder(there);
  SymbolDecoder decoder(here);
  while (decoder.state() == State::kNeedsMore && decoder.symbols_taken() < symbols_max) {
    const absl::StatusOr<SymbolRun> received =
        SymbolRun::Decode(NextRun(encoder, decoder.symbols_taken(), run).Encode());
    EXPECT_TRUE(received.ok()) << received.status();
    const absl::Status added = decoder.Add(*received);
    EXPECT_TRUE(added.ok()) << added;
    if (!added.ok()) break;
  }
  Comparison result{decoder.state(), {}, {}, decoder.symbols_taken()};
  for (const size_t i : decoder.only_here()) result.only_here.insert(here[i]);
  result.only_there.insert(decoder.only_there().begin(), decoder.only_there().end());
  return result;
}

std::set<uint64_t> Less(const Items& from, const Items& what) {
  std::set<uint64_t> rest(from.begin(), from.end());
  for (const uint64_t item : what) rest.erase(item);
  return rest;
}

Items RandomItems(std::mt19937_64& random, size_t count) {
  Items items(count);
  for (uint64_t& item : items) item = random();
  return items;
}

void ExpectExact(const Comparison& result, const Items& here, const Items& there) {
  EXPECT_EQ(result.state, State::kDecoded);
  EXPECT_EQ(result.only_here, Less(here, there));
  EXPECT_EQ(result.only_there, Less(there, here));
}

TEST(CodedSymbolsTest, AreExactInTenThousandRandomTrials) {
  std::mt19937_64 random(2024);
  size_t differences = 0;
  for (int trial = 0; trial < 10'000; ++trial) {
    const Items shared = RandomItems(random, random() % 200);
    Items here = RandomItems(random, random() % (1U << random() % 7));
    Items there = RandomItems(random, random() % (1U << random() % 7));
    differences += here.size() + there.size();
    here.insert(here.end(), shared.begin(), shared.end());
    there.insert(there.begin(), shared.begin(), shared.end());
    const Comparison result = Compare(here, there, 1 + random() % 40, 4096);
    ExpectExact(result, here, there);
    ASSERT_FALSE(HasFailure()) << "trial " << trial;
  }
  EXPECT_GT(differences, 100'000U);
}

TEST(CodedSymbolsTest, OneSymbolShowsThatSetsAreEqualOrDifferInOneItem) {
  std::mt19937_64 random(1);
  Items items = RandomItems(random, 50'000);
  EXPECT_EQ(Compare(items, items, 1, 1).state, State::kDecoded);
  EXPECT_EQ(Compare({}, {}, 1, 1).state, State::kDecoded);
  Items more = items;
  more.push_back(random());
  const Comparison result = Compare(items, more, 1, 1);
  ExpectExact(result, items, more);
}

TEST(CodedSymbolsTest, DecodeWhenOneSideIsEmptyAndWhenNothingIsShared) {
  std::mt19937_64 random(3);
  const Items some = RandomItems(random, 3000);
  const Items others = RandomItems(random, 3000);
  ExpectExact(Compare({}, some, 100, 20'000), {}, some);
  ExpectExact(Compare(some, {}, 100, 20'000), some, {});
  ExpectExact(Compare(some, others, 100, 20'000), some, others);
}

TEST(CodedSymbolsTest, NeedAboutOneAndAThirdOfASymbolForADifference) {
  std::mt19937_64 random(4);
  const Items shared = RandomItems(random, 30'000);
  Items there = shared;
  const Items added = RandomItems(random, 10'000);
  there.insert(there.end(), added.begin(), added.end());
  const Comparison result = Compare(shared, there, 100, kSymbolsMax);
  ExpectExact(result, shared, there);
  EXPECT_LT(result.symbols, 14'500U);
}

// The stream is part of the protocol: nodes of other builds must make the same. The values were
// computed in integers by another program.
TEST(CodedSymbolsTest, PlacesOfAnItemAreFixed) {
  std::vector<uint32_t> places;
  ItemPlaces item(0x0123456789abcdef);
  for (int i = 0; i < 10; ++i, item.Advance()) places.push_back(item.place());
  EXPECT_EQ(places, (std::vector<uint32_t>{0, 4, 5, 14, 18, 278, 981, 1155, 1579, 1600}));
  EXPECT_EQ(CheckOf(0x0123456789abcdef), 0xa75eedecU);
}

TEST(CodedSymbolsTest, AnItemIsInSymbolIWithTheChanceOfThePaper) {
  constexpr int kItems = 200'000;
  std::mt19937_64 random(5);
  std::vector<int> counts(1000);
  for (int i = 0; i < kItems; ++i) {
    for (ItemPlaces item(random()); item.place() < counts.size(); item.Advance()) {
      ++counts[item.place()];
    }
  }
  for (const size_t place : {0U, 1U, 2U, 5U, 20U, 100U, 999U}) {
    const double expected = kItems / (1 + static_cast<double>(place) / 2);
    EXPECT_NEAR(counts[place], expected, 5 * std::sqrt(expected)) << place;
  }
}

TEST(CodedSymbolsTest, AreTheSameInWhateverStepsTheyAreAskedFor) {
  std::mt19937_64 random(6);
  const Items items = RandomItems(random, 500);
  SymbolEncoder at_once(items);
  SymbolEncoder in_steps(items);
  for (size_t count = 1; count < 5000; count += 1 + count / 3) in_steps.First(count);
  const std::span<const CodedSymbol> a = at_once.First(5000);
  const std::span<const CodedSymbol> b = in_steps.First(5000);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

// What a publisher could choose without knowing the key: ids that differ in one bit only, and the
// same id with another content.
TEST(CodedSymbolsTest, IdsThatShareEverythingButABitAreNoHarderThanOthers) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 20; ++trial) {
    const SipKey key{random(), random()};
    Items here;
    Items there;
    for (int i = 0; i < 2000; ++i) {
      const std::string id = absl::StrCat(std::string(40, 'a'), i);
      here.push_back(SipHash(key, absl::StrCat(id, "old")));
      there.push_back(SipHash(key, absl::StrCat(id, i % 4 == 0 ? "new" : "old")));
    }
    const Comparison result = Compare(here, there, 50, 2000);
    ExpectExact(result, here, there);
    EXPECT_EQ(result.only_here.size(), 500U);
  }
}

// Items that are sums of others look like single ones to a sum without checks.
TEST(CodedSymbolsTest, ItemsThatAddUpToAnotherItemAreToldApart) {
  const Items there = {0x1111, 0x2222, 0x1111 ^ 0x2222, 0, 0x4444, 0x1111 ^ 0x4444};
  ExpectExact(Compare({}, there, 4, 400), {}, there);
  ExpectExact(Compare({0x2222 ^ 0x4444}, there, 4, 400), {0x2222 ^ 0x4444}, there);
}

// Sets of small numbers, so that items of both sides coincide all the time; many occur twice.
TEST(CodedSymbolsTest, ItemsThatOccurTwiceAreNeverDecodedWrongly) {
  std::mt19937_64 random(8);
  int decoded = 0;
  for (int trial = 0; trial < 5'000; ++trial) {
    Items here(random() % 12);
    Items there(random() % 12);
    for (uint64_t& item : here) item = random() % 40;
    for (uint64_t& item : there) item = random() % 40;
    const Comparison result = Compare(here, there, 8, 256);
    if (result.state != State::kDecoded) continue;
    ++decoded;
    // What occurs equally often on both sides is no difference; all else has to be named.
    for (uint64_t item = 0; item < 40; ++item) {
      const auto n_here = std::count(here.begin(), here.end(), item);
      const auto n_there = std::count(there.begin(), there.end(), item);
      EXPECT_EQ(result.only_here.count(item), n_here > n_there ? 1U : 0U);
      EXPECT_EQ(result.only_there.count(item), n_there > n_here ? 1U : 0U);
    }
    ASSERT_FALSE(HasFailure()) << "trial " << trial;
  }
  EXPECT_GT(decoded, 1000);
}

TEST(SymbolDecoderTest, NeedsFewRunsAndFewSymbolsWhenItsAdviceIsTaken) {
  std::mt19937_64 random(14);
  for (const size_t differences : {0U, 1U, 100U, 1000U, 20'000U}) {
    for (const bool both_sides : {false, true}) {
      Items here = RandomItems(random, 3000);
      Items there = here;
      for (size_t i = 0; i < differences; ++i) {
        (both_sides && i % 2 == 0 ? here : there).push_back(random());
      }
      SymbolEncoder encoder(there);
      SymbolDecoder decoder(here);
      int runs = 0;
      for (; decoder.state() == State::kNeedsMore && runs < 20; ++runs) {
        const size_t taken = decoder.symbols_taken();
        const size_t wanted = decoder.SymbolsAdvised() - taken;
        ASSERT_TRUE(decoder.Add(NextRun(encoder, taken, wanted)).ok());
      }
      EXPECT_EQ(decoder.state(), State::kDecoded);
      EXPECT_LE(runs, 6) << differences;
      EXPECT_LE(decoder.symbols_taken(), 128 + differences * 17 / 10) << differences;
    }
  }
}

TEST(SymbolDecoderTest, RefusesRunsThatDoNotFollow) {
  std::mt19937_64 random(9);
  const Items items = RandomItems(random, 100);
  SymbolEncoder there(items);
  SymbolDecoder decoder({});
  ASSERT_TRUE(decoder.Add(NextRun(there, 0, 10)).ok());
  EXPECT_EQ(decoder.Add(NextRun(there, 0, 10)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decoder.Add(NextRun(there, 11, 10)).code(), absl::StatusCode::kInvalidArgument);
  SymbolRun other_set = NextRun(there, 10, 10);
  other_set.item_count = 99;
  EXPECT_EQ(decoder.Add(other_set).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decoder.Add({10, 100, {}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(decoder.Add(NextRun(there, 10, 10)).ok());
  EXPECT_EQ(decoder.symbols_taken(), 20U);
}

TEST(SymbolDecoderTest, EndsWithinItsBoundsWhenSymbolsAreNoise) {
  std::mt19937_64 random(10);
  SymbolDecoder decoder(RandomItems(random, 1000));
  while (decoder.state() == State::kNeedsMore && decoder.symbols_taken() < kSymbolsMax) {
    SymbolRun run{static_cast<uint32_t>(decoder.symbols_taken()), 1000, {}};
    for (int i = 0; i < 4096; ++i) {
      run.symbols.push_back({random(), static_cast<uint32_t>(random()), random() % 2 ? 1 : 0});
    }
    ASSERT_TRUE(decoder.Add(run).ok());
  }
  EXPECT_NE(decoder.state(), State::kDecoded);
  SymbolRun beyond{kSymbolsMax, 1000, {{}}};
  EXPECT_EQ(decoder.Add(beyond).code(), absl::StatusCode::kInvalidArgument);
}

// Symbols that each give away an item, and that taking the others out gives it away again.
TEST(SymbolDecoderTest, EndsWhenEverySymbolGivesAwayAnItem) {
  std::mt19937_64 random(12);
  SymbolDecoder decoder({});
  for (uint32_t first = 0; first < kSymbolsMax && decoder.state() == State::kNeedsMore;
       first += 1024) {
    SymbolRun run{first, 1000, {}};
    for (uint32_t place = first; place < first + 1024; ++place) {
      uint64_t item = random();
      ItemPlaces places(item);
      while (places.place() < place) places.Advance();
      run.symbols.push_back(places.place() == place ? CodedSymbol{item, CheckOf(item), 1}
                                                    : CodedSymbol{1, 2, 3});
    }
    ASSERT_TRUE(decoder.Add(run).ok());
  }
  EXPECT_NE(decoder.state(), State::kDecoded);
}

TEST(SymbolDecoderTest, DamagedStreamsAreNeverDecodedWrongly) {
  std::mt19937_64 random(13);
  const Items shared = RandomItems(random, 50);
  for (int trial = 0; trial < 2'000; ++trial) {
    Items there = RandomItems(random, random() % 10);
    there.insert(there.end(), shared.begin(), shared.end());
    SymbolEncoder encoder(there);
    SymbolDecoder decoder(shared);
    SymbolRun run = NextRun(encoder, 0, 64);
    CodedSymbol& symbol = run.symbols[random() % 64];
    symbol.items ^= random() % 3 == 0 ? random() : 0;
    symbol.checks ^= static_cast<uint32_t>(random() % 3 == 0 ? random() : 0);
    symbol.count += static_cast<int32_t>(random() % 3) - 1;
    ASSERT_TRUE(decoder.Add(run).ok());
    if (decoder.state() != State::kDecoded) continue;
    ASSERT_EQ(std::set<uint64_t>(decoder.only_there().begin(), decoder.only_there().end()),
              Less(there, shared));
    ASSERT_TRUE(decoder.only_here().empty());
  }
}

// A peer that does not hold what its symbols say can be wrong about itself, but not about this
// side.
TEST(SymbolDecoderTest, AnItemThatIsOnlyHereMustBeHere) {
  const uint64_t item = 77;
  SymbolDecoder decoder({1, 2});
  SymbolEncoder honest(Items{1, 2});
  SymbolRun run = NextRun(honest, 0, 8);
  run.item_count = 1;
  for (ItemPlaces places(item); places.place() < 8; places.Advance()) {
    run.symbols[places.place()].Put(item, CheckOf(item), -1);
  }
  ASSERT_TRUE(decoder.Add(run).ok());
  EXPECT_EQ(decoder.state(), State::kContradiction);
  EXPECT_TRUE(decoder.Add(run).ok()) << "runs may be under way still";
}

}  // namespace
}  // namespace sluice
