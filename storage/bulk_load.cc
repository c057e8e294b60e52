#include "storage/bulk_load.h"

#include <algorithm>
#include <future>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/mutex.h"
#include "common/status.h"
#include "storage/catalog_keys.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int64_t kSpillBytes = int64_t{48} << 20;
constexpr size_t kShardsMax = 20'000;
// Packs that are being checked while one is written.
constexpr size_t kAhead = 3;
constexpr size_t kMemberBytes = Digest::kSizeBytes + 2 * 8 + Uuid::kSizeBytes;

absl::Status Corrupt(absl::string_view what) { return MakeError(v1::REASON_ITEM_CORRUPT, what); }

// A record key in a heap of rows: its own first byte says how long it is.
absl::string_view TakeKey(absl::string_view& rows) {
  const absl::string_view key =
      rows.substr(0, RecordKey::EncodedSize(static_cast<uint8_t>(rows[0])));
  rows.remove_prefix(key.size());
  return key;
}

// A serialised LogEntry with nothing but its first two fields, which are bytes of less than 128: a
// tag, a size, the bytes. The message itself would allocate both.
absl::string_view LogEntryOf(absl::string_view key, const ShardId& shard, std::string& entry) {
  static_assert(stored::v1::LogEntry::kRecordKeyFieldNumber == 1);
  static_assert(stored::v1::LogEntry::kShardIdFieldNumber == 2);
  entry.assign(1, '\x0a');
  entry.push_back(static_cast<char>(key.size()));
  entry.append(key.data(), key.size());
  entry.push_back('\x12');
  entry.push_back(static_cast<char>(shard.view().size()));
  entry.append(shard.view().data(), shard.view().size());
  return entry;
}

absl::string_view TakeBytes(size_t size, absl::string_view& rows) {
  const absl::string_view bytes = rows.substr(0, size);
  rows.remove_prefix(size);
  return bytes;
}

// A key that begins with the digest or id of what is used: eight bytes of that mostly tell which
// one is first.
struct UseRow {
  explicit UseRow(absl::string_view use) : key(use) {
    for (size_t i = 0; i < sizeof(first); ++i) first = first << 8 | static_cast<uint8_t>(use[i]);
  }
  bool operator<(const UseRow& other) const {
    return first != other.first ? first < other.first : key < other.key;
  }
  bool operator==(const UseRow& other) const { return key == other.key; }

  uint64_t first = 0;
  absl::string_view key;
};

}  // namespace

// One pack on its way: checked by whatever thread, written by the load's own.
struct BulkLoad::Job {
  LoadContext context;
  LoadRows rows;
  absl::Status status;  // Once it is done.

  Mutex mutex;
  CondVar changed;
  bool done ABSL_GUARDED_BY(mutex) = false;

  void Run() {
    status = FillLoadRows(context, rows);
    MutexLock lock(mutex);
    done = true;
    changed.NotifyAll();
  }
  // Makes it a new one that has the old one's memory.
  void Reset() {
    context.shards.clear();
    rows.bytes.clear();
    rows.rows.clear();
    rows.file_uses.clear();
    rows.dependents.clear();
    MutexLock lock(mutex);
    done = false;
  }
  void Wait() {
    MutexLock lock(mutex);
    while (!done) changed.Wait(mutex);
  }
};

absl::StatusOr<std::unique_ptr<BulkLoad>> BulkLoad::Begin(Catalog& catalog, WorkerPool* pool) {
  ASSIGN_OR_RETURN(std::unique_ptr<SortedIngest> ingest, catalog.BeginLoad());
  return std::unique_ptr<BulkLoad>(new BulkLoad(catalog, pool, std::move(ingest)));
}

BulkLoad::BulkLoad(Catalog& catalog, WorkerPool* pool, std::unique_ptr<SortedIngest> ingest)
    : catalog_(catalog),
      pool_(pool),
      ingest_(std::move(ingest)),
      members_(ingest_->ScratchDirectory(), kSpillBytes),
      file_uses_(ingest_->ScratchDirectory(), kSpillBytes),
      dependents_(ingest_->ScratchDirectory(), kSpillBytes) {
  loaded_.after_seq = catalog.durable_head();
}

