#include "storage/catalog.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/release.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/catalog_commit.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

absl::StatusOr<stored::v1::StoreState> ReadState(const OrderedStore& store) {
  absl::StatusOr<stored::v1::StoreState> state = CatalogReader(store.View()).State();
  if (absl::IsNotFound(state.status())) {
    return absl::NotFoundError("the store is empty; init makes one");
  }
  return state;
}

absl::Status CheckFormat(const stored::v1::StoreState& state) {
  if (state.format() <= kStoreFormat) return absl::OkStatus();
  return MakeError(
      v1::REASON_STORE_TOO_NEW,
      absl::StrCat("the store has format ", state.format(), ", written by release ",
                   state.written_by().empty() ? "?" : state.written_by(), "; this is release ",
                   Release(), ", which knows formats up to ", kStoreFormat));
}

AnchorState AnchorOf(const stored::v1::StoreState& state) {
  AnchorState anchor;
  anchor.epoch_id = Uuid::FromBytes(state.epoch().epoch_id()).value_or(Uuid());
  anchor.epoch_counter = state.epoch().counter();
  anchor.head_seq = state.head_seq();
  anchor.commits = state.commits();
  anchor.running_hash = Digest::FromBytes(state.running_hash()).value_or(Digest());
  return anchor;
}

// Draws an epoch whose counter is larger than any before.
void DrawEpoch(Clock& clock, uint64_t counter_before, stored::v1::StoreState& state) {
  const auto seconds =
      static_cast<uint64_t>(std::max<int64_t>(absl::ToUnixSeconds(clock.Now()), 1));
  state.mutable_epoch()->set_epoch_id(Uuid::Random().bytes());
  state.mutable_epoch()->set_counter(std::max(seconds, counter_before + 1));
  state.set_origin_version(0);
  state.set_commits(1);
  state.set_running_hash(Digest().bytes());
}

absl::Status WriteState(OrderedStore& store, Anchor& anchor, const stored::v1::StoreState& state) {
  WriteSet first;
  first.Put(Family::kState, kStateKey, state.SerializeAsString());
  RETURN_IF_ERROR(store.Write(first));
  return anchor.Write(AnchorOf(state));
}

absl::Status BehindAnchor(const AnchorState& store, const AnchorState& anchor) {
  return MakeError(v1::REASON_STORE_BEHIND_ANCHOR,
                   absl::StrCat("the store is at commit ", store.commits, " (seq ", store.head_seq,
                                ") of epoch ", store.epoch_id.ToString(), ", the anchor at commit ",
                                anchor.commits, " (seq ", anchor.head_seq, ") of epoch ",
                                anchor.epoch_id.ToString()));
}

// The store may be exactly one commit ahead: that is a crash between the two writes, and loses
// nothing.
absl::Status CompareWithAnchor(const AnchorState& store, const AnchorState& anchor) {
  if (store == anchor) return absl::OkStatus();
  const bool one_ahead = store.epoch_id == anchor.epoch_id && store.commits == anchor.commits + 1 &&
                         store.head_seq >= anchor.head_seq;
  const bool new_epoch = store.epoch_counter > anchor.epoch_counter && store.commits == 1;
  return one_ahead || new_epoch ? absl::OkStatus() : BehindAnchor(store, anchor);
}

}  // namespace

absl::Status Catalog::Create(OrderedStore& store, Anchor& anchor, const Uuid& node_id, Clock& clock,
                             v1::NodeMode mode) {
  const absl::StatusOr<stored::v1::StoreState> present = ReadState(store);
  if (present.ok()) return absl::AlreadyExistsError("the store already belongs to a node");
  if (!absl::IsNotFound(present.status())) return present.status();
  stored::v1::StoreState state;
  state.set_node_id(node_id.bytes());
  state.set_mode(mode);
  state.set_format(kStoreFormat);
  state.set_written_by(std::string(Release()));
  *state.mutable_created_at() =
      google::protobuf::util::TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(clock.Now()));
  DrawEpoch(clock, 0, state);
  return WriteState(store, anchor, state);
}

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Open(OrderedStore& store, Anchor& anchor) {
  ASSIGN_OR_RETURN(stored::v1::StoreState state, ReadState(store));
  RETURN_IF_ERROR(CheckFormat(state));
  state.set_written_by(std::string(Release()));
  ASSIGN_OR_RETURN(const std::optional<AnchorState> witness, anchor.Read());
  if (!witness.has_value()) {
    return MakeError(v1::REASON_STORE_BEHIND_ANCHOR, "the store has no anchor");
  }
  const AnchorState here = AnchorOf(state);
  RETURN_IF_ERROR(CompareWithAnchor(here, *witness));
  if (!(here == *witness)) RETURN_IF_ERROR(anchor.Write(here));
  return std::unique_ptr<Catalog>(new Catalog(store, anchor, std::move(state)));
}

