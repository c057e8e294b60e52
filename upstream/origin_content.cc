#include "upstream/origin_content.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/own_acknowledgements.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr int kTransfers = 3;
constexpr absl::Duration kAskAgain = absl::Seconds(1);

std::function<bool(const ContentInfo&)> PresenceIn(ContentStore& content) {
  return [&content](const ContentInfo& file) {
    const absl::StatusOr<ContentInfo> here = content.Stat(file.digest);
    return here.ok() && here->size_bytes == file.size_bytes;
  };
}

// The root takes everything.
Selection Everything(const CatalogReader& reader) {
  return Selection::Expand(reader, v1::Subscription()).value();
}

// What the file's update was replaced by, when it is expired at its source; empty when unknown.
std::string SuccessorOf(const CatalogReader& reader, const Digest& digest) {
  const absl::StatusOr<std::vector<RecordKey>> uses = reader.FileUses(digest);
  if (!uses.ok()) return "";
  for (const RecordKey& key : *uses) {
    const absl::StatusOr<v1::Record> record =
        reader.GetRecord({v1::RECORD_KIND_EXPIRY, key.id, 0, {}});
    if (!record.ok()) continue;
    const absl::StatusOr<v1::Expiry> expiry = UnpackExpiry(*record);
    if (!expiry.ok()) continue;
    const absl::StatusOr<Uuid> successor = Uuid::FromBytes(expiry->successor_id());
    if (!successor.ok()) continue;
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(*successor);
    if (current.ok()) return current->header.title();
  }
  return "";
}

absl::Status NameSuccessor(const CatalogReader& reader, const Digest& digest,
                           const absl::Status& status) {
  if (ReasonOf(status) != v1::REASON_CONTENT_SOURCE_GONE) return status;
  const std::string successor = SuccessorOf(reader, digest);
  if (successor.empty()) return status;
  return MakeError(v1::REASON_CONTENT_SOURCE_GONE,
                   absl::StrCat(status.message(), "; its update was replaced by ", successor));
}

}  // namespace

OriginContent::OriginContent(Catalog& catalog, ContentStore& content, Clock& clock, Log& log,
                             std::function<UpdateSource*(absl::string_view)> find_source)
    : catalog_(catalog),
      content_(content),
      clock_(clock),
      log_(log),
      find_source_(std::move(find_source)),
      transfers_(std::make_unique<WorkerPool>(kTransfers)),
      wants_(catalog, PresenceIn(content), kTransfers) {}

OriginContent::~OriginContent() { Stop(); }

void OriginContent::Start() {
  catalog_watch_ = catalog_.Watch([this](const CommitOutcome& outcome) {
    if (outcome.changed.empty()) return;
    MutexLock lock(mutex_);
    touched_.insert(touched_.end(), outcome.changed.begin(), outcome.changed.end());
    changed_.NotifyAll();
  });
  thread_ = std::thread([this] { Run(); });
}

void OriginContent::Stop() {
  if (catalog_watch_ != 0) catalog_.Unwatch(std::exchange(catalog_watch_, 0));
  stop_.request_stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  transfers_.reset();
}

void OriginContent::Run() {
  MutexLock lock(mutex_);
  absl::Status status = wants_.RecomputeAll(Everything(catalog_.Read()), clock_.Now());
  while (!stopping_) {
    if (!touched_.empty()) {
      const std::vector<RecordKey> touched = std::exchange(touched_, {});
      status.Update(wants_.Recompute(Everything(catalog_.Read()), touched, clock_.Now()));
    }
    if (wants_.touched()) status.Update(AcknowledgeTouchedHere());
    if (!status.ok()) {
      log_.Error("content_wants_unreadable", {{"status", status}});
      status = absl::OkStatus();
    }
    wants_.TakeLapsed(clock_.Now());
    for (const Digest& file : wants_.TakeDropped()) failures_.erase(file);
    for (const ContentInfo& file : wants_.TakeFetches(clock_.Now())) {
      transfers_->Submit([this, file] { Fetch(file); });
    }
    const absl::Duration left = wants_.next_due() - clock_.Now();
    if (stopping_ || !touched_.empty() || left <= absl::ZeroDuration()) continue;
    if (left == absl::InfiniteDuration()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitFor(mutex_, left);
    }
  }
}

// Without the mutex: a commit waits for the watchers of the one before it, which may wait for the
// mutex.
absl::Status OriginContent::AcknowledgeTouchedHere() {
  const TouchedUpdates touched = wants_.TakeTouched();
  mutex_.Unlock();
  const absl::Status status = AcknowledgeTouched(
                                  catalog_, touched, Everything(catalog_.Read()),
                                  [this](const ContentInfo& file) {
                                    MutexLock lock(mutex_);
                                    return wants_.StateOf(file.digest) == v1::CONTENT_STATE_READY;
                                  },
                                  clock_.Now())
                                  .status();
  mutex_.Lock();
  return status;
}

