#include "downstream/removal_guard.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/stored/v1/guard.pb.h"

namespace sluice {
namespace {

// Family::kSettings.
constexpr absl::string_view kGuardSetting = "guard";
constexpr absl::string_view kWindowSetting = "guard_window";
constexpr absl::Duration kWindow = absl::Hours(24);
// Removals that are looked at as a whole begin at this part of the share, and at so many records.
constexpr int kLookPart = 10;
constexpr int64_t kLookMin = 100;
constexpr size_t kRemovalIdChars = 16;

template <typename Row>
absl::StatusOr<Row> ReadSetting(const CatalogReader& reader, absl::string_view name) {
  absl::StatusOr<Row> row = reader.GetRow<Row>(Family::kSettings, name);
  if (absl::IsNotFound(row.status())) return Row();
  return row;
}

absl::StatusOr<stored::v1::GuardRow> ReadRow(const CatalogReader& reader) {
  return ReadSetting<stored::v1::GuardRow>(reader, kGuardSetting);
}

absl::StatusOr<stored::v1::GuardWindow> ReadWindow(const CatalogReader& reader) {
  return ReadSetting<stored::v1::GuardWindow>(reader, kWindowSetting);
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

google::protobuf::Timestamp HourOf(absl::Time time) {
  return ToTimestamp(absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), absl::Hours(1)));
}

int64_t RemovedIn(const stored::v1::GuardWindow& window, absl::Time now) {
  int64_t removed = 0;
  for (const stored::v1::RemovedRecords& hour : window.removed()) {
    if (hour.hour() > ToTimestamp(now - kWindow)) removed += hour.records();
  }
  return removed;
}

// A record whatever its number.
std::string NameOf(const RecordKey& key, absl::string_view digest) {
  RecordKey name = key;
  name.revision = 0;
  if (key.kind != v1::RECORD_KIND_REVISION) return name.ToString();
  return absl::StrCat(name.ToString(), digest);
}

absl::StatusOr<bool> IsHere(const CatalogReader& reader, const RecordKey& key,
                            absl::string_view digest) {
  if (key.kind != v1::RECORD_KIND_REVISION) return reader.GetColumns(key).ok();
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(key.id));
  return std::any_of(revisions.begin(), revisions.end(), [&](const RecordColumns& revision) {
    return revision.key.kept_by == key.kept_by && revision.header.digest() == digest;
  });
}

}  // namespace

absl::StatusOr<int64_t> CountRecords(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  int64_t records = 0;
  for (const ShardInfo& shard : shards) records += static_cast<int64_t>(shard.fingerprint.count());
  return records;
}

absl::StatusOr<int64_t> CountRemovals(const CatalogReader& reader, const v1::ChangeBatch& batch) {
  struct Gone {
    RecordKey key;
    std::string digest;
  };
  std::map<std::string, Gone> gone;
  std::set<std::string> here;
  for (const v1::Change& change : batch.changes()) {
    const bool left = change.has_left();
    const absl::StatusOr<RecordKey> key =
        RecordKey::FromProto(left ? change.left().key() : change.record().key());
    if (!key.ok()) continue;
    // A copy that a node kept goes when its record is in the history again; that loses nothing.
    if (left && key->kept()) continue;
    const std::string& digest = left ? change.left().digest() : change.record().digest();
    std::string name = NameOf(*key, digest);
    if (!left && change.record().state() == v1::RECORD_STATE_PRESENT) {
      here.insert(std::move(name));
    } else {
      gone.emplace(std::move(name), Gone{*key, digest});
    }
  }
  int64_t removals = 0;
  for (const auto& [name, record] : gone) {
    if (here.contains(name)) continue;
    ASSIGN_OR_RETURN(const bool is_here, IsHere(reader, record.key, record.digest));
    removals += is_here;
  }
  return removals;
}

absl::StatusOr<bool> RemovalGuard::Admits(int64_t records, absl::Time now) const {
  if (!on() || records == 0) return true;
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const stored::v1::GuardRow row, ReadRow(reader));
  if (records <= row.released()) return true;
  ASSIGN_OR_RETURN(const stored::v1::GuardWindow window, ReadWindow(reader));
  ASSIGN_OR_RETURN(const int64_t here, CountRecords(reader));
  const int64_t removed = RemovedIn(window, now);
  return (removed + records - row.released()) * 100 <= percent_ * (here + removed);
}

absl::StatusOr<bool> RemovalGuard::WantsLook(int64_t records, absl::Time now) const {
  if (!on() || records == 0) return false;
  ASSIGN_OR_RETURN(const bool admitted, Admits(records, now));
  if (!admitted) return true;
  ASSIGN_OR_RETURN(const int64_t here, CountRecords(catalog_.Read()));
  return since_look_ + records > std::max(kLookMin, here * percent_ / (100 * kLookPart));
}