BulkLoad::~BulkLoad() {
  for (const std::unique_ptr<Job>& job : jobs_) job->Wait();
}

absl::Status BulkLoad::AddShards(const v1::LoadPack& pack) {
  if (shards_.size() + static_cast<size_t>(pack.shards_size()) > kShardsMax) {
    return Corrupt("a load of more than 20,000 shards");
  }
  for (const v1::ShardDefinition& definition : pack.shards()) {
    if (IsOwnOf(definition, catalog_.node_id())) {
      return Corrupt("a load of what this node itself keeps or holds back");
    }
    shards_.push_back(std::make_unique<ShardInfo>());
    shards_.back()->id = ShardId::Of(definition);
    shards_.back()->definition = definition;
  }
  return absl::OkStatus();
}

std::unique_ptr<BulkLoad::Job> BulkLoad::NewJob() {
  if (spare_jobs_.empty()) return std::make_unique<Job>();
  std::unique_ptr<Job> job = std::move(spare_jobs_.back());
  spare_jobs_.pop_back();
  job->Reset();
  return job;
}

absl::Status BulkLoad::Add(v1::LoadPack pack) {
  RETURN_IF_ERROR(AddShards(pack));
  std::unique_ptr<Job> job = NewJob();
  for (const std::unique_ptr<ShardInfo>& shard : shards_) {
    job->context.shards.push_back(shard.get());
  }
  job->context.first_seq = loaded_.after_seq + loaded_.records + 1;
  job->context.count = std::max(pack.count(), 0);
  job->rows.received = std::move(*pack.mutable_records());
  loaded_.records += static_cast<uint64_t>(job->context.count);
  Job& begun = *job;
  jobs_.push_back(std::move(job));
  if (pool_ == nullptr) {
    begun.Run();
  } else {
    pool_->Submit([&begun] { begun.Run(); });
  }
  while (jobs_.size() > (pool_ == nullptr ? 0 : kAhead)) RETURN_IF_ERROR(WriteOldest());
  return absl::OkStatus();
}

absl::Status BulkLoad::WriteOldest() {
  Job& job = *jobs_.front();
  job.Wait();
  RETURN_IF_ERROR(job.status);
  RETURN_IF_ERROR(Write(job.rows));
  spare_jobs_.push_back(std::move(jobs_.front()));
  jobs_.pop_front();
  return absl::OkStatus();
}

absl::Status BulkLoad::Write(const LoadRows& rows) {
  for (const LoadRows::Row& row : rows.rows) RETURN_IF_ERROR(WriteRow(row));
  std::string use;
  const auto add = [&use](SpilledRows& uses, absl::string_view prefix, absl::string_view key) {
    use.assign(prefix.data(), prefix.size());
    use.append(key.data(), key.size());
    return uses.Add(static_cast<uint8_t>(use[0]), use);
  };
  for (const LoadRows::FileUse& file : rows.file_uses) {
    RETURN_IF_ERROR(add(file_uses_, file.file.view(), file.key));
  }
  for (const LoadRows::Dependent& dependent : rows.dependents) {
    RETURN_IF_ERROR(add(dependents_, dependent.needed.view(), dependent.key));
  }
  return absl::OkStatus();
}

absl::Status BulkLoad::WriteRow(const LoadRows::Row& row) {
  if (row.key <= last_key_) return Corrupt("the records of a load are out of order");
  last_key_.assign(row.key.data(), row.key.size());
  RETURN_IF_ERROR(ingest_->Put(Family::kRecords, row.key, row.value));
  ShardInfo& shard = *shards_[row.shard];
  RETURN_IF_ERROR(ingest_->Put(Family::kLog, EncodeSeq(loaded_.after_seq + ++written_),
                               LogEntryOf(row.key, shard.id, log_entry_)));
  if (row.member.empty()) return absl::OkStatus();
  shard.fingerprint.Add(row.digest);
  // The lowest bits name the kind, also of what is kept.
  ++counts_[static_cast<v1::RecordKind>(static_cast<uint8_t>(row.key[0]) & 0x7f)];
  RETURN_IF_ERROR(members_.Add(row.shard, row.key));
  return members_.Add(row.shard, row.member);
}