void OriginContent::Fetch(const ContentInfo& file) {
  const absl::Status status =
      Annotate(NameSuccessor(catalog_.Read(), file.digest, FetchFromSource(file)),
               absl::StrCat("fetching file ", file.digest.ToHex()));
  Settle(file.digest, status);
}

absl::Status OriginContent::FetchFromSource(const ContentInfo& file) {
  const absl::StatusOr<stored::v1::ContentOrigin> origin =
      catalog_.Read().GetRow<stored::v1::ContentOrigin>(Family::kContentOrigins,
                                                        file.digest.view());
  UpdateSource* const source = origin.ok() ? find_source_(origin->source()) : nullptr;
  if (source == nullptr) {
    return MakeError(v1::REASON_CONTENT_SOURCE_GONE,
                     origin.ok()
                         ? absl::StrCat("source \"", origin->source(), "\" is no longer configured")
                         : "no source offers it");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ContentWriter> writer,
                   content_.Write(file.digest, file.size_bytes));
  if (writer->staged_bytes() < file.size_bytes) {
    RETURN_IF_ERROR(source->ReadFile(
        *origin, writer->staged_bytes(),
        [&writer](absl::string_view data) { return writer->Append(data); }, stop_.get_token()));
  }
  return writer->Commit();
}

// Takes in what became of a fetch, for operators and for those who wait.
void OriginContent::Settle(const Digest& digest, const absl::Status& status) {
  v1::ContentAnswer answer;
  {
    MutexLock lock(mutex_);
    // At the root there is nobody above to wait for.
    const absl::Status known = ReasonOf(status) == v1::REASON_CONTENT_MISSING
                                   ? MakeError(v1::REASON_CONTENT_SOURCE_GONE, status.message())
                                   : status;
    answer = wants_.Fetched(digest, known, clock_.Now(), random_);
    failures_.erase(digest);
    if (answer.state() == v1::CONTENT_STATE_FAILED) failures_[digest] = answer;
    changed_.NotifyAll();
  }
  if (!status.ok()) log_.Warn("content_fetch_failed", {{"status", status}});
  CatalogChange change;
  if (answer.state() == v1::CONTENT_STATE_FAILED) {
    stored::v1::ContentRow row;
    row.set_state(answer.state());
    *row.mutable_last_failure() = answer.status();
    *row.mutable_changed_at() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
    change.PutRow(Family::kContent, digest.view(), row);
  } else {
    change.DeleteRow(Family::kContent, digest.view());
  }
  const absl::Status stored = catalog_.Commit(change).status();
  if (!stored.ok()) log_.Error("content_state_not_stored", {{"status", stored}});
  MutexLock lock(watch_mutex_);
  for (const auto& [handle, wake] : watches_) wake();
}

v1::ContentAnswer OriginContent::Want(const Digest& digest) {
  v1::ContentAnswer answer;
  answer.set_digest(digest.bytes());
  if (content_.Stat(digest).ok()) {
    answer.set_state(v1::CONTENT_STATE_READY);
    return answer;
  }
  MutexLock lock(mutex_);
  if (const auto failure = failures_.find(digest); failure != failures_.end()) {
    return failure->second;
  }
  const absl::Status wanted = wants_.WantForBelow(digest, clock_.Now());
  if (!wanted.ok()) {
    answer.set_state(v1::CONTENT_STATE_FAILED);
    answer.mutable_status()->set_code(static_cast<int>(wanted.code()));
    answer.mutable_status()->set_reason(ReasonName(ReasonOf(wanted)));
    answer.mutable_status()->set_message(std::string(wanted.message()));
    return answer;
  }
  answer.set_state(wants_.StateOf(digest));
  *answer.mutable_retry_after() =
      google::protobuf::util::TimeUtil::SecondsToDuration(absl::ToInt64Seconds(kAskAgain));
  changed_.NotifyAll();
  return answer;
}

bool OriginContent::Refetch(const Digest& digest) {
  MutexLock lock(mutex_);
  wants_.Lost(digest, clock_.Now());
  changed_.NotifyAll();
  return wants_.StateOf(digest) != v1::CONTENT_STATE_NOT_WANTED;
}

void OriginContent::FillStatus(v1::NodeStatus& status) const {
  MutexLock lock(mutex_);
  status.set_approved_updates(wants_.approved_updates());
  status.set_ready_updates(wants_.ready_updates());
  status.set_inactive_updates(wants_.inactive_updates());
  status.set_files_wanted(wants_.wanted());
  status.set_files_missing(wants_.missing());
  status.set_files_failed(wants_.failed());
}

int64_t OriginContent::Watch(std::function<void()> wake) {
  MutexLock lock(watch_mutex_);
  const int64_t handle = next_watch_++;
  watches_.emplace(handle, std::move(wake));
  return handle;
}

void OriginContent::Unwatch(int64_t handle) {
  MutexLock lock(watch_mutex_);
  watches_.erase(handle);
}

}  // namespace sluice
