// Simulation: a tree of nodes in one thread, in virtual time, with seeded faults; and what must
// hold when the faults are over.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "tests/sim/sim_edits.h"
#include "tests/sim/sim_node.h"

namespace sluice {

class Simulation {
 public:
  explicit Simulation(uint64_t seed);
  ~Simulation();

  // Edits, faults, then quiet. What is wrong in the end, or OK.
  absl::Status Run();

  // Calls to upstreams so far, without requests for files in vain.
  int64_t calls() const { return calls_; }

 private:
  struct Scheduled {
    absl::Time at;
    uint64_t order = 0;
    std::function<void()> run;
    bool operator<(const Scheduled& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };
  // A change stream or comparison between a node and its upstream.
  struct Link {
    SimNode* child = nullptr;
    int child_incarnation = 0;
    SimNode* upstream = nullptr;
    int upstream_incarnation = 0;
    CallNumber call = 0;
    bool closed = false;
    absl::Time last_delivery;
    std::optional<ChangeFeed> feed;
    std::optional<CatalogLoad> load;
    std::optional<ReconcileExchange> exchange;
  };
  struct Waiting {
    std::shared_ptr<Link> link;
    ContentWait wait;
  };

  void At(absl::Time at, std::function<void()> run);
  void RunUntil(absl::Time end);
  // Until no guard holds anything.
  absl::Status ReleaseAllHeld();
  void Settle();
  double Chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  absl::Duration Delay();

  struct Actor;
  void Act(SimNode& node, const EngineAction& action);
  std::shared_ptr<Link> MakeLink(SimNode& node, CallNumber call);
  // Whether both ends are still those that began it.
  bool Alive(const Link& link) const;
  void Deliver(const std::shared_ptr<Link>& link, EngineEvent event);
  void CallUpstream(SimNode& node, CallNumber call, std::function<EngineEvent(SimNode&)> answer,
                    std::function<EngineEvent(absl::Status)> failure);
  void PumpChanges(const std::shared_ptr<Link>& link);
  void PumpLoad(const std::shared_ptr<Link>& link);
  void Fetch(SimNode& node, const ContentInfo& file);
  void PollWaiting();

  // The open streams of a node that follows another one from now on.
  void CloseLinks(const SimNode& node);

  // Any earlier nodes, so that no circle comes about: one, or another one as fallback.
  std::vector<SimNode*> PickUpstreams(int node);
  void Fault();
  void RestoreCopy(SimNode& node);
  void Edit();
  void Restart(SimNode& node);
  absl::Status Check();
  absl::Status CheckNode(const SimNode& node);

  const uint64_t seed_;
  std::mt19937_64 random_;
  ManualClock clock_;
  bool faulty_ = true;
  uint64_t order_ = 0;
  int64_t calls_ = 0;
  // Requests for files that nobody above can give, by node and digest.
  std::map<std::pair<std::string, std::string>, int> asked_in_vain_;
  std::priority_queue<Scheduled> events_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::map<std::string, std::vector<std::shared_ptr<Link>>> feeds_;  // By upstream.
  std::vector<Waiting> waiting_;
  std::map<SimNode*, absl::Time> timers_;
  std::map<SimNode*, absl::Time> choice_due_;
  // A node's store at some time, and its anchor then.
  struct Copy {
    std::shared_ptr<const OrderedView> store;
    std::optional<AnchorState> anchor;
  };
  std::map<SimNode*, Copy> backups_;
  std::unique_ptr<SimEdits> edits_;
};

}  // namespace sluice
