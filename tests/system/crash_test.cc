// kill -9 at any time costs time and nothing else.
#include <iostream>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

constexpr int kKills = 20;
constexpr int kUpdatesARound = 50;

class CrashTest : public TreeTest {
 protected:
  // Waits until a session of `node` is at work; false when none was seen within `patience`.
  static bool WaitUntilAtWork(LineReader& events, absl::Duration patience) {
    const absl::Time deadline = absl::Now() + patience;
    while (const auto line = events.Next(deadline - absl::Now())) {
      v1::WatchSyncResponse event;
      if (!google::protobuf::util::JsonStringToMessage(*line, &event).ok()) continue;
      const v1::Session& session = event.session();
      if (session.outcome() == v1::SYNC_OUTCOME_RUNNING &&
          session.phase() >= v1::SYNC_PHASE_CATALOG && session.phase() <= v1::SYNC_PHASE_CONTENT) {
        return true;
      }
    }
    return false;
  }
};

TEST_F(CrashTest, AMiddleKilledTwentyTimesConverges) {
  for (int round = 0; round < kKills; ++round) {
    WriteUpdates(absl::StrCat("round", round, "x"), kUpdatesARound, 40000);
  }
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  // One transfer at a time, so that a session takes long enough to be met at work.
  NodeProcess& middle = AddFollower("region", root.node_socket(), "  parallel_transfers: 1\n");
  NodeProcess& leaf = AddFollower("site", middle.node_socket());
  leaf.Start();

  for (int round = 0; round < kKills; ++round) {
    ApproveAll(root, absl::StrCat("round", round, "x"));
    middle.Start();
    {
      const std::unique_ptr<LineReader> events = middle.WatchSync();
      WaitUntilAtWork(*events, absl::Seconds(2));
    }
    middle.Kill();
  }
  middle.Start();

  std::map<v1::SyncPhase, int> interrupted;
  int in_active_phase = 0;
  for (const v1::Session& session : Sessions(middle)) {
    if (session.outcome() != v1::SYNC_OUTCOME_INTERRUPTED) continue;
    ++interrupted[session.phase()];
    in_active_phase += session.phase() >= v1::SYNC_PHASE_CATALOG;
  }
  for (const auto& [phase, count] : interrupted) {
    std::cout << "interrupted in " << v1::SyncPhase_Name(phase) << ": " << count << "\n";
  }
  EXPECT_GE(in_active_phase, 15);

  constexpr int kAll = kKills * kUpdatesARound;
  constexpr absl::Duration kLong = absl::Seconds(180);
  EXPECT_TRUE(Eventually(
      middle, [&] { return ReadyUpdates(middle) == kAll; }, kLong));
  EXPECT_TRUE(Eventually(
      leaf, [&] { return ReadyUpdates(leaf) == kAll; }, kLong));
  for (NodeProcess* node : {&middle, &leaf}) {
    const Parity parity = CheckParity(*node);
    EXPECT_EQ(parity.exit_code, 0) << parity.Text();
  }
}

}  // namespace
}  // namespace sluice
