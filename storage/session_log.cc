#include "storage/session_log.h"

#include <utility>
#include <vector>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "common/uuid.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

constexpr int kSessionsKept = 1000;
// Rows are counted anew, and the oldest removed, every so many sessions.
constexpr int kSessionsBetweenCounts = 100;
constexpr int kItemsListed = 1000;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

// A UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits; so ids
// sort by time.
Uuid DrawSessionId(absl::Time now, absl::BitGenRef random) {
  std::string bytes;
  const int64_t milliseconds = absl::ToUnixMillis(now);
  for (int shift = 40; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(milliseconds >> shift));
  }
  while (bytes.size() < Uuid::kSizeBytes) {
    bytes.push_back(static_cast<char>(absl::Uniform<int>(random, 0, 256)));
  }
  bytes[6] = static_cast<char>(0x70 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<char>(0x80 | (bytes[8] & 0x3f));
  return *Uuid::FromBytes(bytes);
}

v1::SyncError ToSyncError(const absl::Status& status) {
  const ErrorFacts& facts = FactsOf(ReasonOf(status));
  v1::SyncError error;
  error.set_reason(ReasonName(facts.reason));
  error.set_message(std::string(status.message()));
  error.set_cause(std::string(facts.cause));
  error.set_remedy(std::string(facts.remedy));
  return error;
}

}  // namespace

absl::StatusOr<std::string> SessionRowKey(absl::string_view session_id) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(session_id));
  return id.bytes();
}

SessionLog::SessionLog(Catalog& catalog, std::string peer)
    : catalog_(catalog), peer_(std::move(peer)) {}

void SessionLog::SetPeer(std::string peer) {
  peer_ = std::move(peer);
  session_ = v1::Session();
}

absl::Status SessionLog::CloseInterrupted(absl::Time now) {
  ASSIGN_OR_RETURN(const auto rows,
                   catalog_.Read().ListRows<v1::Session>(Family::kSessions, "", "", 1 << 20));
  CatalogChange change;
  for (const auto& [key, row] : rows) {
    if (row.outcome() != v1::SYNC_OUTCOME_RUNNING) continue;
    v1::Session session = row;
    session.set_outcome(v1::SYNC_OUTCOME_INTERRUPTED);
    *session.mutable_ended_at() = ToTimestamp(now);
    change.PutRow(Family::kSessions, key, session);
  }
  RETURN_IF_ERROR(change.empty() ? absl::OkStatus() : catalog_.Commit(change).status());
  return RemoveOldest();
}

absl::Status SessionLog::RemoveOldest() {
  ASSIGN_OR_RETURN(const auto rows,
                   catalog_.Read().ListRows<v1::Session>(Family::kSessions, "", "", 1 << 20));
  CatalogChange change;
  for (size_t i = 0; i + kSessionsKept < rows.size(); ++i) {
    change.DeleteRow(Family::kSessions, rows[i].first);
  }
  return change.empty() ? absl::OkStatus() : catalog_.Commit(change).status();
}

void SessionLog::BeginWithCommit(v1::SyncTrigger trigger, absl::Time now, absl::BitGenRef random) {
  const bool again =
      trigger == v1::SYNC_TRIGGER_RETRY && session_.outcome() == v1::SYNC_OUTCOME_FAILED;
  if (again) {
    session_.set_attempt(session_.attempt() + 1);
    session_.clear_errors();
    session_.clear_items();
    session_.clear_items_failed();
    session_.clear_ended_at();
  } else {
    session_ = v1::Session();
    session_.set_session_id(DrawSessionId(now, random).ToString());
    session_.set_peer(peer_);
    session_.set_attempt(1);
    *session_.mutable_started_at() = ToTimestamp(now);
  }
  session_.set_trigger(trigger);
  session_.set_outcome(v1::SYNC_OUTCOME_RUNNING);
  session_.set_phase(v1::SYNC_PHASE_CONNECT);
  running_ = true;
  ++begun_;
}

absl::Status SessionLog::Begin(v1::SyncTrigger trigger, absl::Time now, absl::BitGenRef random) {
  BeginWithCommit(trigger, now, random);
  RETURN_IF_ERROR(Store());
  return begun_ % kSessionsBetweenCounts == 0 ? RemoveOldest() : absl::OkStatus();
}

absl::Status SessionLog::Enter(v1::SyncPhase phase) {
  session_.set_phase(phase);
  return Store();
}

absl::Status SessionLog::End(const absl::Status& failure, absl::Time now, CatalogChange change) {
  running_ = false;
  *session_.mutable_ended_at() = ToTimestamp(now);
  if (failure.ok()) {
    session_.set_outcome(session_.items_failed() > 0 ? v1::SYNC_OUTCOME_PARTIAL
                                                     : v1::SYNC_OUTCOME_SUCCEEDED);
  } else {
    session_.set_outcome(ReasonOf(failure) == v1::REASON_CANCELLED ? v1::SYNC_OUTCOME_CANCELLED
                                                                   : v1::SYNC_OUTCOME_FAILED);
    *session_.add_errors() = ToSyncError(failure);
  }
  RETURN_IF_ERROR(Store(std::move(change)));
  return begun_ % kSessionsBetweenCounts == 0 ? RemoveOldest() : absl::OkStatus();
}

void SessionLog::AddItem(absl::string_view item, const absl::Status& status) {
  session_.set_items_failed(session_.items_failed() + 1);
  if (session_.items_size() == kItemsListed) return;
  v1::SyncItem& row = *session_.add_items();
  row.set_item(std::string(item));
  row.mutable_status()->set_code(static_cast<int>(status.code()));
  row.mutable_status()->set_reason(ReasonName(ReasonOf(status)));
  row.mutable_status()->set_message(std::string(status.message()));
}

void SessionLog::Put(CatalogChange& change) const {
  if (!running_) return;
  change.PutRow(Family::kSessions, SessionRowKey(session_.session_id()).value_or(""), session_);
}

absl::Status SessionLog::Store(CatalogChange change) {
  change.PutRow(Family::kSessions, SessionRowKey(session_.session_id()).value_or(""), session_);
  return Annotate(catalog_.Commit(change).status(), "storing the session");
}

}  // namespace sluice
