#include "storage/record_items.h"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

constexpr uint8_t kKept = 0x80;

}  // namespace

uint64_t ItemOf(const SipKey& session_key, const ShardId& shard, const RecordKey& key,
                const Digest& digest) {
  std::array<char, 1 + 3 * Uuid::kSizeBytes + Digest::kSizeBytes> bytes;
  const auto append = [](absl::string_view part, char* at) {
    return std::copy(part.begin(), part.end(), at);
  };
  bytes[0] = static_cast<char>(static_cast<uint8_t>(key.kind) | (key.kept() ? kKept : 0));
  char* end = append(key.id.view(), bytes.data() + 1);
  end = append(digest.view(), end);
  end = append(shard.view(), end);
  if (key.kept()) end = append(key.kept_by.view(), end);
  return SipHash(session_key, {bytes.data(), static_cast<size_t>(end - bytes.data())});
}

bool IsWholeDifference(const ComparedSums& sums) {
  Fingerprint made = sums.here;
  made.Subtract(sums.only_here);
  made.Add(sums.only_there);
  return made == sums.there;
}

}  // namespace sluice
