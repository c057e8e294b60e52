#include "upstream/item_exchange.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "common/symbol_run.h"

namespace sluice {
namespace {

constexpr int kShardsPerRequestMax = 20'000;
constexpr int kItemsPerRequestMax = 131'072;
// About 100 MB of items and places while it is compared.
constexpr uint64_t kRecordsMax = 4'000'000;
constexpr size_t kItemsPerMessage = 100'000;
// About 130 bytes each.
constexpr int kKeysPerMessage = 4096;

absl::Status NotBegun() {
  return absl::FailedPreconditionError("a comparison begins with `symbols_wanted.shard_ids`");
}

}  // namespace

absl::Status ItemExchange::ForEach(
    const Compared& compared,
    const std::function<void(const ShardId&, const ShardMember&, uint64_t)>& visit) const {
  const auto visit_member = [&](const ShardId& shard, const ShardMember& member) {
    visit(shard, member, ItemOf(compared.session_key, compared.scope, shard, member));
  };
  for (const ShardId& shard : compared.shards) {
    const auto picked = picked_->find(shard);
    if (picked == picked_->end()) {
      RETURN_IF_ERROR(ForEachMember(compared.reader, {shard}, visit_member));
    } else {
      for (const ShardMember& member : picked->second) visit_member(shard, member);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Fingerprint> ItemExchange::SumOf(const CatalogReader& reader,
                                                const ShardId& shard) const {
  const auto picked = picked_->find(shard);
  if (picked == picked_->end()) {
    ASSIGN_OR_RETURN(const ShardInfo info, reader.Shard(shard));
    return info.fingerprint;
  }
  Fingerprint fingerprint;
  for (const ShardMember& member : picked->second) fingerprint.Add(member.digest);
  return fingerprint;
}

absl::StatusOr<std::vector<uint64_t>> ItemExchange::ReadItems(const Compared& compared) const {
  std::vector<uint64_t> items;
  RETURN_IF_ERROR(ForEach(compared, [&](const ShardId& /*shard*/, const ShardMember& /*member*/,
                                        uint64_t item) { items.push_back(item); }));
  return items;
}

absl::StatusOr<v1::ReconcileResponse> ItemExchange::Begin(const v1::SymbolsWanted& wanted) {
  compared_.reset();
  Compared compared{catalog_->Read(),
                    {},
                    wanted.facts_only() ? ItemScope::kFact : ItemScope::kPlaced,
                    draw_key_(),
                    SymbolEncoder({})};
  Fingerprint fingerprint;
  for (const std::string& bytes : wanted.shard_ids()) {
    ASSIGN_OR_RETURN(const ShardId id, ShardId::FromBytes(bytes));
    const absl::StatusOr<Fingerprint> sum = SumOf(compared.reader, id);
    if (absl::IsNotFound(sum.status())) continue;
    RETURN_IF_ERROR(sum.status());
    compared.shards.push_back(id);
    fingerprint.Add(*sum);
  }
  std::sort(compared.shards.begin(), compared.shards.end());
  if (std::adjacent_find(compared.shards.begin(), compared.shards.end()) != compared.shards.end()) {
    return InvalidRequest({{"symbols_wanted.shard_ids", "names a shard twice"}});
  }
  v1::ReconcileResponse response;
  response.mutable_symbols()->set_session_key(compared.session_key.bytes());
  *response.mutable_symbols()->mutable_fingerprint() = fingerprint.ToProto();
  if (fingerprint.count() > kRecordsMax) return response;
  ASSIGN_OR_RETURN(const std::vector<uint64_t> items, ReadItems(compared));
  compared.encoder = SymbolEncoder(items);
  compared_ = std::move(compared);
  return response;
}

absl::StatusOr<std::vector<v1::ReconcileResponse>> ItemExchange::Symbols(
    const v1::SymbolsWanted& wanted) {
  if (wanted.shard_ids_size() > kShardsPerRequestMax) {
    return InvalidRequest(
        {{"symbols_wanted.shard_ids", absl::StrCat("more than ", kShardsPerRequestMax)}});
  }
  std::vector<v1::ReconcileResponse> responses(1);
  if (wanted.shard_ids_size() > 0) {
    ASSIGN_OR_RETURN(responses.back(), Begin(wanted));
    if (!compared_.has_value()) return responses;
  }
  if (!compared_.has_value()) return NotBegun();
  const size_t first = compared_->symbols_sent;
  const size_t end = wanted.symbols();
  if (end <= first || end > kSymbolsMax) {
    return InvalidRequest({{"symbols_wanted.symbols",
                            absl::StrCat("is to be from ", first + 1, " to ", kSymbolsMax)}});
  }
  const std::span<const CodedSymbol> symbols = compared_->encoder.First(end);
  for (size_t begin = first; begin < end; begin += kSymbolsPerRunMax) {
    if (begin > first) responses.emplace_back();
    const std::span<const CodedSymbol> part =
        symbols.subspan(begin, std::min(kSymbolsPerRunMax, end - begin));
    const SymbolRun run{static_cast<uint32_t>(begin),
                        static_cast<uint32_t>(compared_->encoder.item_count()),
                        {part.begin(), part.end()}};
    responses.back().mutable_symbols()->set_run(run.Encode());
  }
  compared_->symbols_sent = end;
  return responses;
}

absl::StatusOr<std::vector<v1::ReconcileResponse>> ItemExchange::List() {
  if (!compared_.has_value()) return NotBegun();
  ASSIGN_OR_RETURN(std::vector<uint64_t> items, ReadItems(*compared_));
  std::sort(items.begin(), items.end());
  // What occurs twice would not ascend; the child sees that the number is another.
  items.erase(std::unique(items.begin(), items.end()), items.end());
  std::vector<v1::ReconcileResponse> responses;
  size_t begin = 0;
  do {
    const size_t count = std::min(kItemsPerMessage, items.size() - begin);
    v1::ItemList& list = *responses.emplace_back().mutable_item_list();
    list.set_items(EncodeItems(std::span(items).subspan(begin, count)));
    begin += count;
    list.set_more(begin < items.size());
  } while (begin < items.size());
  return responses;
}

absl::StatusOr<std::vector<v1::ReconcileResponse>> ItemExchange::Keys(
    const v1::ItemKeysWanted& wanted) const {
  if (wanted.items_size() > kItemsPerRequestMax) {
    return InvalidRequest(
        {{"item_keys_wanted.items", absl::StrCat("more than ", kItemsPerRequestMax)}});
  }
  if (!compared_.has_value()) return NotBegun();
  const absl::flat_hash_set<uint64_t> items(wanted.items().begin(), wanted.items().end());
  std::vector<v1::ReconcileResponse> responses(1);
  std::vector<Fingerprint> fingerprints(1);
  int in_message = 0;
  const auto append = [&](const ShardId& shard, const ShardMember& member) {
    if (in_message++ == kKeysPerMessage) {
      responses.back().mutable_item_keys()->set_more(true);
      responses.emplace_back();
      fingerprints.emplace_back();
      in_message = 1;
    }
    v1::ItemKeys& keys = *responses.back().mutable_item_keys();
    const bool known =
        keys.shards_size() > 0 && keys.shards(keys.shards_size() - 1).shard_id() == shard.view();
    if (!known) keys.add_shards()->set_shard_id(shard.bytes());
    v1::KeyDigest& entry = *keys.mutable_shards(keys.shards_size() - 1)->add_records();
    *entry.mutable_key() = member.key.ToProto();
    fingerprints.back().Add(member.digest);
    *entry.mutable_stamp() = member.stamp.ToProto();
    if (wanted.brief()) {
      entry.mutable_stamp()->clear_origin_id();
    } else {
      entry.set_digest(member.digest.bytes());
    }
  };
  RETURN_IF_ERROR(
      ForEach(*compared_, [&](const ShardId& shard, const ShardMember& member, uint64_t item) {
        if (items.contains(item)) append(shard, member);
      }));
  for (size_t i = 0; i < responses.size(); ++i) {
    *responses[i].mutable_item_keys()->mutable_fingerprint() = fingerprints[i].ToProto();
  }
  return responses;
}

}  // namespace sluice
