// Leases: what nodes below still need of what the origin might delete.
//
// A node that decides for itself, or that pinned updates, says so in a lease; it travels up to the
// origin with the reports, renewed long before it lapses. A clean-up passes over what a lease in
// force names. One that lapsed protects nothing: a node that is gone for good holds nobody up.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sluice/v1/tree.pb.h"
#include "storage/catalog.h"

namespace sluice {

inline constexpr absl::Duration kLeaseTime = absl::Hours(24 * 30);
inline constexpr absl::Duration kLeaseTimeMax = absl::Hours(24 * 90);
inline constexpr size_t kLeaseUpdatesMax = 100'000;

// Whether it protects what it names.
bool InForce(const v1::Lease& lease, absl::Time now);

// When it is to be renewed: half of the time before it lapses.
absl::Time RenewalOf(const v1::Lease& lease);

// The lease of a node that needs `updates` from now on: those with the smallest ids, should they be
// more than a lease can name.
v1::Lease MakeLease(const Uuid& node, const std::set<Uuid>& updates, absl::Time now);

// Whether `lease` must take the place of the one before (none: there was none): it names others, or
// half of the time is over.
bool MustReplace(const std::optional<v1::Lease>& before, const v1::Lease& lease, absl::Time now);

// This node's row or that of one below; none.
absl::StatusOr<std::optional<v1::Lease>> ReadLease(const CatalogReader& reader, const Uuid& node);

// Puts the leases that a node below reported. An older word about a node, that came a longer way,
// does not replace a newer one.
//
// Errors: INVALID_ARGUMENT a malformed id, or more than 100,000 in one lease.
absl::Status PutLeases(const CatalogReader& reader,
                       const google::protobuf::RepeatedPtrField<v1::Lease>& leases, absl::Time now,
                       CatalogChange& change);

// Up to `max` leases of nodes below with keys after `after`, by node id.
absl::StatusOr<std::vector<v1::Lease>> LeasesBelow(const CatalogReader& reader,
                                                   absl::string_view after, int max);

// All that leases in force name.
class LeaseBook {
 public:
  static absl::StatusOr<LeaseBook> Read(const CatalogReader& reader, absl::Time now);

  bool Holds(const Uuid& update) const { return held_.contains(update); }

 private:
  absl::flat_hash_set<Uuid> held_;
};

}  // namespace sluice
