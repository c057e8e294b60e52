// The catalog's part in taking in a whole catalog at once: when it may, and the commit that ends
// it.
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/catalog.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

// The families that a catalog of records begins with.
constexpr Family kOfRecords[] = {Family::kRecords,     Family::kLog,      Family::kLogPosition,
                                 Family::kShards,      Family::kFileUses, Family::kDependents,
                                 Family::kShardMembers};

absl::Status CheckEmpty(const OrderedView& view) {
  for (const Family family : kOfRecords) {
    const auto cursor = view.Scan(family, "", "");
    RETURN_IF_ERROR(cursor->status());
    if (cursor->Valid()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the catalog is not empty: there are ", FamilyName(family)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SortedIngest>> Catalog::BeginLoad() {
  RETURN_IF_ERROR(WriteFailure());
  RETURN_IF_ERROR(CheckEmpty(*store_.View()));
  return store_.BeginIngest();
}

absl::StatusOr<CommitOutcome> Catalog::CommitLoad(SortedIngest& ingest, const Loaded& loaded,
                                                  const CatalogChange& change) {
  if (!change.ops().empty() || !change.audit().empty()) {
    return absl::InvalidArgumentError("a load is committed with rows alone");
  }
  CommitOutcome outcome;
  {
    MutexLock commit_lock(commit_mutex_);
    RETURN_IF_ERROR(WriteFailure());
    if (state_.head_seq() != loaded.after_seq) {
      return absl::AbortedError("the catalog changed while another was loaded into it");
    }
    RETURN_IF_ERROR(CheckEmpty(*store_.View()));
    std::map<std::pair<Family, std::string>, std::string> rows;
    Hasher hasher;
    hasher.Update(state_.running_hash()).Update(loaded.digest.view());
    for (const WriteSet::Change& row : change.rows().changes()) {
      if (!row.value.has_value()) return absl::InvalidArgumentError("a load deletes no rows");
      hasher.Update(FamilyName(row.family)).Update(row.key).Update(*row.value);
      rows[{row.family, row.key}] = *row.value;
    }
    stored::v1::StoreState next = state_;
    next.set_head_seq(loaded.after_seq + loaded.records);
    next.set_running_hash(hasher.Finish().bytes());
    next.set_commits(state_.commits() + 1);
    rows[{Family::kState, std::string(kStateKey)}] = next.SerializeAsString();
    for (const auto& [key, value] : rows) RETURN_IF_ERROR(ingest.Put(key.first, key.second, value));
    outcome.head_seq = next.head_seq();
    outcome.stored = static_cast<int64_t>(loaded.records);
    RETURN_IF_ERROR(
        WriteCommit([&] { return ingest.Commit(); }, std::move(next), outcome, std::nullopt));
  }
  Announce(outcome);
  return outcome;
}

}  // namespace sluice
