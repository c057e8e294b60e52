// What happens to the simulated tree: edits, kills, restores, nodes that are pointed elsewhere, and
// other subscriptions.
#include <memory>
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "tests/sim/simulation.h"

namespace sluice {

std::vector<SimNode*> Simulation::PickUpstreams(int node) {
  std::vector<SimNode*> upstreams;
  if (node > 0) upstreams.push_back(nodes_[static_cast<size_t>(Pick(node))].get());
  if (node > 1 && Chance() < 0.5) {
    upstreams.push_back(nodes_[static_cast<size_t>(Pick(node))].get());
  }
  if (upstreams.size() == 2 && upstreams[0] == upstreams[1]) upstreams.pop_back();
  return upstreams;
}

void Simulation::Edit() {
  if (Chance() < 0.8) {
    edits_->Edit();
  } else {
    edits_->EditBelow(*nodes_[static_cast<size_t>(1 + Pick(static_cast<int>(nodes_.size()) - 1))]);
  }
  Settle();
}

void Simulation::Restart(SimNode& node) {
  if (node.up()) node.Kill();
  timers_[&node] = absl::InfiniteFuture();
  node.Start();
  edits_->Remember(node);
  if (node.upstreams_.empty()) edits_->RefetchFiles();
}

// Taken back in time; its files are newer than its store then.
void Simulation::RestoreCopy(SimNode& node) {
  const auto copy = backups_.find(&node);
  if (copy == backups_.end() || Chance() < 0.5) return;
  if (node.up()) node.Kill();
  // A commit that never reached the anchor may have been read below; the anchor cannot tell.
  const auto head = [](const std::shared_ptr<const OrderedView>& view) {
    return CatalogReader(view).State()->head_seq();
  };
  node.history_lost_ |= head(copy->second.store) < head(node.store_.View());
  node.store_.Restore(copy->second.store);
  // Now and then by hand, anchor and all: then it is the same history to everybody.
  if (copy->second.anchor.has_value() && Chance() < 0.3) {
    node.anchor_.fail_ = false;
    EXPECT_TRUE(node.anchor_.Write(*copy->second.anchor).ok());
    node.copied_back_ = true;
  }
  backups_.erase(copy);
  Restart(node);
}

void Simulation::Fault() {
  const int index = Pick(static_cast<int>(nodes_.size()));
  SimNode& node = *nodes_[static_cast<size_t>(index)];
  if (Chance() < 0.1) {
    node.ReleaseHeld();
    return;
  }
  if (Chance() < 0.05) {  // Pointed elsewhere.
    if (node.up() && index > 0) node.Repoint(PickUpstreams(index));
    return;
  }
  switch (Pick(6)) {
    case 0:  // Killed before a write that is yet to come.
      node.store_.FailWritesFrom(1 + Pick(12));
      return;
    case 1:  // Killed between a commit and its anchor.
      node.anchor_.fail_ = true;
      return;
    case 2:
      backups_[&node] = {node.store_.Backup(), *node.anchor_.Read()};
      return;
    case 3:
      return RestoreCopy(node);
    case 4:
      return Restart(node);
    default: {  // Another subscription.
      if (!node.up() || node.upstreams_.empty()) return;
      v1::Subscription subscription;
      const bool pins_alone = Chance() < 0.4;
      if (pins_alone) subscription = ReadSubscription(node.catalog_->Read()).value();
      if (pins_alone || Chance() < 0.5) edits_->PickPins(subscription);
      for (int i = 0; !pins_alone && i < SimEdits::kProducts && Chance() < 0.7; ++i) {
        subscription.add_products(SimEdits::ProductPath(Pick(SimEdits::kProducts)));
      }
      if (!pins_alone && Chance() < 0.3) subscription.add_languages("de");
      if (!pins_alone && Chance() < 0.2) subscription.add_classifications("Updates");
      CatalogChange change;
      change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
      if (node.catalog_->Commit(change).ok()) {
        node.Handle(SyncRequested{v1::SYNC_TRIGGER_SUBSCRIPTION});
      }
    }
  }
}

}  // namespace sluice
