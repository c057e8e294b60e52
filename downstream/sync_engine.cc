#include "downstream/sync_engine.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/acknowledgements.h"
#include "storage/own_acknowledgements.h"

namespace sluice {
namespace {

// More are not wanted by themselves when an update comes that names them.
constexpr size_t kRefusedMax = 10'000;
constexpr absl::Duration kReconnectBase = absl::Seconds(1);
constexpr absl::Duration kReconnectMax = absl::Minutes(2);
constexpr absl::Duration kReportSpacing = absl::Milliseconds(200);
constexpr absl::Duration kReportRetry = absl::Seconds(30);
constexpr absl::Duration kRequestWait = absl::Seconds(20);

}  // namespace

SyncEngine::SyncEngine(SyncEngineOptions options, Catalog& catalog,
                       std::function<bool(const ContentInfo&)> present, absl::BitGenRef random)
    : options_(std::move(options)),
      catalog_(catalog),
      random_(random),
      sessions_(catalog, options_.peer),
      applier_(catalog, sessions_),
      guard_(catalog, options_.guard_percent),
      leases_(catalog, options_.node.mode),
      sums_(catalog),
      wants_(catalog, std::move(present), options_.parallel_transfers),
      outbox_(catalog) {}

std::vector<EngineAction> SyncEngine::Handle(EngineEvent event, absl::Time now) {
  now_ = now;
  actions_.clear();
  std::visit([this](auto& happened) { On(happened); }, event);
  PumpContent();
  EndIfSettled();
  PumpFreed();
  PumpAcknowledgements();
  PumpReport();
  SetNextTimer();
  return std::exchange(actions_, {});
}

bool SyncEngine::Check(const absl::Status& status) {
  if (status.ok()) return true;
  Fail(status);
  return false;
}

// ---- Sessions.

void SyncEngine::On(const Started&) {
  CatalogChange former;
  if (!Check(ForgetFormerHistoryHere(catalog_.Read(), former))) return;
  if (!former.empty() && !Check(catalog_.Commit(former).status())) return;
  if (!Check(sessions_.CloseInterrupted(now_)) || !Check(Expand())) return;
  const absl::StatusOr<v1::NodeStatus> in_step =
      catalog_.Read().GetRow<v1::NodeStatus>(Family::kSettings, kInStepSetting);
  if (in_step.ok()) in_step_ = *in_step;
  if (!Check(wants_.RecomputeAll(*selection_, now_))) return;
  Begin(v1::SYNC_TRIGGER_START);
}

void SyncEngine::On(const TimerFired&) {
  timer_ = absl::InfiniteFuture();
  if (approaching_ && approach_again_ <= now_ && watching()) {
    if (changes_call_ != 0) Do(CloseChanges{changes_call_});
    AskForMark();
  }
  if (next_sync_ > now_) return;
  if (!sessions_.running()) return Begin(next_trigger_);
  // A session that came over the watch still waits for its files.
  again_ = next_trigger_;
  next_sync_ = absl::InfiniteFuture();
}

void SyncEngine::On(const SyncRequested& event) {
  if (sessions_.running()) {
    again_ = event.trigger;
  } else {
    Begin(event.trigger);
  }
}

void SyncEngine::On(const SyncCancelled&) {
  again_.reset();
  if (sessions_.running()) Fail(MakeError(v1::REASON_CANCELLED, "cancelled by an operator"));
}

void SyncEngine::Begin(v1::SyncTrigger trigger) {
  CloseCalls();
  next_sync_ = absl::InfiniteFuture();
  compared_ = false;
  catalog_done_ = false;
  greetings_ = 0;
  pick_rounds_ = 0;
  if (!Check(StoreInStep()) || !Check(sessions_.Begin(trigger, now_, random_))) return;
  if (!Check(Expand())) return;
  if (!switched_why_.empty()) {
    sessions_.session().set_summary(std::exchange(switched_why_, ""));
  }
  Greet();
}

void SyncEngine::Greet() {
  ++greetings_;
  approaching_ = false;
  const absl::StatusOr<v1::HelloRequest> hello = MakeHello();
  if (!Check(hello.status())) return;
  Enter(v1::SYNC_PHASE_HELLO);
  state_ = State::kHello;
  hello_call_ = NextCall();
  Do(CallHello{hello_call_, *hello});
}

void SyncEngine::Fail(const absl::Status& status) {
  CloseCalls();
  state_ = State::kIdle;
  if (sessions_.running()) {
    // If even this cannot be stored, the next session finds the row and closes it.
    sessions_.End(status, now_).IgnoreError();
    Announce();
  }
  PlanNext(status);
}

// The catalog is as the upstream has it; what is left is content, which goes on by itself.
void SyncEngine::CatalogDone() {
  catalog_done_ = true;
  failures_ = 0;
  // Without files to wait for it ends at once, and that is stored.
  if (!wants_.settled()) Enter(v1::SYNC_PHASE_CONTENT);
}

void SyncEngine::EndIfSettled() {
  CatalogChange along = std::exchange(at_end_, CatalogChange());
  if (!sessions_.running() || !catalog_done_ || !wants_.settled()) {
    if (!along.empty()) Check(catalog_.Commit(along).status());
    return;
  }
  catalog_done_ = false;
  sessions_.session().set_phase(v1::SYNC_PHASE_REPORT);
  const bool nothing_new = sessions_.session().method() == v1::SYNC_METHOD_NONE;
  if (!nothing_new || !KnownAbove()) report_due_ = true;
  if (!Check(sessions_.End(absl::OkStatus(), now_, std::move(along)))) return;
  Announce();
  compared_ = false;
  const bool watch_broke = options_.watch && state_ == State::kIdle;
  PlanNext(watch_broke ? absl::UnavailableError("the watch broke") : absl::OkStatus());
}

void SyncEngine::PlanNext(const absl::Status& outcome) {
  if (again_.has_value()) {
    const v1::SyncTrigger trigger = *std::exchange(again_, std::nullopt);
    next_sync_ = now_;
    next_trigger_ = trigger;
    return;
  }
  next_sync_ = NextScheduled(now_, options_.schedule, random_);
  next_trigger_ = v1::SYNC_TRIGGER_SCHEDULE;
  if (outcome.ok() || ReasonOf(outcome) == v1::REASON_CANCELLED) return;
  if (ReasonOf(outcome) == v1::REASON_GUARD_HELD) {
    // What is added above comes all the same.
    failures_ = 0;
    next_sync_ = std::min(next_sync_, now_ + options_.schedule.retry_interval);
    return;
  }
  ++failures_;
  absl::Time retry = absl::InfiniteFuture();
  if (options_.watch) {
    const absl::Duration wait = std::max(
        Backoff(failures_ + 1, kReconnectBase, kReconnectMax, random_), RetryDelayOf(outcome));
    retry = now_ + wait;
  } else if (IsRetryable(outcome) && failures_ <= options_.schedule.retries) {
    retry = now_ + options_.schedule.retry_interval;
  } else {
    failures_ = 0;
  }
  if (retry < next_sync_) {
    next_sync_ = retry;
    next_trigger_ = v1::SYNC_TRIGGER_RETRY;
  }
}

void SyncEngine::Enter(v1::SyncPhase phase) {
  if (!sessions_.running()) return;
  sessions_.Enter(phase).IgnoreError();  // The next commit of the session meets the same failure.
  Announce();
}

void SyncEngine::Announce() {
  const int64_t wanted = wants_.wanted();
  Do(SessionChanged{sessions_.session(), wanted, wanted - wants_.missing()});
}

// ---- Content.

void SyncEngine::PumpContent() {
  if (!selection_.has_value()) return;
  const std::vector<RecordKey> touched = applier_.TakeChanged();
  if (!touched.empty()) {
    if (!Check(wants_.Recompute(*selection_, touched, now_))) return;
    report_due_ = true;
    categories_changed_ |= std::any_of(touched.begin(), touched.end(), [](const RecordKey& key) {
      return key.kind == v1::RECORD_KIND_CATEGORY;
    });
  }
  if (!Check(WantRefused())) return;
  for (const Digest& file : wants_.TakeDropped()) {
    v1::ContentAnswer answer;
    answer.set_digest(file.bytes());
    answer.set_state(v1::CONTENT_STATE_NOT_WANTED);
    Do(ContentChanged{std::move(answer)});
  }
  if (!wants_.TakeLapsed(now_).empty()) report_due_ = true;
  for (const ContentInfo& file : wants_.TakeFetches(now_)) Do(FetchFile{file});
  if (request_call_ != 0) return;
  const std::vector<Digest> requests = wants_.TakeRequests(now_);
  if (requests.empty()) return;
  v1::RequestRequest request;
  for (const Digest& digest : requests) request.add_digests(digest.bytes());
  *request.mutable_max_wait() = google::protobuf::util::TimeUtil::MillisecondsToDuration(
      absl::ToInt64Milliseconds(kRequestWait));
  request_call_ = NextCall();
  Do(CallRequestContent{request_call_, std::move(request)});
}

void SyncEngine::On(const FileFetched& event) {
  const v1::ContentAnswer answer = wants_.Fetched(event.digest, event.status, now_, random_);
  if (sessions_.running()) {
    v1::SyncCounts& counts = *sessions_.session().mutable_counts();
    counts.set_file_bytes(counts.file_bytes() + event.wire_bytes);
    if (event.status.ok()) counts.set_files(counts.files() + 1);
    if (answer.state() == v1::CONTENT_STATE_FAILED) {
      sessions_.AddItem(absl::StrCat("file ", event.digest.ToHex()), event.status);
    }
    Announce();
  }
  RememberContent(answer);
  if (event.status.ok()) Check(NoteUnnamed(event.digest));
}

void SyncEngine::On(const ContentAnswered& event) {
  if (event.call != request_call_) return;
  request_call_ = 0;
  if (!event.response.ok()) {
    wants_.RequestFailed(now_ + Backoff(2, kReconnectBase * 2, kReconnectMax, random_));
    return;
  }
  for (const v1::ContentAnswer& answer : event.response->answers()) {
    const v1::ContentAnswer ours = wants_.Answered(answer, now_, random_);
    if (ours.state() == v1::CONTENT_STATE_FAILED) RememberContent(ours);
  }
  wants_.RequestFailed(now_ + kReportSpacing);  // Those that the answer passed over in silence.
}

void SyncEngine::On(const ContentWanted& event) {
  const absl::Status status = wants_.WantForBelow(event.digest, now_);
  if (!status.ok() && refused_.size() < kRefusedMax) refused_.insert(event.digest);
  v1::ContentAnswer answer;
  answer.set_digest(event.digest.bytes());
  answer.set_state(status.ok() ? wants_.StateOf(event.digest) : v1::CONTENT_STATE_FAILED);
  answer.mutable_status()->set_code(static_cast<int>(status.code()));
  answer.mutable_status()->set_reason(ReasonName(ReasonOf(status)));
  answer.mutable_status()->set_message(std::string(status.message()));
  Do(ContentChanged{std::move(answer)});
}

// A node below can know of an update before this one, and is told a first time that none names the
// file.
absl::Status SyncEngine::WantRefused() {
  if (refused_.empty()) return absl::OkStatus();
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  if (std::exchange(refused_head_, state.head_seq()) == state.head_seq()) return absl::OkStatus();
  for (const Digest& file : std::set<Digest>(refused_)) {
    ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, reader.FileUses(file));
    if (uses.empty()) continue;
    refused_.erase(file);
    On(ContentWanted{file});
  }
  return absl::OkStatus();
}

