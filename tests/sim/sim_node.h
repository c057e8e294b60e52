// Sim node: one node of the simulated tree: stores in memory, the real catalog, the real serving
// logic, the real sync engine.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/clock.h"
#include "downstream/sync_engine.h"
#include "downstream/upstream_choice.h"
#include "storage/memory_content_store.h"
#include "storage/memory_ordered_store.h"
#include "upstream/content_demand.h"
#include "upstream/content_server.h"
#include "upstream/replication_server.h"

namespace sluice {

// An anchor that can be told to fail, as if the process had been killed between the two writes of a
// commit.
class SimAnchor : public MemoryAnchor {
 public:
  absl::Status Write(const AnchorState& state) override {
    if (fail_) return absl::UnavailableError("killed before the anchor");
    return MemoryAnchor::Write(state);
  }
  bool fail_ = false;
};

class SimNode : public ContentDemand {
 public:
  // `act` carries out what the engine wants. The root has no upstreams; others follow the first,
  // and the next while that cannot be used.
  SimNode(std::string name, std::vector<SimNode*> upstreams, v1::NodeMode mode, Clock& clock,
          std::mt19937_64& random, std::function<void(SimNode&, const EngineAction&)> act);

  // Opens the stores; a store behind its anchor gets a new epoch. Then the engine begins.
  void Start();
  // Forgets everything but what is stored.
  void Kill();
  bool up() const { return catalog_ != nullptr; }
  // Decisions are made here.
  bool decides() const { return mode_ != v1::NODE_MODE_REPLICA; }
  // Whether a write was made to fail: the process counts as killed at that moment.
  bool hit() const { return store_.write_failed() || (anchor_.fail_ && anchor_hit_); }

  void Handle(const EngineEvent& event);
  // Lets the choice of an upstream see what is due by the clock. `reachable`: whether a probe
  // comes through.
  void Choose(const std::function<bool(SimNode&)>& reachable);
  absl::Time choice_due() const;
  // Tells the engine what waits for it: files that nodes below want.
  void Poll();

  // As an operator would: lets happen what the guard holds. Returns whether it held anything.
  bool ReleaseHeld();

  // Whether this node can give a file to those below: it has the bytes, or an update here names it
  // and the node above can give it.
  bool CanGive(const Digest& digest);

  v1::ContentAnswer Want(const Digest& digest) override;
  int64_t Watch(std::function<void()>) override { return 0; }
  void Unwatch(int64_t) override {}

  void FollowFirst();
  void Switch(UpstreamChoice::Verdict verdict, const std::string& why);
  // As an operator does who says whom this node is to follow.
  void Repoint(std::vector<SimNode*> upstreams);

  const std::string name_;
  std::vector<SimNode*> upstreams_;
  SimNode* upstream_;  // The one that is followed.
  const v1::NodeMode mode_;
  // Called before another one is: what is open to the one before ends.
  std::function<void(SimNode&)> on_switch_ = [](SimNode&) {};
  std::unique_ptr<UpstreamChoice> choice_;
  bool watched_ = false;
  bool ever_switched_ = false;
  Clock& clock_;
  std::mt19937_64& random_;
  const std::function<void(SimNode&, const EngineAction&)> act_;
  MemoryOrderedStore store_;
  SimAnchor anchor_;
  bool anchor_hit_ = false;
  MemoryContentStore content_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<ReplicationServer> server_;
  std::unique_ptr<ContentServer> content_server_;
  std::unique_ptr<SyncEngine> engine_;
  int incarnation_ = 0;
  int guard_percent_ = 100;
  bool history_lost_ = false;
  bool copied_back_ = false;  // Its files were put back from a copy, and it does not know.
  std::map<Digest, v1::ContentAnswer> answers_;
  std::deque<Digest> wanted_below_;
  bool report_due_ = false;
};

}  // namespace sluice
