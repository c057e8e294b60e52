#include "downstream/item_comparison.h"

#include <algorithm>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr size_t kItemsPerRequest = 100'000;
constexpr double kNearlyAll = 0.8;
// What one symbol costs on the wire, in items of a list: about 14 bytes to 7.
constexpr size_t kListItemsPerSymbol = 2;

absl::StatusOr<ShardMember> ReadEntry(const v1::KeyDigest& entry, bool brief) {
  ShardMember member;
  ASSIGN_OR_RETURN(member.key, RecordKey::FromProto(entry.key()));
  if (brief) {
    member.stamp.epoch_counter = entry.stamp().epoch_counter();
    member.stamp.version = entry.stamp().version();
    return member;
  }
  ASSIGN_OR_RETURN(member.digest, Digest::FromBytes(entry.digest()));
  ASSIGN_OR_RETURN(member.stamp, Stamp::FromProto(entry.stamp()));
  return member;
}

absl::Status NotAskedFor(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the upstream sent ", what, " unasked"));
}

}  // namespace

ItemComparison::ItemComparison(CatalogReader reader, std::vector<ShardId> here,
                               std::vector<ShardId> there, Options options)
    : reader_(std::move(reader)),
      here_(std::move(here)),
      there_(std::move(there)),
      options_(options) {}

ItemComparison::Next ItemComparison::Begin() {
  asked_ = SymbolDecoder({}).SymbolsAdvised();
  v1::SymbolsWanted& wanted = *request_.mutable_symbols_wanted();
  for (const ShardId& shard : there_) wanted.add_shard_ids(shard.bytes());
  wanted.set_facts_only(options_.scope == ItemScope::kFact);
  wanted.set_symbols(static_cast<uint32_t>(asked_));
  return Next::kSend;
}

absl::StatusOr<ItemComparison::Next> ItemComparison::Take(const v1::ReconcileResponse& response) {
  switch (response.step_case()) {
    case v1::ReconcileResponse::kSymbols:
      return TakeSymbols(response.symbols());
    case v1::ReconcileResponse::kItemList:
      return TakeList(response.item_list());
    case v1::ReconcileResponse::kItemKeys:
      return TakeKeys(response.item_keys());
    default:
      return NotAskedFor("another step");
  }
}

uint64_t ItemComparison::ItemOf(const ShardId& shard, const ShardMember& member) const {
  return sluice::ItemOf(session_key_, options_.scope, shard, member);
}

absl::Status ItemComparison::ReadOwn() {
  RETURN_IF_ERROR(
      ForEachMember(reader_, here_, [&](const ShardId& shard, const ShardMember& member) {
        items_.push_back(ItemOf(shard, member));
        sum_here_.Add(member.digest);
      }));
  decoder_.emplace(items_);
  return absl::OkStatus();
}

absl::StatusOr<ItemComparison::Next> ItemComparison::TakeSymbols(const v1::ShardSymbols& symbols) {
  if (received_ >= asked_) return NotAskedFor("symbols");
  if (symbols.run().empty()) return Next::kGiveUp;
  if (!decoder_.has_value()) {
    ASSIGN_OR_RETURN(session_key_, SipKey::FromBytes(symbols.session_key()));
    ASSIGN_OR_RETURN(sum_there_, Fingerprint::FromProto(symbols.fingerprint()));
    RETURN_IF_ERROR(ReadOwn());
  }
  ASSIGN_OR_RETURN(const SymbolRun run, SymbolRun::Decode(symbols.run()));
  RETURN_IF_ERROR(decoder_->Add(run));
  count_there_ = run.item_count;
  received_ += run.symbols.size();
  if (received_ > asked_) return NotAskedFor("symbols");
  if (received_ < asked_) return Next::kWait;
  switch (decoder_->state()) {
    case SymbolDecoder::State::kNeedsMore:
      return AskSymbols();
    case SymbolDecoder::State::kContradiction:
      return Next::kGiveUp;
    case SymbolDecoder::State::kDecoded:
      return Found(decoder_->only_here(), decoder_->only_there());
  }
  return Next::kGiveUp;
}

// The rest in symbols would cost more than all items.
bool ItemComparison::TooMuchForSymbols() const {
  const size_t advised = decoder_->SymbolsAdvised();
  return advised == kSymbolsMax || (advised - received_) * kListItemsPerSymbol > count_there_;
}

ItemComparison::Next ItemComparison::AskSymbols() {
  request_.Clear();
  // With their digests, the keys of all that is there cost less than items and then the same keys.
  const double nearly_all = kNearlyAll * static_cast<double>(items_.size() + count_there_);
  if (!options_.brief && decoder_->EstimatedDifferences() > nearly_all) return Next::kGiveUp;
  if (TooMuchForSymbols()) {
    request_.mutable_item_list_wanted();
    return Next::kSend;
  }
  asked_ = decoder_->SymbolsAdvised();
  request_.mutable_symbols_wanted()->set_symbols(static_cast<uint32_t>(asked_));
  return Next::kSend;
}