void SyncEngine::On(const ContentLost& event) {
  wants_.Lost(event.digest, now_);
  report_due_ = true;
}

// Stores what an operator should see of a file; nothing once it is here, and nothing new when it
// fails again as before: that would be a synced write, and a report by every node up to the root,
// each few minutes for as long as nobody has the file.
void SyncEngine::RememberContent(const v1::ContentAnswer& answer) {
  Do(ContentChanged{answer});
  CatalogChange change;
  if (answer.state() == v1::CONTENT_STATE_READY) {
    change.DeleteRow(Family::kContent, answer.digest());
  } else {
    const absl::StatusOr<stored::v1::ContentRow> known =
        catalog_.Read().GetRow<stored::v1::ContentRow>(Family::kContent, answer.digest());
    if (known.ok() && known->state() == answer.state() &&
        known->last_failure().SerializeAsString() == answer.status().SerializeAsString()) {
      return;
    }
    stored::v1::ContentRow row;
    row.set_state(answer.state());
    *row.mutable_last_failure() = answer.status();
    *row.mutable_changed_at() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now_));
    change.PutRow(Family::kContent, answer.digest(), row);
  }
  Check(catalog_.Commit(change).status());
  report_due_ = true;
}

// ---- Reports.

void SyncEngine::On(const ReportDue&) { report_due_ = true; }