absl::StatusOr<Fingerprint> BulkLoad::Finish() {
  while (!jobs_.empty()) RETURN_IF_ERROR(WriteOldest());
  by_id_.resize(shards_.size());
  for (size_t place = 0; place < by_id_.size(); ++place) by_id_[place] = place;
  std::sort(by_id_.begin(), by_id_.end(),
            [this](size_t a, size_t b) { return shards_[a]->id < shards_[b]->id; });
  RETURN_IF_ERROR(WriteSorted());
  RETURN_IF_ERROR(WriteShards());
  std::vector<ShardInfo> shards;
  for (const std::unique_ptr<ShardInfo>& shard : shards_) shards.push_back(*shard);
  return FingerprintOfShards(shards);
}

absl::Status BulkLoad::WriteSorted() {
  const auto write_uses = [this]() -> absl::Status {
    RETURN_IF_ERROR(WriteUses(file_uses_, Digest::kSizeBytes, Family::kFileUses));
    return WriteUses(dependents_, Uuid::kSizeBytes, Family::kDependents);
  };
  if (pool_ == nullptr) {
    RETURN_IF_ERROR(WriteMembers());
    return write_uses();
  }
  // Shared with the task, which may still be about to leave when the result is there.
  const auto promise = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> written = promise->get_future();
  pool_->Submit([promise, write_uses] { promise->set_value(write_uses()); });
  const absl::Status members = WriteMembers();
  const absl::Status uses = written.get();
  return members.ok() ? uses : members;
}

absl::Status BulkLoad::WriteMembers() {
  std::string key;
  for (const size_t place : by_id_) {
    ASSIGN_OR_RETURN(const std::string heap, members_.Take(place));
    const absl::string_view id = shards_[place]->id.view();
    for (absl::string_view rest = heap; !rest.empty();) {
      key.assign(id.data(), id.size());
      const absl::string_view record = TakeKey(rest);
      key.append(record.data(), record.size());
      const absl::string_view member = TakeBytes(kMemberBytes, rest);
      RETURN_IF_ERROR(ingest_->Put(Family::kShardMembers, key, member));
    }
  }
  return absl::OkStatus();
}

absl::Status BulkLoad::WriteUses(SpilledRows& spilled, size_t prefix_bytes, Family family) {
  std::vector<UseRow> uses;
  for (size_t first = 0; first < spilled.heaps(); ++first) {
    ASSIGN_OR_RETURN(const std::string heap, spilled.Take(first));
    uses.clear();
    for (absl::string_view rest = heap; !rest.empty();) {
      absl::string_view after = rest.substr(prefix_bytes);
      const size_t size = prefix_bytes + TakeKey(after).size();
      uses.emplace_back(TakeBytes(size, rest));
    }
    std::sort(uses.begin(), uses.end());
    // A record may name one file twice.
    uses.erase(std::unique(uses.begin(), uses.end()), uses.end());
    for (const UseRow& use : uses) RETURN_IF_ERROR(ingest_->Put(family, use.key, ""));
  }
  return absl::OkStatus();
}

absl::Status BulkLoad::WriteShards() {
  Hasher hasher;
  for (const size_t place : by_id_) {
    const ShardInfo& shard = *shards_[place];
    stored::v1::ShardRow row;
    *row.mutable_definition() = shard.definition;
    *row.mutable_fingerprint() = shard.fingerprint.ToProto();
    const std::string bytes = row.SerializeAsString();
    hasher.Update(shard.id.view()).Update(bytes);
    const absl::Status put = ingest_->Put(Family::kShards, shard.id.view(), bytes);
    if (absl::IsInvalidArgument(put)) return Corrupt("a load names one shard twice");
    RETURN_IF_ERROR(put);
  }
  loaded_.digest = hasher.Finish();
  return absl::OkStatus();
}

absl::StatusOr<CommitOutcome> BulkLoad::Commit(const CatalogChange& change) {
  return catalog_.CommitLoad(*ingest_, loaded_, change);
}

}  // namespace sluice
