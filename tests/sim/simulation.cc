#include "tests/sim/simulation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/file_release.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int kSteps = 60;
constexpr absl::Duration kStepMax = absl::Seconds(20);
constexpr absl::Duration kQuiet = absl::Hours(3);
constexpr absl::Duration kStillQuiet = absl::Minutes(10);
// What only a kept revision names can be had from nobody, until something above names it again,
// perhaps outside of the node's selection. So a node goes on asking, each 2.5 to 5 minutes.
constexpr int kAsksInVainMax = 5;
constexpr int kEventsMax = 400'000;
constexpr std::array<int, 3> kGuardPercents = {20, 50, 100};
// A node below may hold what the one above it just let happen.
constexpr int kReleasesMax = 20;

}  // namespace

Simulation::Simulation(uint64_t seed)
    : seed_(seed), random_(seed), clock_(absl::FromUnixSeconds(1'700'000'000)) {
  const int count = 3 + Pick(4);
  for (int i = 0; i < count; ++i) {
    const std::vector<SimNode*> upstreams = PickUpstreams(i);
    const v1::NodeMode below = Pick(4) == 0 ? v1::NODE_MODE_AUTONOMOUS : v1::NODE_MODE_REPLICA;
    nodes_.push_back(std::make_unique<SimNode>(
        absl::StrCat("node", i), upstreams, i == 0 ? v1::NODE_MODE_ROOT : below, clock_, random_,
        [this](SimNode& node, const EngineAction& action) { Act(node, action); }));
    nodes_.back()->guard_percent_ = kGuardPercents[static_cast<size_t>(Pick(3))];
    nodes_.back()->on_switch_ = [this](SimNode& node) { CloseLinks(node); };
  }
  for (const auto& node : nodes_) node->Start();
  edits_ = std::make_unique<SimEdits>(*nodes_.front(), random_);
}

Simulation::~Simulation() = default;

absl::Status Simulation::Run() {
  for (int step = 0; step < kSteps; ++step) {
    for (int edits = Pick(4); edits > 0; --edits) Edit();
    if (Chance() < 0.5) Fault();
    RunUntil(clock_.Now() + kStepMax * Chance());
  }
  faulty_ = false;
  for (const auto& node : nodes_) Restart(*node);
  RunUntil(clock_.Now() + kQuiet);
  RETURN_IF_ERROR(ReleaseAllHeld());
  const int64_t calls = calls_;
  asked_in_vain_.clear();
  RunUntil(clock_.Now() + kStillQuiet);
  if (calls_ != calls) return absl::InternalError("a quiet tree makes calls");
  for (const auto& [file, asks] : asked_in_vain_) {
    if (asks > kAsksInVainMax) return absl::InternalError("a quiet tree asks in vain too often");
  }
  return Check();
}

absl::Status Simulation::ReleaseAllHeld() {
  for (int round = 0; round < kReleasesMax; ++round) {
    bool held = false;
    for (const auto& node : nodes_) held |= node->ReleaseHeld();
    if (!held) return absl::OkStatus();
    RunUntil(clock_.Now() + kQuiet);
  }
  return absl::InternalError("the guards never come to rest");
}

// ---- Time.

void Simulation::At(absl::Time at, std::function<void()> run) {
  events_.push({std::max(at, clock_.Now()), ++order_, std::move(run)});
}

void Simulation::RunUntil(absl::Time end) {
  int events = 0;
  while (!events_.empty() && events_.top().at <= end && ++events < kEventsMax) {
    const std::function<void()> run = events_.top().run;
    clock_.Set(events_.top().at);
    events_.pop();
    run();
    Settle();
  }
  clock_.Set(end);
}

// After each event: those whose write failed die, those who wait are looked at.
void Simulation::Settle() {
  for (const auto& node : nodes_) {
    if (node->up() && node->hit()) {
      node->Kill();
      SimNode* const dead = node.get();
      At(clock_.Now() + absl::Seconds(1 + Pick(30)), [this, dead] {
        if (!dead->up()) Restart(*dead);
      });
    }
    node->Poll();
    node->Choose([this](SimNode& upstream) {
      const bool lost = faulty_ && Chance() < 0.1;
      return upstream.up() && !lost;
    });
    const absl::Time due = node->choice_due();
    if (due == absl::InfiniteFuture() || choice_due_[node.get()] == due) continue;
    choice_due_[node.get()] = due;
    At(due, [] {});  // So that somebody looks at it then.
  }
  PollWaiting();
}

void Simulation::CloseLinks(const SimNode& node) {
  for (auto& [upstream, links] : feeds_) {
    for (const auto& link : links) {
      if (link->child == &node) link->closed = true;
    }
  }
}

absl::Duration Simulation::Delay() {
  const bool slow = faulty_ && Chance() < 0.05;
  return absl::Milliseconds(1 + Pick(slow ? 5000 : 50));
}

// ---- The network.

std::shared_ptr<Simulation::Link> Simulation::MakeLink(SimNode& node, CallNumber call) {
  auto link = std::make_shared<Link>();
  link->child = &node;
  link->child_incarnation = node.incarnation_;
  link->upstream = node.upstream_;
  link->upstream_incarnation = node.upstream_->incarnation_;
  link->call = call;
  link->last_delivery = clock_.Now();
  ++calls_;
  return link;
}

bool Simulation::Alive(const Link& link) const {
  return !link.closed && link.child->up() && link.child->incarnation_ == link.child_incarnation;
}

// Messages of a link arrive late, in their order, and not at all when a fault says so.
void Simulation::Deliver(const std::shared_ptr<Link>& link, EngineEvent event) {
  link->last_delivery = std::max(link->last_delivery, clock_.Now()) + Delay();
  At(link->last_delivery, [this, link, event = std::move(event)] {
    if (Alive(*link)) link->child->Handle(event);
  });
}

void Simulation::CallUpstream(SimNode& node, CallNumber call,
                              std::function<EngineEvent(SimNode&)> answer,
                              std::function<EngineEvent(absl::Status)> failure) {
  const std::shared_ptr<Link> link = MakeLink(node, call);
  At(clock_.Now() + Delay(), [=, this] {
    const bool lost = faulty_ && Chance() < 0.03;
    if (!link->upstream->up() || lost) {
      return Deliver(link, failure(MakeError(v1::REASON_UPSTREAM_CONNECT, "the sim says so")));
    }
    Deliver(link, answer(*link->upstream));
  });
}

// Does what the engine of one node asks for, one kind of action each.
struct Simulation::Actor {
  Simulation& sim;
  SimNode& node;

  void operator()(const CallHello& hello) const {
    sim.CallUpstream(
        node, hello.call,
        [=](SimNode& up) {
          return EngineEvent(HelloAnswered{hello.call, up.server_->Hello(hello.request)});
        },
        [=](const absl::Status& status) {
          return EngineEvent(HelloAnswered{hello.call, status});
        });
  }
  void operator()(const CallGetRecords& records) const {
    sim.CallUpstream(
        node, records.call,
        [=](SimNode& up) {
          return EngineEvent(
              RecordsAnswered{records.call, up.server_->GetRecords(records.request)});
        },
        [=](const absl::Status& status) {
          return EngineEvent(RecordsAnswered{records.call, status});
        });
  }
  void operator()(const CallReport& report) const {
    sim.CallUpstream(
        node, report.call,
        [=](SimNode& up) {
          return EngineEvent(
              ReportAnswered{report.call, up.server_->Report(report.request).status()});
        },
        [=](const absl::Status& status) {
          return EngineEvent(ReportAnswered{report.call, status});
        });
  }
  void operator()(const CallRequestContent& request) const {
    const std::shared_ptr<Link> link = sim.MakeLink(node, request.call);
    if (InVain(request.request)) {
      --sim.calls_;
      for (const std::string& digest : request.request.digests()) {
        ++sim.asked_in_vain_[{node.name_, digest}];
      }
    }
    absl::StatusOr<ContentWait> wait =
        node.upstream_->up() ? node.upstream_->content_server_->Request(request.request)
                             : absl::StatusOr<ContentWait>(absl::UnavailableError("down"));
    if (!wait.ok()) return sim.Deliver(link, ContentAnswered{request.call, wait.status()});
    sim.At(wait->until(), [] {});  // So that somebody looks at it then.
    sim.waiting_.push_back({link, *std::move(wait)});
  }
  void operator()(const OpenChanges& open) const {
    const std::shared_ptr<Link> link = sim.MakeLink(node, open.call);
    sim.At(sim.clock_.Now() + sim.Delay(), [sim = &sim, link, open] {
      if (!link->upstream->up()) {
        return sim->Deliver(link, ChangesEnded{open.call, absl::UnavailableError("down")});
      }
      link->upstream_incarnation = link->upstream->incarnation_;
      absl::StatusOr<ChangeFeed> feed = link->upstream->server_->Changes(open.request);
      if (!feed.ok()) return sim->Deliver(link, ChangesEnded{open.call, feed.status()});
      link->feed = *std::move(feed);
      sim->feeds_[link->upstream->name_].push_back(link);
    });
  }
  void operator()(const CloseChanges& close) const { Close(close.call); }
  void operator()(const OpenLoad& open) const {
    const std::shared_ptr<Link> link = sim.MakeLink(node, open.call);
    sim.At(sim.clock_.Now() + sim.Delay(), [sim = &sim, link, open] {
      if (!link->upstream->up()) {
        return sim->Deliver(link, LoadEnded{open.call, absl::UnavailableError("down")});
      }
      // Now and then the upstream is an older build.
      if (sim->Chance() < 0.1) {
        return sim->Deliver(link, LoadEnded{open.call, absl::UnimplementedError("no such method")});
      }
      link->upstream_incarnation = link->upstream->incarnation_;
      absl::StatusOr<CatalogLoad> load = link->upstream->server_->Load(open.request);
      if (!load.ok()) return sim->Deliver(link, LoadEnded{open.call, load.status()});
      link->load = *std::move(load);
      sim->feeds_[link->upstream->name_].push_back(link);
    });
  }
  void operator()(const CloseLoad& close) const { Close(close.call); }
  void operator()(const OpenReconcile& open) const {
    const std::shared_ptr<Link> link = sim.MakeLink(node, open.call);
    sim.feeds_[node.upstream_->name_].push_back(link);
    Step(link, open.request);
  }
  void operator()(const SendReconcile& send) const {
    for (const auto& link : sim.feeds_[node.upstream_->name_]) {
      if (link->child == &node && link->call == send.call) return Step(link, send.request);
    }
  }
  void operator()(const CloseReconcile& close) const { Close(close.call); }
  void operator()(const FetchFile& fetch) const { sim.Fetch(node, fetch.file); }
  void operator()(const ReleaseFiles&) const {
    const absl::StatusOr<Released> released = ReleaseNoted(*node.catalog_, node.content_);
    SimNode* const owner = &node;
    const int incarnation = node.incarnation_;
    sim.At(sim.clock_.Now(), [owner, incarnation, released] {
      if (!owner->up() || owner->incarnation_ != incarnation) return;
      owner->Handle(FilesReleased{released.ok() ? released->freed : std::vector<Digest>()});
    });
  }
  void operator()(const SetTimer& timer) const {
    sim.timers_[&node] = timer.at;
    if (timer.at == absl::InfiniteFuture()) return;
    SimNode* const owner = &node;
    const int incarnation = node.incarnation_;
    sim.At(timer.at, [sim = &sim, owner, incarnation, at = timer.at] {
      const bool current = owner->up() && owner->incarnation_ == incarnation;
      if (current && sim->timers_[owner] == at) owner->Handle(TimerFired{});
    });
  }
  void operator()(const SessionChanged&) const {}
  void operator()(const ContentChanged&) const {}

  bool InVain(const v1::RequestRequest& request) const {
    SimNode& above = *node.upstream_;
    return std::none_of(
        request.digests().begin(), request.digests().end(),
        [&above](const std::string& digest) { return above.CanGive(*Digest::FromBytes(digest)); });
  }
  void Close(CallNumber call) const {
    for (const auto& link : sim.feeds_[node.upstream_->name_]) {
      if (link->child == &node && link->call == call) link->closed = true;
    }
  }
  void Step(const std::shared_ptr<Link>& link, const v1::ReconcileRequest& request) const {
    sim.At(sim.clock_.Now() + sim.Delay(), [sim = &sim, link, request] {
      if (link->closed) return;
      const bool lost = sim->faulty_ && sim->Chance() < 0.05;
      const bool gone =
          !link->upstream->up() || (link->exchange.has_value() &&
                                    link->upstream->incarnation_ != link->upstream_incarnation);
      if (gone || lost) {
        return sim->Deliver(link, ReconcileEnded{link->call, absl::UnavailableError("cut")});
      }
      link->upstream_incarnation = link->upstream->incarnation_;
      if (!link->exchange.has_value()) link->exchange = link->upstream->server_->Reconcile();
      const auto responses = link->exchange->Handle(request);
      if (!responses.ok()) {
        return sim->Deliver(link, ReconcileEnded{link->call, responses.status()});
      }
      for (const v1::ReconcileResponse& response : *responses) {
        sim->Deliver(link, ReconcileReceived{link->call, response});
      }
    });
  }
};

void Simulation::Act(SimNode& node, const EngineAction& action) {
  std::visit(Actor{*this, node}, action);
}

// Lets every open change stream say what there is to say, and cuts some.
void Simulation::PumpChanges(const std::shared_ptr<Link>& link) {
  if (!link->feed.has_value() || link->closed) return;
  const bool cut = faulty_ && Chance() < 0.002;
  const bool gone =
      !link->upstream->up() || link->upstream->incarnation_ != link->upstream_incarnation;
  if (cut || gone) {
    link->feed.reset();
    return Deliver(link, ChangesEnded{link->call, absl::UnavailableError("cut")});
  }
  while (link->feed.has_value()) {
    ChangeFeed::Step step = link->feed->Next();
    if (step.kind == ChangeFeed::Step::Kind::kAtHead) return;
    if (step.kind == ChangeFeed::Step::Kind::kMessage) {
      if (step.bytes != nullptr) step.message.ParseFromString(*step.bytes);
      Deliver(link, ChangesReceived{link->call, step.message});
      continue;
    }
    link->feed.reset();
    Deliver(link, ChangesEnded{link->call, step.status});
  }
}

// Lets every open load say its next pack, cuts some, and alters some.
void Simulation::PumpLoad(const std::shared_ptr<Link>& link) {
  if (!link->load.has_value() || link->closed) return;
  const bool gone =
      !link->upstream->up() || link->upstream->incarnation_ != link->upstream_incarnation;
  if (gone || (faulty_ && Chance() < 0.05)) {
    link->load.reset();
    return Deliver(link, LoadEnded{link->call, absl::UnavailableError("cut")});
  }
  CatalogLoad::Step step = link->load->Next();
  if (step.kind == CatalogLoad::Step::Kind::kEnd) {
    link->load.reset();
    return Deliver(link, LoadEnded{link->call, step.status});
  }
  if (faulty_ && step.message.has_pack() && Chance() < 0.02) {
    step.message.mutable_pack()->set_count(step.message.pack().count() + 1);
  }
  Deliver(link, LoadReceived{link->call, std::move(step.message)});
  At(clock_.Now() + Delay(), [] {});  // So that somebody asks for the next one.
}

void Simulation::PollWaiting() {
  for (auto& [upstream, links] : feeds_) {
    std::erase_if(links, [this](const auto& link) { return !Alive(*link); });
    const std::vector<std::shared_ptr<Link>> open = links;
    for (const auto& link : open) {
      PumpChanges(link);
      PumpLoad(link);
    }
  }
  std::vector<Waiting> still;
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    const Link& link = *waiting.link;
    if (!Alive(link)) continue;
    if (!link.upstream->up() || link.upstream->incarnation_ != link.upstream_incarnation) {
      Deliver(waiting.link, ContentAnswered{link.call, absl::UnavailableError("down")});
      continue;
    }
    const auto response = waiting.wait.Poll(clock_.Now());
    if (response.has_value()) {
      Deliver(waiting.link, ContentAnswered{link.call, *response});
    } else {
      still.push_back(std::move(waiting));
    }
  }
  waiting_.insert(waiting_.end(), std::make_move_iterator(still.begin()),
                  std::make_move_iterator(still.end()));
}

void Simulation::Fetch(SimNode& node, const ContentInfo& file) {
  const std::shared_ptr<Link> link = MakeLink(node, 0);
  At(clock_.Now() + Delay(), [this, link, file] {
    absl::Status status = absl::UnavailableError("down");
    const bool altered = faulty_ && Chance() < 0.05;
    if (link->upstream->up() && Alive(*link)) {
      absl::StatusOr<std::string> bytes = link->upstream->content_.Read(file.digest, 0, 1 << 20);
      status = bytes.status();
      if (bytes.ok()) {
        if (altered) bytes->front() ^= 1;
        auto writer = link->child->content_.Write(file.digest, file.size_bytes);
        status = writer.status();
        if (writer.ok()) {
          status = (*writer)->staged_bytes() == 0 ? (*writer)->Append(*bytes) : absl::OkStatus();
          if (status.ok()) status = (*writer)->Commit();
        }
      }
    }
    Deliver(link, FileFetched{file.digest, status, file.size_bytes});
  });
}

}  // namespace sluice