void SyncEngine::On(const RecordsChanged& event) { applier_.NoteChanged(event.keys); }

void SyncEngine::On(const ReportAnswered& event) {
  if (event.call != report_call_) return;
  report_call_ = 0;
  leases_.Answered(event.status.ok());
  told_.Answered(event.status.ok());
  if (event.status.ok() && Check(outbox_.Delivered())) report_due_ |= outbox_.more();
  if (!IsRetryable(event.status)) return;
  // Nothing else may change here for a long time, and the upstream would go on showing old counts.
  report_due_ = true;
  report_not_before_ = now_ + kReportRetry;
}

void SyncEngine::LetChangesPass() {
  // What waits already is not put off again.
  const absl::Time later = now_ + kReportSpacing;
  if (!wants_.touched()) acknowledge_not_before_ = std::max(acknowledge_not_before_, later);
  if (!report_due_) report_not_before_ = std::max(report_not_before_, later);
}

// Says how far decided updates have come; not for every file anew.
void SyncEngine::PumpAcknowledgements() {
  if (!selection_.has_value() || !wants_.touched() || now_ < acknowledge_not_before_) return;
  acknowledge_not_before_ = now_ + kReportSpacing;
  TouchedUpdates touched = wants_.TakeTouched();
  const absl::StatusOr<bool> news = AcknowledgeTouched(
      catalog_, touched, *selection_,
      [this](const ContentInfo& file) {
        return wants_.StateOf(file.digest) == v1::CONTENT_STATE_READY;
      },
      now_);
  if (!news.ok()) wants_.PutBack(std::move(touched));
  if (Check(news.status())) report_due_ |= *news;
}

