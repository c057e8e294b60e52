// Item comparison: which records of some shards only this node or only its upstream has, at a cost
// that follows the difference.
//
//   coded symbols, as many as it takes  ->  items that differ  ->  keys behind those only there
//
// Where too much differs for symbols, all items are compared. The difference is given out only when
// the fingerprints prove that it is the whole (storage/record_items.h); otherwise, and when nearly
// everything differs, or the upstream cannot or does not say what fits together, the comparison
// gives up and its user asks for the keys. So it is exact or it says nothing.
//
// Free of transport: requests out, responses in.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sip_hash.h"
#include "common/symbol_decoder.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/record_items.h"

namespace sluice {

class ItemComparison {
 public:
  struct Options {
    ItemScope scope = ItemScope::kPlaced;
    // Of what is only there learn no digests and no origins of stamps.
    bool brief = false;
  };

  // A record and the shard it is in.
  using Placed = std::pair<ShardId, ShardMember>;

  // What is to be done next.
  enum class Next {
    kWait,    // For more answers.
    kSend,    // `request()`.
    kDone,    // `only_here` and `only_there` are the whole difference.
    kGiveUp,  // Compare by keys.
  };

  // Compares `here` as `reader` has them with `there` as the upstream has them now. `there` names
  // at least one shard.
  ItemComparison(CatalogReader reader, std::vector<ShardId> here, std::vector<ShardId> there,
                 Options options);

  Next Begin();
  // Takes an answer to what was sent.
  //
  // Errors:
  //   INVALID_ARGUMENT  the upstream sends what was not asked for, or what cannot be read.
  //   DATA_LOSS         the own store is damaged.
  absl::StatusOr<Next> Take(const v1::ReconcileResponse& response);

  const v1::ReconcileRequest& request() const { return request_; }
  // The state of this node that is compared.
  const CatalogReader& reader() const { return reader_; }
  const std::vector<Placed>& only_here() const { return only_here_; }
  // Without what `brief` leaves out.
  const std::vector<Placed>& only_there() const { return only_there_; }

 private:
  absl::StatusOr<Next> TakeSymbols(const v1::ShardSymbols& symbols);
  absl::StatusOr<Next> TakeList(const v1::ItemList& list);
  absl::StatusOr<Next> TakeKeys(const v1::ItemKeys& keys);
  uint64_t ItemOf(const ShardId& shard, const ShardMember& member) const;
  absl::Status ReadOwn();
  Next AskSymbols();
  bool TooMuchForSymbols() const;
  absl::StatusOr<Next> Found(std::vector<size_t> only_here, std::vector<uint64_t> only_there);
  Next AskKeys();
  Next Prove() const;

  const CatalogReader reader_;
  const std::vector<ShardId> here_;
  const std::vector<ShardId> there_;
  const Options options_;

  v1::ReconcileRequest request_;
  SipKey session_key_;
  std::optional<SymbolDecoder> decoder_;
  std::vector<uint64_t> items_;  // Of this side, in the order of shards and keys.
  size_t asked_ = 0;             // Symbols.
  size_t received_ = 0;
  uint32_t count_there_ = 0;
  std::vector<uint64_t> list_there_;

  std::vector<uint64_t> wanted_;  // Items that are only there; asked for up to `wanted_asked_`.
  size_t wanted_asked_ = 0;
  absl::flat_hash_set<uint64_t> open_;  // Those without a record yet; not with `brief`.
  std::vector<Placed> only_here_;
  std::vector<Placed> only_there_;
  Fingerprint sum_here_;
  Fingerprint sum_there_;
  Fingerprint sum_only_here_;
  Fingerprint sum_only_there_;
};

}  // namespace sluice
