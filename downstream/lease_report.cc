#include "downstream/lease_report.h"

#include <functional>
#include <optional>
#include <utility>

#include "common/status.h"
#include "storage/decisions.h"
#include "storage/selection.h"

namespace sluice {
namespace {

// Of leases in one report; one always fits.
constexpr size_t kLeaseBytesMax = 1'000'000;
// When this node's own store did not take the lease.
constexpr absl::Duration kRenewAgain = absl::Minutes(1);

}  // namespace

absl::StatusOr<std::set<Uuid>> LeaseReport::NeededHere(const CatalogReader& reader,
                                                       const ContentWants& wants) const {
  std::set<Uuid> needed;
  if (mode_ == v1::NODE_MODE_AUTONOMOUS) wants.AddNeeded(needed);
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader));
  if (subscription.update_ids().empty()) return needed;
  ASSIGN_OR_RETURN(const Selection everything, Selection::Expand(reader, {}));
  for (const std::string& bytes : subscription.update_ids()) {
    ASSIGN_OR_RETURN(const Uuid pinned, Uuid::FromBytes(bytes));
    needed.insert(pinned);
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(pinned);
    if (absl::IsNotFound(current.status())) continue;
    RETURN_IF_ERROR(current.status());
    ASSIGN_OR_RETURN(const WantedFiles closure, ClosureOf(reader, current->key, everything));
    needed.insert(closure.needed.begin(), closure.needed.end());
  }
  return needed;
}

absl::Status LeaseReport::Renew(const ContentWants& wants, absl::Time now) {
  const CatalogReader reader = catalog_.Read();
  const Uuid& self = catalog_.node_id();
  ASSIGN_OR_RETURN(const std::set<Uuid> needed, NeededHere(reader, wants));
  ASSIGN_OR_RETURN(const std::optional<v1::Lease> before, ReadLease(reader, self));
  const v1::Lease lease = MakeLease(self, needed, now);
  const bool replaces = MustReplace(before, lease, now);
  renew_at_ = needed.empty() ? absl::InfiniteFuture() : RenewalOf(replaces ? lease : *before);
  if (!replaces) return absl::OkStatus();
  CatalogChange change;
  change.PutRow(Family::kLeases, self.view(), lease);
  return catalog_.Commit(change).status();
}

absl::Status LeaseReport::Fill(const ContentWants& wants, absl::Time now,
                               v1::ReportRequest& report) {
  sending_.clear();
  more_ = false;
  if (const absl::Status renewed = Renew(wants, now); !renewed.ok()) {
    renew_at_ = now + kRenewAgain;
    return renewed;
  }
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  if (upstream_id_ != above.node_id()) heard_.clear();
  upstream_id_ = above.node_id();
  size_t size_bytes = 0;
  const auto cursor = reader.view().Scan(Family::kLeases, "", "");
  for (; cursor->Valid(); cursor->Next()) {
    const std::string node(cursor->key());
    const size_t hash = std::hash<std::string>()(std::string(cursor->value()));
    const auto known = heard_.find(node);
    if (known != heard_.end() && known->second == hash) continue;
    more_ = size_bytes > 0 && size_bytes + cursor->value().size() > kLeaseBytesMax;
    if (more_) break;
    size_bytes += cursor->value().size();
    if (!report.add_leases()->ParseFromString(std::string(cursor->value()))) {
      report.mutable_leases()->RemoveLast();
    }
    sending_[node] = hash;
  }
  return cursor->status();
}

void LeaseReport::Answered(bool heard) {
  if (heard) {
    for (const auto& [node, hash] : sending_) heard_[node] = hash;
  }
  sending_.clear();
}

}  // namespace sluice