absl::StatusOr<ItemComparison::Next> ItemComparison::TakeList(const v1::ItemList& list) {
  if (!request_.has_item_list_wanted()) return NotAskedFor("a list of items");
  ASSIGN_OR_RETURN(const std::vector<uint64_t> part,
                   DecodeItems(list.items(), count_there_ - list_there_.size()));
  if (!part.empty() && !list_there_.empty() && part.front() <= list_there_.back()) {
    return absl::InvalidArgumentError("the upstream's list of items does not ascend");
  }
  list_there_.insert(list_there_.end(), part.begin(), part.end());
  if (list.more() && part.empty()) return NotAskedFor("an empty part of a list");
  if (list.more()) return Next::kWait;

  std::vector<std::pair<uint64_t, size_t>> ours;
  for (size_t i = 0; i < items_.size(); ++i) ours.emplace_back(items_[i], i);
  std::sort(ours.begin(), ours.end());
  std::vector<size_t> only_here;
  std::vector<uint64_t> only_there;
  auto theirs = list_there_.begin();
  for (size_t i = 0; i < ours.size(); ++i) {
    const uint64_t item = ours[i].first;
    if (i > 0 && item == ours[i - 1].first) return Next::kGiveUp;
    for (; theirs != list_there_.end() && *theirs < item; ++theirs) only_there.push_back(*theirs);
    if (theirs != list_there_.end() && *theirs == item) {
      ++theirs;
    } else {
      only_here.push_back(ours[i].second);
    }
  }
  only_there.insert(only_there.end(), theirs, list_there_.end());
  std::sort(only_here.begin(), only_here.end());
  return Found(std::move(only_here), std::move(only_there));
}

absl::StatusOr<ItemComparison::Next> ItemComparison::Found(std::vector<size_t> only_here,
                                                           std::vector<uint64_t> only_there) {
  size_t position = 0;
  auto next = only_here.begin();
  RETURN_IF_ERROR(
      ForEachMember(reader_, here_, [&](const ShardId& shard, const ShardMember& member) {
        if (next != only_here.end() && *next == position) {
          only_here_.emplace_back(shard, member);
          sum_only_here_.Add(member.digest);
          ++next;
        }
        ++position;
      }));
  wanted_ = std::move(only_there);
  if (!options_.brief) open_.insert(wanted_.begin(), wanted_.end());
  return wanted_.empty() ? Prove() : AskKeys();
}

ItemComparison::Next ItemComparison::AskKeys() {
  request_.Clear();
  v1::ItemKeysWanted& wanted = *request_.mutable_item_keys_wanted();
  wanted.set_brief(options_.brief);
  const size_t end = std::min(wanted_.size(), wanted_asked_ + kItemsPerRequest);
  for (; wanted_asked_ < end; ++wanted_asked_) wanted.add_items(wanted_[wanted_asked_]);
  return Next::kSend;
}

absl::StatusOr<ItemComparison::Next> ItemComparison::TakeKeys(const v1::ItemKeys& keys) {
  if (!request_.has_item_keys_wanted()) return NotAskedFor("keys");
  for (const v1::ShardKeys& part : keys.shards()) {
    ASSIGN_OR_RETURN(const ShardId shard, ShardId::FromBytes(part.shard_id()));
    for (const v1::KeyDigest& entry : part.records()) {
      ASSIGN_OR_RETURN(ShardMember member, ReadEntry(entry, options_.brief));
      if (!options_.brief) {
        if (open_.erase(ItemOf(shard, member)) == 0) return NotAskedFor("a key");
        sum_only_there_.Add(member.digest);
      }
      only_there_.emplace_back(shard, std::move(member));
    }
  }
  if (options_.brief) {
    ASSIGN_OR_RETURN(const Fingerprint sum, Fingerprint::FromProto(keys.fingerprint()));
    sum_only_there_.Add(sum);
  }
  if (only_there_.size() > wanted_asked_) return NotAskedFor("keys");
  if (keys.more()) return Next::kWait;
  return wanted_asked_ < wanted_.size() ? AskKeys() : Prove();
}

ItemComparison::Next ItemComparison::Prove() const {
  const bool whole = only_there_.size() == wanted_.size() &&
                     IsWholeDifference({sum_here_, sum_there_, sum_only_here_, sum_only_there_});
  return whole ? Next::kDone : Next::kGiveUp;
}

}  // namespace sluice
