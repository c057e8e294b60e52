// Compares two sets of a million records by coded symbols, in one thread, and prints what it cost.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/symbol_decoder.h"
#include "common/symbol_run.h"
#include "storage/record_items.h"

namespace sluice {
namespace {

constexpr size_t kRecords = 1'000'000;
constexpr int kRepeats = 5;

using Fact = ShardMember;

Fact RandomFact(std::mt19937_64& random) {
  std::string bytes(Uuid::kSizeBytes + Digest::kSizeBytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  const absl::string_view view = bytes;
  return {{.kind = v1::RECORD_KIND_REVISION,
           .id = *Uuid::FromBytes(view.substr(0, Uuid::kSizeBytes)),
           .revision = 1},
          *Digest::FromBytes(view.substr(Uuid::kSizeBytes)),
          Stamp()};
}

std::vector<uint64_t> ItemsOf(const SipKey& session_key, const std::vector<Fact>& facts) {
  const ShardId shard;
  std::vector<uint64_t> items;
  items.reserve(facts.size());
  for (const Fact& fact : facts) {
    items.push_back(ItemOf(session_key, ItemScope::kFact, shard, fact));
  }
  return items;
}

struct Cost {
  double hash_seconds = 0;    // Items of both sides.
  double encode_seconds = 0;  // Of the side that sends.
  double decode_seconds = 0;  // Of the side that receives; it encodes its own set too.
  size_t symbols = 0;
  size_t runs = 0;
  size_t bytes = 0;
  size_t found = 0;

  double seconds() const { return hash_seconds + encode_seconds + decode_seconds; }
};

// Of this thread on a core; what else the machine does is not measured.
double CoreSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double SecondsSince(double& begun) {
  const double now = CoreSeconds();
  return now - std::exchange(begun, now);
}

// From records in memory to the items that differ; the sending side's asks are 8 bytes each.
Cost Compare(const std::vector<Fact>& here, const std::vector<Fact>& there) {
  Cost cost;
  const SipKey session_key = SipKey::Random();
  double begun = CoreSeconds();
  std::vector<uint64_t> items_here = ItemsOf(session_key, here);
  const std::vector<uint64_t> items_there = ItemsOf(session_key, there);
  cost.hash_seconds = SecondsSince(begun);

  SymbolEncoder encoder(items_there);
  SymbolDecoder decoder(std::move(items_here));
  cost.decode_seconds = SecondsSince(begun);
  while (decoder.state() == SymbolDecoder::State::kNeedsMore) {
    const size_t first = decoder.symbols_taken();
    const size_t end = std::min(decoder.SymbolsAdvised(), first + kSymbolsPerRunMax);
    const std::span<const CodedSymbol> symbols = encoder.First(end).subspan(first);
    const std::string bytes = SymbolRun{
        static_cast<uint32_t>(first),
        static_cast<uint32_t>(items_there.size()),
        {symbols.begin(),
         symbols.end()}}.Encode();
    cost.bytes += bytes.size();
    ++cost.runs;
    cost.encode_seconds += SecondsSince(begun);
    const absl::StatusOr<SymbolRun> run = SymbolRun::Decode(bytes);
    if (!run.ok() || !decoder.Add(*run).ok() || end == first) std::abort();
    cost.decode_seconds += SecondsSince(begun);
  }
  if (decoder.state() != SymbolDecoder::State::kDecoded) std::abort();
  cost.symbols = decoder.symbols_taken();
  cost.found = decoder.only_here().size() + decoder.only_there().size();
  return cost;
}

void Report(absl::string_view name, absl::string_view ours, absl::string_view reach, bool ok) {
  std::puts(
      absl::StrCat(name, " ours=", ours, " peer=- ratio=- reach=", reach, ok ? " ok" : " short")
          .c_str());
}

// `differences` records are only on one of the sides, half of them here. 0 for a reach: none.
void Measure(size_t differences, size_t bytes_reach, double seconds_reach) {
  std::mt19937_64 random(differences);
  std::vector<Fact> here;
  for (size_t i = 0; i < kRecords; ++i) here.push_back(RandomFact(random));
  std::vector<Fact> there = here;
  for (size_t i = 0; i < differences / 2; ++i) here[i] = RandomFact(random);
  if (differences % 2 == 1) there.push_back(RandomFact(random));

  std::vector<Cost> costs;
  for (int i = 0; i < kRepeats; ++i) costs.push_back(Compare(here, there));
  std::sort(costs.begin(), costs.end(),
            [](const Cost& a, const Cost& b) { return a.seconds() < b.seconds(); });
  const Cost& cost = costs[kRepeats / 2];
  size_t bytes = 0;
  for (const Cost& each : costs) {
    bytes = std::max(bytes, each.bytes);
    if (each.found != differences / 2 * 2 + differences % 2) std::abort();
  }
  std::fprintf(stderr,
               "d=%zu: hash %.3f s, encode %.3f s, decode %.3f s; %zu symbols in %zu runs, %zu "
               "bytes\n",
               differences, cost.hash_seconds, cost.encode_seconds, cost.decode_seconds,
               cost.symbols, cost.runs, cost.bytes);
  const std::string name = absl::StrCat("symbols.d", differences);
  Report(absl::StrCat(name, "_bytes"), absl::StrCat(bytes), absl::StrCat(bytes_reach),
         bytes <= bytes_reach);
  Report(absl::StrCat(name, "_seconds"), absl::StrCat(cost.seconds()),
         seconds_reach > 0 ? absl::StrCat(seconds_reach) : "-",
         seconds_reach <= 0 || cost.seconds() <= seconds_reach);
}

}  // namespace
}  // namespace sluice

int main() {
  sluice::Measure(0, 30'000, 0);
  sluice::Measure(1, 30'000, 0);
  sluice::Measure(1'000, 70'000, 0.5);
  sluice::Measure(100'000, 4'400'000, 0);
}