absl::Status RemovalGuard::NoteRemoved(int64_t records, absl::Time now, CatalogChange& change) {
  if (!on() || records == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const stored::v1::GuardWindow before, ReadWindow(catalog_.Read()));
  stored::v1::GuardWindow next;
  for (const stored::v1::RemovedRecords& hour : before.removed()) {
    if (hour.hour() > ToTimestamp(now - kWindow)) *next.add_removed() = hour;
  }
  const google::protobuf::Timestamp hour = HourOf(now);
  if (next.removed().empty() || next.removed().rbegin()->hour() != hour) {
    *next.add_removed()->mutable_hour() = hour;
  }
  stored::v1::RemovedRecords& last = *next.mutable_removed()->rbegin();
  last.set_records(last.records() + records);
  change.PutRow(Family::kSettings, kWindowSetting, next);
  since_look_ += records;
  return absl::OkStatus();
}

absl::Status RemovalGuard::Hold(std::vector<RecordKey> records, absl::string_view cause,
                                absl::Time now) {
  std::sort(records.begin(), records.end());
  Hasher hasher;
  for (const RecordKey& key : records) hasher.Update(key.Encode());
  v1::HeldRemoval held;
  held.set_removal_id(hasher.Finish().ToHex().substr(0, kRemovalIdChars));
  held.set_records(static_cast<int64_t>(records.size()));
  held.set_cause(std::string(cause));
  const auto make = [&](const CatalogReader& reader) -> absl::StatusOr<CatalogChange> {
    ASSIGN_OR_RETURN(stored::v1::GuardRow row, ReadRow(reader));
    ASSIGN_OR_RETURN(const int64_t here, CountRecords(reader));
    held.set_records_here(here);
    *held.mutable_since() = row.held().has_since() ? row.held().since() : ToTimestamp(now);
    CatalogChange change;
    // It was released just now: the synchronisation that this began takes it.
    if (row.released() >= held.records()) return change;
    *row.mutable_held() = held;
    row.clear_released();
    change.PutRow(Family::kSettings, kGuardSetting, row);
    return change;
  };
  RETURN_IF_ERROR(catalog_.CommitMade(make).status());
  return MakeError(
      v1::REASON_GUARD_HELD,
      absl::StrCat("removal ", held.removal_id(), " is held: ", held.records(), " of ",
                   held.records_here(), " records here would go, ", cause,
                   "; with what went in the last 24 hours that is more than ", percent_, " %"));
}

absl::Status RemovalGuard::Settle(const v1::Subscription& subscription, CatalogChange& change) {
  if (!on()) return absl::OkStatus();
  ASSIGN_OR_RETURN(stored::v1::GuardRow row, ReadRow(catalog_.Read()));
  const std::string before = row.SerializeAsString();
  row.set_subscription_digest(Digest::Of(subscription.SerializeAsString()).bytes());
  row.clear_held();
  // What an operator released does not count against what comes next.
  if (row.released() > 0) change.DeleteRow(Family::kSettings, kWindowSetting);
  row.clear_released();
  if (row.SerializeAsString() != before) change.PutRow(Family::kSettings, kGuardSetting, row);
  return absl::OkStatus();
}

absl::StatusOr<bool> RemovalGuard::SubscriptionChanged(const v1::Subscription& subscription) const {
  if (!on()) return true;
  ASSIGN_OR_RETURN(const stored::v1::GuardRow row, ReadRow(catalog_.Read()));
  return row.subscription_digest() != Digest::Of(subscription.SerializeAsString()).view();
}

absl::StatusOr<std::optional<v1::HeldRemoval>> ReadHeldRemoval(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::GuardRow row, ReadRow(reader));
  return row.has_held() ? std::optional(row.held()) : std::nullopt;
}

absl::StatusOr<v1::HeldRemoval> ReleaseHeldRemoval(const CatalogReader& reader,
                                                   absl::string_view removal_id,
                                                   CatalogChange& change) {
  ASSIGN_OR_RETURN(stored::v1::GuardRow row, ReadRow(reader));
  if (!row.has_held()) return MakeError(v1::REASON_STALE_VERSION, "the guard holds nothing");
  if (row.held().removal_id() != removal_id) {
    return MakeError(v1::REASON_STALE_VERSION,
                     absl::StrCat("the guard holds removal ", row.held().removal_id(), " of ",
                                  row.held().records(), " records, not \"", removal_id, "\""));
  }
  const v1::HeldRemoval held = row.held();
  row.set_released(held.records());
  row.clear_held();
  change.PutRow(Family::kSettings, kGuardSetting, row);
  return held;
}

void AddHeldCondition(const CatalogReader& reader, std::vector<v1::Condition>& conditions) {
  const absl::StatusOr<std::optional<v1::HeldRemoval>> held = ReadHeldRemoval(reader);
  if (!held.ok() || !held->has_value()) return;
  const ErrorFacts& facts = FactsOf(v1::REASON_GUARD_HELD);
  std::erase_if(conditions, [&facts](const v1::Condition& condition) {
    return condition.reason() == ReasonName(facts.reason);
  });
  v1::Condition& condition = conditions.emplace_back();
  condition.set_reason(ReasonName(facts.reason));
  *condition.mutable_since() = (*held)->since();
  condition.set_message(absl::StrCat("removal ", (*held)->removal_id(), " of ", (*held)->records(),
                                     " of ", (*held)->records_here(),
                                     " records is held: ", (*held)->cause()));
  condition.set_cause(std::string(facts.cause));
  condition.set_remedy(std::string(facts.remedy));
}

}  // namespace sluice
