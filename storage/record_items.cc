#include "storage/record_items.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/status.h"

namespace sluice {
namespace {

constexpr uint8_t kKept = 0x80;
constexpr int kMembersPerPage = 4096;

}  // namespace

uint64_t ItemOf(const SipKey& session_key, ItemScope scope, const ShardId& shard,
                const ShardMember& member) {
  std::array<char, 1 + 4 * Uuid::kSizeBytes + Digest::kSizeBytes + 2 * sizeof(uint64_t)> bytes;
  char* end = bytes.data();
  const auto append = [&](absl::string_view part) {
    end = std::copy(part.begin(), part.end(), end);
  };
  const auto append_number = [&](uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) *end++ = static_cast<char>(number >> shift);
  };
  const RecordKey& key = member.key;
  *end++ = static_cast<char>(static_cast<uint8_t>(key.kind) | (key.kept() ? kKept : 0));
  append(key.id.view());
  append(member.digest.view());
  if (scope == ItemScope::kPlaced) {
    append(shard.view());
    append_number(member.stamp.epoch_counter);
    append_number(member.stamp.version);
    append(member.stamp.origin.view());
  }
  if (key.kept()) append(key.kept_by.view());
  return SipHash(session_key, {bytes.data(), static_cast<size_t>(end - bytes.data())});
}

absl::Status ForEachMember(const CatalogReader& reader, const std::vector<ShardId>& shards,
                           const std::function<void(const ShardId&, const ShardMember&)>& visit) {
  for (const ShardId& shard : shards) {
    std::string after;
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(const std::vector<ShardMember> page,
                       reader.Members(shard, after, kMembersPerPage));
      for (const ShardMember& member : page) visit(shard, member);
      more = page.size() == kMembersPerPage;
      if (more) after = page.back().key.Encode();
    }
  }
  return absl::OkStatus();
}

bool IsWholeDifference(const ComparedSums& sums) {
  Fingerprint made = sums.here;
  made.Subtract(sums.only_here);
  made.Add(sums.only_there);
  return made == sums.there;
}

}  // namespace sluice