// Nothing is reported to an upstream that could not be reached lately.
bool SyncEngine::CanReport() const {
  return report_due_ && report_call_ == 0 && failures_ == 0 && state_ != State::kHello;
}

bool SyncEngine::KnownAbove() const {
  const auto report = MakeReport(catalog_.Read(), options_.node, wants_, now_);
  return report.ok() && told_.Knows(*report, now_);
}

void SyncEngine::PumpReport() {
  report_due_ |= leases_.renew_at() <= now_;
  if (!CanReport() || now_ < report_not_before_) return;
  const CatalogReader reader = catalog_.Read();
  absl::StatusOr<v1::ReportRequest> report = MakeReport(reader, options_.node, wants_, now_);
  const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(reader);
  if (!report.ok() || !above.ok() || !outbox_.Fill(reader, *above, *report).ok()) return;
  // Should it fail, the report goes without: the lease before has half of its time left.
  leases_.Fill(wants_, now_, *report).IgnoreError();
  report_due_ = leases_.more();
  report_not_before_ = now_ + kReportSpacing;
  report_call_ = NextCall();
  told_.Sending(*report, now_);
  Do(CallReport{report_call_, *report});
}

void SyncEngine::SetNextTimer() {
  absl::Time next = std::min(next_sync_, wants_.next_due());
  // One that is overdue goes with the next report that there is.
  if (leases_.renew_at() > now_) next = std::min(next, leases_.renew_at());
  if (wants_.touched()) next = std::min(next, acknowledge_not_before_);
  if (CanReport()) next = std::min(next, report_not_before_);
  if (approaching_) next = std::min(next, approach_again_);
  if (next == timer_) return;
  timer_ = next;
  Do(SetTimer{next});
}

}  // namespace sluice
