#include "tests/sim/sim_node.h"

#include <utility>

#include "common/errors.h"
#include "downstream/upstream_check.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

// Several packs a catalog, of a few records each.
constexpr int64_t kLoadPackBytes = 1000;

}  // namespace

SimNode::SimNode(std::string name, std::vector<SimNode*> upstreams, v1::NodeMode mode, Clock& clock,
                 std::mt19937_64& random, std::function<void(SimNode&, const EngineAction&)> act)
    : name_(std::move(name)),
      upstreams_(std::move(upstreams)),
      upstream_(upstreams_.empty() ? nullptr : upstreams_.front()),
      mode_(mode),
      clock_(clock),
      random_(random),
      act_(std::move(act)) {
  const absl::Status created =
      Catalog::Create(store_, anchor_, Uuid::FromName({}, name_), clock_, mode_);
  EXPECT_TRUE(created.ok()) << created;
}

void SimNode::Start() {
  ++incarnation_;
  store_.FailWritesFrom(0);
  anchor_.fail_ = false;
  absl::StatusOr<std::unique_ptr<Catalog>> catalog = Catalog::Open(store_, anchor_);
  if (ReasonOf(catalog.status()) == v1::REASON_STORE_BEHIND_ANCHOR) {
    history_lost_ = true;
    ASSERT_TRUE(Catalog::BeginEpoch(store_, anchor_, clock_).ok());
    catalog = Catalog::Open(store_, anchor_);
  }
  ASSERT_TRUE(catalog.ok()) << name_ << ": " << catalog.status();
  catalog_ = *std::move(catalog);
  server_ = std::make_unique<ReplicationServer>(
      *catalog_, clock_,
      ReplicationServer::Options{.node_name = name_,
                                 .on_report = [this] { report_due_ = true; },
                                 .draw_key =
                                     [this] {
                                       return SipKey{random_(), random_()};
                                     },
                                 .load_pack_bytes = kLoadPackBytes});
  content_server_ = std::make_unique<ContentServer>(content_, *this, clock_);
  answers_.clear();
  wanted_below_.clear();
  report_due_ = false;
  if (upstreams_.empty()) return;
  FollowFirst();
  SyncEngineOptions options;
  options.node = {name_, mode_, "sim"};
  options.peer = upstream_->name_;
  options.schedule.times_a_day = 0;
  options.guard_percent = guard_percent_;
  engine_ = std::make_unique<SyncEngine>(
      options, *catalog_,
      [this](const ContentInfo& file) {
        const auto here = content_.Stat(file.digest);
        return here.ok() && here->size_bytes == file.size_bytes;
      },
      random_);
  Handle(Started{});
}

void SimNode::Kill() {
  ++incarnation_;
  engine_.reset();
  content_server_.reset();
  server_.reset();
  catalog_.reset();
}

void SimNode::Handle(const EngineEvent& event) {
  if (engine_ == nullptr) return;
  std::optional<v1::Session> session;
  for (const EngineAction& action : engine_->Handle(event, clock_.Now())) {
    if (const auto* said = std::get_if<SessionChanged>(&action)) session = said->session;
    if (const auto* changed = std::get_if<ContentChanged>(&action)) {
      const auto digest = Digest::FromBytes(changed->answer.digest());
      if (digest.ok()) answers_[*digest] = changed->answer;
    }
    act_(*this, action);
  }
  const absl::Time now = clock_.Now();
  UpstreamChoice::Verdict verdict = UpstreamChoice::Verdict::kStay;
  if (session.has_value() && session->peer() == upstream_->name_) {
    verdict = choice_->Saw(*session, now);
  }
  if (engine_->watching()) choice_->Succeeded(now);
  if (watched_ && !engine_->watching() && !engine_->session_running()) choice_->Broke(now);
  watched_ = engine_->watching();
  Switch(verdict, "it failed");
}

void SimNode::FollowFirst() {
  upstream_ = upstreams_.front();
  watched_ = false;
  // So that the quiet time is long enough to return.
  choice_ = std::make_unique<UpstreamChoice>(
      upstreams_.size(), UpstreamChoice::Options{.answers_needed_max = 4}, random_);
}

