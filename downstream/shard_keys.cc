#include "downstream/shard_keys.h"

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace sluice {
namespace {

constexpr size_t kShardsPerRequest = 1024;

absl::Status AppendMembers(const v1::ShardKeys& keys, MemberList& members) {
  for (const v1::KeyDigest& entry : keys.records()) {
    ShardMember member;
    ASSIGN_OR_RETURN(member.key, RecordKey::FromProto(entry.key()));
    ASSIGN_OR_RETURN(member.digest, Digest::FromBytes(entry.digest()));
    ASSIGN_OR_RETURN(member.stamp, Stamp::FromProto(entry.stamp()));
    members.push_back(std::move(member));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemberList> AskShardKeys(ParityPeer& peer, const std::vector<ShardId>& shards) {
  MemberList members;
  for (size_t begin = 0; begin < shards.size(); begin += kShardsPerRequest) {
    const size_t end = std::min(begin + kShardsPerRequest, shards.size());
    v1::ReconcileRequest request;
    for (size_t i = begin; i < end; ++i) {
      request.mutable_keys_wanted()->add_shard_ids(shards[i].bytes());
    }
    RETURN_IF_ERROR(peer.Send(request));
    for (size_t open = end - begin; open > 0;) {
      ASSIGN_OR_RETURN(const v1::ReconcileResponse response, peer.Receive());
      if (!response.keys().more()) --open;
      RETURN_IF_ERROR(AppendMembers(response.keys(), members));
    }
  }
  return members;
}

}  // namespace sluice
