// The sync engine's way for a node that has nothing yet: the upstream's catalog in one piece, then
// the tail.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/sync_engine.h"

namespace sluice {
namespace {

// After so many that broke off, the log is followed instead: it goes on where it was cut.
constexpr int kLoadsBrokenMax = 3;

}  // namespace

// False: this node is not for a load.
bool SyncEngine::BeginLoad() {
  if (loads_broken_ >= kLoadsBrokenMax) return false;
  absl::StatusOr<std::unique_ptr<InitialLoad>> load =
      InitialLoad::Begin(catalog_, sessions_, options_.load_pool);
  if (absl::IsFailedPrecondition(load.status()) &&
      ReasonOf(load.status()) == v1::REASON_UNSPECIFIED) {
    return false;
  }
  if (!Check(load.status())) return true;
  load_ = *std::move(load);
  Enter(v1::SYNC_PHASE_CATALOG);
  state_ = State::kLoad;
  load_call_ = NextCall();
  v1::LoadRequest request;
  request.set_node_id(catalog_.node_id().bytes());
  *request.mutable_subscription() = subscription_;
  request.set_mode(options_.node.mode);
  Do(OpenLoad{load_call_, std::move(request)});
  return true;
}

void SyncEngine::On(LoadReceived& event) {
  if (event.call != load_call_ || state_ != State::kLoad) return;
  const absl::StatusOr<bool> done = load_->Take(std::move(event.response), cursor_);
  if (done.ok()) {
    if (*done) return FinishLoad();
    return Announce();
  }
  if (IsUnloadable(done.status())) return GiveUpLoad(done.status());
  if (ReasonOf(done.status()) == v1::REASON_EPOCH_CHANGED) {
    ++loads_broken_;
    CloseCalls();
    return Greet();
  }
  Fail(Annotate(done.status(), "loading the upstream's catalog"));
}

void SyncEngine::On(const LoadEnded& event) {
  if (event.call != load_call_ || state_ != State::kLoad) return;
  load_call_ = 0;
  // A build from before there were loads.
  if (absl::IsUnimplemented(event.status)) return GiveUpLoad(absl::OkStatus());
  if (load_->begun()) ++loads_broken_;
  const absl::Status status =
      event.status.ok() ? absl::UnavailableError("the stream ended early") : event.status;
  Fail(Annotate(status, "loading the upstream's catalog"));
}

void SyncEngine::GiveUpLoad(const absl::Status& why) {
  loads_broken_ = kLoadsBrokenMax;
  CloseCalls();
  if (!why.ok()) {
    absl::StrAppend(sessions_.session().mutable_summary(),
                    "records are taken one by one because of the load: ", why.message(), "; ");
  }
  BeginTail();
}

void SyncEngine::FinishLoad() {
  absl::StrAppend(sessions_.session().mutable_summary(), "loaded ", load_->records(),
                  " records in one piece; ");
  CloseCalls();
  report_due_ = true;
  // Categories have come; and all that decides which files are wanted.
  if (!Check(Expand()) || !Check(wants_.RecomputeAll(*selection_, now_))) return;
  BeginTail();
}

}  // namespace sluice