void SimNode::Repoint(std::vector<SimNode*> upstreams) {
  on_switch_(*this);
  upstreams_ = std::move(upstreams);
  FollowFirst();
  ever_switched_ = true;
  Handle(UpstreamSwitched{upstream_->name_, "an operator said so", /*at_once=*/true});
}

void SimNode::Switch(UpstreamChoice::Verdict verdict, const std::string& why) {
  if (verdict == UpstreamChoice::Verdict::kStay) return;
  on_switch_(*this);
  upstream_ = upstreams_[choice_->current()];
  watched_ = false;
  ever_switched_ = true;
  Handle(UpstreamSwitched{upstream_->name_, why, verdict == UpstreamChoice::Verdict::kSwitch});
}

absl::Time SimNode::choice_due() const {
  return engine_ == nullptr ? absl::InfiniteFuture() : choice_->next_due();
}

void SimNode::Choose(const std::function<bool(SimNode&)>& reachable) {
  const absl::Time now = clock_.Now();
  if (choice_due() > now) return;
  const UpstreamChoice::Verdict verdict = choice_->Tick(now);
  if (verdict != UpstreamChoice::Verdict::kStay) return Switch(verdict, "no connection");
  for (const size_t probed : choice_->TakeProbes(now)) {
    SimNode& upstream = *upstreams_[probed];
    absl::Status answer = absl::UnavailableError("the sim says so");
    if (reachable(upstream)) {
      const absl::StatusOr<v1::HelloResponse> hello =
          upstream.server_->Hello(*engine_->MakeHello());
      answer = hello.ok() ? CheckUpstream(*hello, catalog_->node_id()) : hello.status();
    }
    Switch(choice_->ProbeAnswered(probed, answer, now), "it answers again");
  }
}

void SimNode::Poll() {
  if (engine_ == nullptr) return;
  while (!wanted_below_.empty()) {
    const Digest digest = wanted_below_.front();
    wanted_below_.pop_front();
    Handle(ContentWanted{digest});
  }
  if (std::exchange(report_due_, false)) Handle(ReportDue{});
}

bool SimNode::ReleaseHeld() {
  if (engine_ == nullptr) return false;
  const absl::StatusOr<std::optional<v1::HeldRemoval>> held = ReadHeldRemoval(catalog_->Read());
  if (!held.ok() || !held->has_value()) return false;
  CatalogChange change;
  EXPECT_TRUE(ReleaseHeldRemoval(catalog_->Read(), (*held)->removal_id(), change).ok());
  if (catalog_->Commit(change).ok()) Handle(SyncRequested{v1::SYNC_TRIGGER_OPERATOR});
  return true;
}

bool SimNode::CanGive(const Digest& digest) {
  // Nobody can tell.
  if (!up() || content_.Stat(digest).ok()) return true;
  const absl::StatusOr<std::vector<RecordKey>> uses = catalog_->Read().FileUses(digest);
  return upstream_ != nullptr && uses.ok() && !uses->empty() && upstream_->CanGive(digest);
}

v1::ContentAnswer SimNode::Want(const Digest& digest) {
  v1::ContentAnswer answer;
  answer.set_digest(digest.bytes());
  if (content_.Stat(digest).ok()) {
    answer.set_state(v1::CONTENT_STATE_READY);
    return answer;
  }
  if (upstream_ == nullptr) {
    // As a real root says of a file that no source offers.
    answer.set_state(v1::CONTENT_STATE_FAILED);
    answer.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
    answer.mutable_status()->set_reason(ReasonName(v1::REASON_CONTENT_SOURCE_GONE));
    return answer;
  }
  const auto known = answers_.find(digest);
  const bool open = known != answers_.end() && known->second.state() != v1::CONTENT_STATE_READY &&
                    known->second.state() != v1::CONTENT_STATE_NOT_WANTED;
  if (open) return known->second;
  wanted_below_.push_back(digest);
  answer.set_state(v1::CONTENT_STATE_QUEUED);
  return answer;
}

}  // namespace sluice