absl::Status Catalog::BeginEpoch(OrderedStore& store, Anchor& anchor, Clock& clock,
                                 v1::NodeMode mode) {
  ASSIGN_OR_RETURN(stored::v1::StoreState state, ReadState(store));
  RETURN_IF_ERROR(CheckFormat(state));
  if (mode != v1::NODE_MODE_UNSPECIFIED) state.set_mode(mode);
  uint64_t counter = state.epoch().counter();
  const absl::StatusOr<std::optional<AnchorState>> witness = anchor.Read();
  if (witness.ok() && witness->has_value()) counter = std::max(counter, (*witness)->epoch_counter);
  DrawEpoch(clock, counter, state);
  return WriteState(store, anchor, state);
}

Catalog::Catalog(OrderedStore& store, Anchor& anchor, stored::v1::StoreState state)
    : store_(store),
      anchor_(anchor),
      node_id_(Uuid::FromBytes(state.node_id()).value_or(Uuid())),
      epoch_(state.epoch()),
      mode_(state.mode()),
      state_(std::move(state)),
      durable_head_(state_.head_seq()) {}

CatalogReader Catalog::Read() const { return CatalogReader(store_.View()); }

absl::Status Catalog::WriteFailure() const {
  MutexLock lock(mutex_);
  return poisoned_;
}

absl::Status Catalog::Poison(const absl::Status& why) {
  MutexLock lock(mutex_);
  poisoned_ = why;
  return why;
}

uint64_t Catalog::durable_head() const {
  MutexLock lock(mutex_);
  return durable_head_;
}

absl::StatusOr<CommitOutcome> Catalog::Commit(const CatalogChange& change) {
  absl::StatusOr<CommitOutcome> outcome;
  {
    MutexLock commit_lock(commit_mutex_);
    outcome = Write(change);
  }
  if (outcome.ok()) Announce(*outcome);
  return outcome;
}

absl::StatusOr<CommitOutcome> Catalog::CommitMade(
    const std::function<absl::StatusOr<CatalogChange>(const CatalogReader&)>& make) {
  absl::StatusOr<CommitOutcome> outcome;
  {
    MutexLock commit_lock(commit_mutex_);
    ASSIGN_OR_RETURN(const CatalogChange change, make(Read()));
    outcome = Write(change);
  }
  if (outcome.ok()) Announce(*outcome);
  return outcome;
}

absl::StatusOr<CommitOutcome> Catalog::Write(const CatalogChange& change) {
  RETURN_IF_ERROR(WriteFailure());
  CatalogCommit commit(store_.View(), state_, change.frees_files());
  for (const CatalogChange::Op& op : change.ops()) RETURN_IF_ERROR(commit.Apply(op));
  ASSIGN_OR_RETURN(const WriteSet writes, commit.Finish(change));
  CommitOutcome outcome = commit.outcome();
  outcome.head_seq = commit.state().head_seq();
  if (writes.empty()) return outcome;
  RETURN_IF_ERROR(WriteCommit([&] { return store_.Write(writes); }, commit.state(), outcome,
                              commit.ShardSteps()));
  return outcome;
}

absl::Status Catalog::WriteCommit(const std::function<absl::Status()>& write,
                                  stored::v1::StoreState next, CommitOutcome& outcome,
                                  std::optional<std::vector<ShardStep>> steps) {
  const absl::Time began = absl::Now();
  commit_began_nanos_ = absl::ToUnixNanos(began);
  const absl::Cleanup ended = [this] { commit_began_nanos_ = 0; };
  const absl::Status written = Annotate(write(), "writing a commit");
  if (ReasonOf(written) == v1::REASON_STORE_WRITE_FAILED) return Poison(written);
  RETURN_IF_ERROR(written);
  if (steps.has_value()) {
    shard_steps_.Note(state_.head_seq(), next.head_seq(), *std::move(steps));
  }
  state_ = std::move(next);
  const absl::Status anchored = Annotate(anchor_.Write(AnchorOf(state_)), "writing the anchor");
  if (!anchored.ok()) return Poison(anchored);
  outcome.took = absl::Now() - began;
  return absl::OkStatus();
}

void Catalog::Announce(const CommitOutcome& outcome) {
  {
    MutexLock lock(mutex_);
    durable_head_ = std::max(durable_head_, outcome.head_seq);
  }
  MutexLock lock(watch_mutex_);
  for (const auto& [handle, wake] : watches_) wake(outcome);
}

absl::Duration Catalog::CommitRunningFor() const {
  const int64_t began = commit_began_nanos_;
  return began == 0 ? absl::ZeroDuration() : absl::Now() - absl::FromUnixNanos(began);
}

int64_t Catalog::Watch(std::function<void(const CommitOutcome&)> wake) {
  MutexLock lock(watch_mutex_);
  const int64_t handle = next_watch_++;
  watches_.emplace(handle, std::move(wake));
  return handle;
}

void Catalog::Unwatch(int64_t handle) {
  MutexLock lock(watch_mutex_);
  watches_.erase(handle);
}

}  // namespace sluice
