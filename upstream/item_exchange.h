// Item exchange: how some shards differ from a child's, as far as the upstream says it: coded
// symbols, all items where too much differs, and the keys behind those that the child lacks.
//
// All is said of one state of the catalog, held from the first symbols until the keys were given or
// the exchange ends, so that symbols, fingerprint and keys fit together.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/coded_symbols.h"
#include "common/sip_hash.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/picked_records.h"
#include "storage/record_items.h"

namespace sluice {

class ItemExchange {
 public:
  // `draw_key` gives each comparison the key of its items.
  ItemExchange(const Catalog& catalog, std::function<SipKey()> draw_key)
      : catalog_(&catalog), draw_key_(std::move(draw_key)) {}

  // Of these shards only these members are compared.
  void SetPicked(std::shared_ptr<const PickedMembers> picked) { picked_ = std::move(picked); }

  // Errors, of all three:
  //   INVALID_ARGUMENT     a malformed id, or more than what a request may ask for.
  //   FAILED_PRECONDITION  no comparison was begun.
  absl::StatusOr<std::vector<v1::ReconcileResponse>> Symbols(const v1::SymbolsWanted& wanted);
  absl::StatusOr<std::vector<v1::ReconcileResponse>> List();
  absl::StatusOr<std::vector<v1::ReconcileResponse>> Keys(const v1::ItemKeysWanted& wanted) const;

 private:
  // What is compared.
  struct Compared {
    CatalogReader reader;
    std::vector<ShardId> shards;
    ItemScope scope;
    SipKey session_key;
    SymbolEncoder encoder;
    size_t symbols_sent = 0;
  };

  absl::StatusOr<v1::ReconcileResponse> Begin(const v1::SymbolsWanted& wanted);
  absl::StatusOr<std::vector<uint64_t>> ReadItems(const Compared& compared) const;
  // Calls `visit` for every record that is compared, with its item.
  absl::Status ForEach(
      const Compared& compared,
      const std::function<void(const ShardId&, const ShardMember&, uint64_t)>& visit) const;
  // Count and sum of a shard as it is compared; NOT_FOUND there is none.
  absl::StatusOr<Fingerprint> SumOf(const CatalogReader& reader, const ShardId& shard) const;

  const Catalog* catalog_;
  std::function<SipKey()> draw_key_;
  // Shared with the exchange that this is a part of.
  std::shared_ptr<const PickedMembers> picked_ = std::make_shared<PickedMembers>();
  std::optional<Compared> compared_;
};

}  // namespace sluice
