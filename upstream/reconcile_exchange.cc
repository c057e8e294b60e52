#include "upstream/reconcile_exchange.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int kShardsPerRequestMax = 1024;
constexpr int kSumsPerMessage = 1000;
// About 130 bytes each.
constexpr int kKeysPerMessage = 4096;

}  // namespace

absl::StatusOr<std::vector<v1::ReconcileResponse>> ReconcileExchange::Handle(
    const v1::ReconcileRequest& request) {
  if (request.has_open()) return Open(request.open());
  if (!opened_) return absl::FailedPreconditionError("the exchange begins with `open`");
  switch (request.step_case()) {
    case v1::ReconcileRequest::kSymbolsWanted:
      return items_.Symbols(request.symbols_wanted());
    case v1::ReconcileRequest::kItemListWanted:
      return items_.List();
    case v1::ReconcileRequest::kItemKeysWanted:
      return items_.Keys(request.item_keys_wanted());
    default:
      return Keys(request.keys_wanted());
  }
}

absl::StatusOr<std::vector<v1::ReconcileResponse>> ReconcileExchange::Keys(
    const v1::ShardKeysWanted& wanted) const {
  if (wanted.shard_ids_size() > kShardsPerRequestMax) {
    return InvalidRequest(
        {{"keys_wanted.shard_ids", absl::StrCat("more than ", kShardsPerRequestMax)}});
  }
  std::vector<v1::ReconcileResponse> responses;
  const CatalogReader reader = catalog_->Read();
  for (const std::string& bytes : wanted.shard_ids()) {
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(bytes));
    RETURN_IF_ERROR(AppendKeys(reader, shard, responses));
  }
  return responses;
}

absl::StatusOr<std::vector<v1::ReconcileResponse>> ReconcileExchange::Open(
    const v1::ReconcileOpen& open) {
  ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(open.node_id()));
  const CatalogReader reader = catalog_->Read();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const Selection selection,
                   Selection::Expand(reader, open.subscription(), open.mode()));
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  opened_ = true;

  std::vector<v1::ReconcileResponse> responses(1);
  const auto begin_message = [&](v1::ReconcileResponse& response) {
    v1::ReconcileSums& sums = *response.mutable_sums();
    sums.set_at_seq(state.head_seq());
    *sums.mutable_epoch() = state.epoch();
    sums.set_selection_hash(selection.hash().bytes());
    sums.set_symbols(true);
  };
  begin_message(responses.back());
  const auto add = [&](const v1::ShardDefinition& definition, const Fingerprint& fingerprint) {
    if (responses.back().sums().shards_size() == kSumsPerMessage) {
      responses.back().mutable_sums()->set_more(true);
      begin_message(responses.emplace_back());
    }
    v1::ShardSum& sum = *responses.back().mutable_sums()->add_shards();
    *sum.mutable_definition() = definition;
    *sum.mutable_fingerprint() = fingerprint.ToProto();
  };
  for (const ShardInfo& shard : shards) {
    if (CountsIn(selection, shard.definition, child)) add(shard.definition, shard.fingerprint);
  }
  ASSIGN_OR_RETURN(PickedMembers picked, FindPicked(reader, selection, child));
  for (const auto& [id, members] : picked) {
    ASSIGN_OR_RETURN(const ShardInfo shard, reader.Shard(id));
    Fingerprint fingerprint;
    for (const ShardMember& member : members) fingerprint.Add(member.digest);
    add(shard.definition, fingerprint);
  }
  picked_ = std::make_shared<const PickedMembers>(std::move(picked));
  items_.SetPicked(picked_);
  return responses;
}

absl::Status ReconcileExchange::AppendKeys(const CatalogReader& reader, const ShardId& shard,
                                           std::vector<v1::ReconcileResponse>& responses) const {
  const auto append = [&](std::span<const ShardMember> members, bool more) {
    v1::ShardKeys& keys = *responses.emplace_back().mutable_keys();
    keys.set_shard_id(shard.bytes());
    keys.set_more(more);
    for (const ShardMember& member : members) {
      v1::KeyDigest& entry = *keys.add_records();
      *entry.mutable_key() = member.key.ToProto();
      entry.set_digest(member.digest.bytes());
      *entry.mutable_stamp() = member.stamp.ToProto();
    }
  };
  if (const auto picked = picked_->find(shard); picked != picked_->end()) {
    const std::span<const ShardMember> members = picked->second;
    for (size_t begin = 0; begin < members.size(); begin += kKeysPerMessage) {
      const size_t count = std::min<size_t>(kKeysPerMessage, members.size() - begin);
      append(members.subspan(begin, count), begin + count < members.size());
    }
    return absl::OkStatus();
  }
  std::string after;
  bool more = true;
  while (more) {
    ASSIGN_OR_RETURN(const std::vector<ShardMember> members,
                     reader.Members(shard, after, kKeysPerMessage));
    more = members.size() == kKeysPerMessage;
    if (more) after = members.back().key.Encode();
    append(members, more);
  }
  return absl::OkStatus();
}

}  // namespace sluice
