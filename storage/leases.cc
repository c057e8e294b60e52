#include "storage/leases.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

constexpr int kLeasesPerPage = 100;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

absl::Time ExpiryOf(const v1::Lease& lease) {
  return absl::FromUnixMicros(
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(lease.expires_at()));
}

absl::Status CheckLease(const v1::Lease& lease, int index) {
  const auto wrong = [index](absl::string_view field, absl::string_view what) {
    return InvalidRequest({{absl::StrCat("leases[", index, "].", field), std::string(what)}});
  };
  if (!Uuid::FromBytes(lease.node_id()).ok()) return wrong("node_id", "must have 16 bytes");
  if (lease.update_ids().size() > static_cast<int>(kLeaseUpdatesMax)) {
    return wrong("update_ids", absl::StrCat("holds ", lease.update_ids().size(), "; the limit is ",
                                            kLeaseUpdatesMax));
  }
  for (const std::string& id : lease.update_ids()) {
    if (!Uuid::FromBytes(id).ok()) return wrong("update_ids", "must have 16 bytes each");
  }
  return absl::OkStatus();
}

}  // namespace

bool InForce(const v1::Lease& lease, absl::Time now) { return ExpiryOf(lease) > now; }

absl::Time RenewalOf(const v1::Lease& lease) { return ExpiryOf(lease) - kLeaseTime / 2; }

v1::Lease MakeLease(const Uuid& node, const std::set<Uuid>& updates, absl::Time now) {
  v1::Lease lease;
  lease.set_node_id(node.bytes());
  for (const Uuid& update : updates) {
    if (lease.update_ids().size() == static_cast<int>(kLeaseUpdatesMax)) break;
    lease.add_update_ids(update.bytes());
  }
  *lease.mutable_expires_at() = ToTimestamp(now + kLeaseTime);
  return lease;
}

bool MustReplace(const std::optional<v1::Lease>& before, const v1::Lease& lease, absl::Time now) {
  if (!before.has_value()) return !lease.update_ids().empty();
  const bool same = std::equal(before->update_ids().begin(), before->update_ids().end(),
                               lease.update_ids().begin(), lease.update_ids().end());
  if (!same) return true;
  // Nothing needs no renewal.
  return !lease.update_ids().empty() && RenewalOf(*before) <= now;
}

absl::StatusOr<std::optional<v1::Lease>> ReadLease(const CatalogReader& reader, const Uuid& node) {
  absl::StatusOr<v1::Lease> lease = reader.GetRow<v1::Lease>(Family::kLeases, node.view());
  if (absl::IsNotFound(lease.status())) return std::optional<v1::Lease>();
  if (!lease.ok()) return lease.status();
  return std::optional<v1::Lease>(*std::move(lease));
}

absl::Status PutLeases(const CatalogReader& reader,
                       const google::protobuf::RepeatedPtrField<v1::Lease>& leases, absl::Time now,
                       CatalogChange& change) {
  for (int i = 0; i < leases.size(); ++i) {
    RETURN_IF_ERROR(CheckLease(leases[i], i));
    ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(leases[i].node_id()));
    ASSIGN_OR_RETURN(const std::optional<v1::Lease> known, ReadLease(reader, node));
    if (known.has_value() && ExpiryOf(leases[i]) < ExpiryOf(*known)) continue;
    v1::Lease lease = leases[i];
    if (ExpiryOf(lease) > now + kLeaseTimeMax) {
      *lease.mutable_expires_at() = ToTimestamp(now + kLeaseTimeMax);
    }
    change.PutRow(Family::kLeases, node.view(), lease);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Lease>> LeasesBelow(const CatalogReader& reader,
                                                   absl::string_view after, int max) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(auto rows, reader.ListRows<v1::Lease>(Family::kLeases, after, "", max + 1));
  std::vector<v1::Lease> leases;
  for (auto& [key, lease] : rows) {
    const bool own = key == state.node_id();
    if (!own && static_cast<int>(leases.size()) < max) leases.push_back(std::move(lease));
  }
  return leases;
}

absl::StatusOr<LeaseBook> LeaseBook::Read(const CatalogReader& reader, absl::Time now) {
  LeaseBook book;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<v1::Lease> page, LeasesBelow(reader, after, kLeasesPerPage));
    for (const v1::Lease& lease : page) {
      if (!InForce(lease, now)) continue;
      for (const std::string& bytes : lease.update_ids()) {
        ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(bytes));
        book.held_.insert(update);
      }
    }
    if (page.empty()) return book;
    after = page.back().node_id();
  }
}

}  // namespace sluice
