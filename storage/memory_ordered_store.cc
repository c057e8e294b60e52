#include "storage/memory_ordered_store.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

using Rows = std::map<std::string, std::string>;

// Walks one family of a view. It holds the rows, so it may outlive the store.
class MemoryCursor : public OrderedCursor {
 public:
  MemoryCursor(std::shared_ptr<const Rows> rows, absl::string_view from, absl::string_view until)
      : rows_(std::move(rows)),
        end_(until.empty() ? rows_->end() : rows_->lower_bound(std::string(until))) {
    const bool empty = !until.empty() && until <= from;
    at_ = empty ? end_ : rows_->lower_bound(std::string(from));
  }

  bool Valid() const override { return at_ != end_; }
  void Next() override { ++at_; }
  absl::string_view key() const override { return at_->first; }
  absl::string_view value() const override { return at_->second; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  std::shared_ptr<const Rows> rows_;
  Rows::const_iterator end_;
  Rows::const_iterator at_;
};

size_t IndexOf(Family family) { return static_cast<size_t>(family); }

}  // namespace

class MemoryOrderedStore::MemoryView : public OrderedView {
 public:
  explicit MemoryView(Families families) : families_(std::move(families)) {}

  absl::StatusOr<std::string> Get(Family family, absl::string_view key) const override {
    const Rows& rows = *families_[IndexOf(family)];
    const auto found = rows.find(std::string(key));
    if (found == rows.end()) {
      return absl::NotFoundError(
          absl::StrCat("no row ", absl::BytesToHexString(key), " in ", FamilyName(family)));
    }
    return found->second;
  }

  std::unique_ptr<OrderedCursor> Scan(Family family, absl::string_view from,
                                      absl::string_view until) const override {
    return std::make_unique<MemoryCursor>(families_[IndexOf(family)], from, until);
  }

  const Families& families() const { return families_; }

 private:
  const Families families_;
};

class MemoryOrderedStore::MemoryIngest : public SortedIngest {
 public:
  explicit MemoryIngest(MemoryOrderedStore& store) : store_(store) {}

  absl::Status Put(Family family, absl::string_view key, absl::string_view value) override {
    MutexLock lock(mutex_);
    std::optional<std::string>& last = last_[IndexOf(family)];
    if (last.has_value() && key <= *last) {
      return absl::InvalidArgumentError(absl::StrCat("row ", absl::BytesToHexString(key), " in ",
                                                     FamilyName(family), " is out of order"));
    }
    last = std::string(key);
    rows_.Put(family, key, value);
    return absl::OkStatus();
  }
  absl::Status Commit() override {
    MutexLock lock(mutex_);
    return store_.Write(rows_);
  }
  std::string ScratchDirectory() const override { return ""; }

 private:
  MemoryOrderedStore& store_;
  Mutex mutex_;
  WriteSet rows_ ABSL_GUARDED_BY(mutex_);
  std::array<std::optional<std::string>, kFamilyCount> last_ ABSL_GUARDED_BY(mutex_);
};

MemoryOrderedStore::MemoryOrderedStore() {
  for (std::shared_ptr<Rows>& rows : families_) rows = std::make_shared<Rows>();
}

std::shared_ptr<const OrderedView> MemoryOrderedStore::View() const {
  MutexLock lock(mutex_);
  return std::make_shared<MemoryView>(families_);
}

absl::Status MemoryOrderedStore::Write(const WriteSet& changes) {
  MutexLock lock(mutex_);
  if (writes_until_failure_ == 1) {
    write_failed_ = true;
    return absl::UnavailableError("the store was told to fail");
  }
  if (writes_until_failure_ > 1) --writes_until_failure_;
  for (const WriteSet::Change& change : changes.changes()) {
    std::shared_ptr<Rows>& rows = families_[IndexOf(change.family)];
    // Somebody holds a view of these rows: leave them to it.
    if (rows.use_count() > 1) rows = std::make_shared<Rows>(*rows);
    if (change.value.has_value()) {
      (*rows)[change.key] = *change.value;
    } else {
      rows->erase(change.key);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SortedIngest>> MemoryOrderedStore::BeginIngest() {
  return std::make_unique<MemoryIngest>(*this);
}

void MemoryOrderedStore::FailWritesFrom(int64_t count) {
  MutexLock lock(mutex_);
  writes_until_failure_ = count;
  write_failed_ = false;
}

bool MemoryOrderedStore::write_failed() const {
  MutexLock lock(mutex_);
  return write_failed_;
}

void MemoryOrderedStore::Restore(const std::shared_ptr<const OrderedView>& backup) {
  MutexLock lock(mutex_);
  families_ = static_cast<const MemoryView&>(*backup).families();
}

}  // namespace sluice
