#include "storage/state_directory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/errors.h"
#include "common/release.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/decisions.h"
#include "storage/payload.h"
#include "storage/selection.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/temporary_directory.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class StateDirectoryTest : public ::testing::Test {
 protected:
  absl::Status OpenStatus() { return StateDirectory::Open(paths_).status(); }

  TemporaryDirectory directory_;
  const StatePaths paths_ = {directory_.path() + "/state", directory_.path() + "/content"};
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
};

TEST_F(StateDirectoryTest, OpensWhatItMade) {
  EXPECT_TRUE(absl::IsNotFound(OpenStatus()));
  const absl::StatusOr<Uuid> node = StateDirectory::Init(paths_, clock_);
  ASSERT_TRUE(node.ok()) << node.status();
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->catalog().node_id(), *node);
}

TEST_F(StateDirectoryTest, TakesAnIdAndTellsIt) {
  EXPECT_TRUE(absl::IsNotFound(StateDirectory::NodeIn(paths_).status()));
  const Uuid id = Uuid::Random();
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.id = id}).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->catalog().node_id(), id);
  EXPECT_EQ(*StateDirectory::NodeIn(paths_), id);
}

TEST_F(StateDirectoryTest, IsMadeOnce) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  const absl::Status again = StateDirectory::Init(paths_, clock_).status();
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  EXPECT_THAT(std::string(again.message()), HasSubstr(paths_.state_dir));
}

TEST_F(StateDirectoryTest, NamesTheProcessThatUsesIt) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  const absl::Status second = OpenStatus();
  EXPECT_EQ(ReasonOf(second), v1::REASON_STORE_LOCKED);
  EXPECT_THAT(std::string(second.message()), HasSubstr(std::to_string(getpid())));
}

TEST_F(StateDirectoryTest, RefusesAnotherNodesIdentityOrContent) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  std::filesystem::remove(paths_.content_dir + "/.sluice-content");
  EXPECT_EQ(ReasonOf(OpenStatus()), v1::REASON_STORE_IDENTITY);
  std::ofstream(paths_.state_dir + "/node.id") << Uuid::Random().ToString() << "\n";
  EXPECT_EQ(ReasonOf(OpenStatus()), v1::REASON_STORE_IDENTITY);
}

TEST_F(StateDirectoryTest, SaysDataLossWhenTheStoreIsBehindItsAnchorUntilRecovered) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  std::filesystem::copy(paths_.state_dir + "/db", directory_.path() + "/old",
                        std::filesystem::copy_options::recursive);
  v1::Epoch epoch;
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    epoch = (*state)->catalog().epoch();
    CatalogChange change;
    change.Originate(*PackRevision(MakeRevision({.name = "a"}), 0));
    ASSERT_TRUE((*state)->catalog().Commit(change).ok());
  }
  std::filesystem::remove_all(paths_.state_dir + "/db");
  std::filesystem::rename(directory_.path() + "/old", paths_.state_dir + "/db");
  EXPECT_EQ(ReasonOf(OpenStatus()), v1::REASON_STORE_BEHIND_ANCHOR);
  ASSERT_TRUE(StateDirectory::Recover(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_NE((*state)->catalog().epoch().epoch_id(), epoch.epoch_id());
  EXPECT_GT((*state)->catalog().epoch().counter(), epoch.counter());
}

TEST_F(StateDirectoryTest, NamesBothReleasesWhenTheStoreIsOfANewerOne) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    stored::v1::StoreState newer = *(*state)->catalog().Read().State();
    newer.set_format(newer.format() + 1);
    newer.set_written_by("99.1.0");
    WriteSet write;
    write.Put(Family::kState, "state", newer.SerializeAsString());
    ASSERT_TRUE((*state)->store().Write(write).ok());
  }
  for (const absl::Status& refused : {OpenStatus(), StateDirectory::Recover(paths_, clock_)}) {
    EXPECT_EQ(ReasonOf(refused), v1::REASON_STORE_TOO_NEW) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("release 99.1.0"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::string(Release())));
  }
}

TEST_F(StateDirectoryTest, StartsInItsPlaceInTheTreeOnly) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_REPLICA}).ok());
  const absl::Status as_root = StateDirectory::Open(paths_, v1::NODE_MODE_ROOT).status();
  EXPECT_EQ(ReasonOf(as_root), v1::REASON_STORE_IDENTITY);
  EXPECT_THAT(std::string(as_root.message()), HasSubstr("promote"));
  EXPECT_TRUE(StateDirectory::Open(paths_, v1::NODE_MODE_REPLICA).ok());
}

TEST_F(StateDirectoryTest, PromotesAFollowerOnce) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_REPLICA}).ok());
  v1::Epoch epoch;
  RecordKey lost;
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    Catalog& catalog = (*state)->catalog();
    epoch = catalog.epoch();
    CatalogChange change;
    change.Originate(*PackRevision(MakeRevision({.name = "kept"}), 0));
    change.Originate(*PackRevision(MakeRevision({.name = "above"}), 0));
    v1::Cursor cursor;
    cursor.set_upstream_id(Uuid::Random().bytes());
    change.SetCursor(cursor);
    v1::HelloResponse above;
    above.set_node_id(cursor.upstream_id());
    change.PutRow(Family::kSettings, kUpstreamHelloSetting, above);
    change.PutRow(Family::kSessions, "x", v1::Session());
    const auto committed = catalog.Commit(change);
    ASSERT_TRUE(committed.ok()) << committed.status();
    lost = committed->changed.front();
    CatalogChange keep;
    keep.Keep(lost);
    ASSERT_TRUE(catalog.Commit(keep).ok());
    ASSERT_TRUE(absl::IsNotFound(catalog.Read().GetRecord(lost).status()));
  }
  const auto promoted = StateDirectory::Promote(paths_, clock_);
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_EQ(promoted->records, 1);
  {
    const auto state = StateDirectory::Open(paths_, v1::NODE_MODE_ROOT);
    ASSERT_TRUE(state.ok()) << state.status();
    const CatalogReader reader = (*state)->catalog().Read();
    EXPECT_NE((*state)->catalog().epoch().epoch_id(), epoch.epoch_id());
    EXPECT_TRUE(reader.GetRecord(lost).ok()) << reader.GetRecord(lost).status();
    const auto rows = reader.List(v1::RECORD_KIND_REVISION, "", 100);
    ASSERT_EQ(rows->size(), 2U);
    for (const RecordColumns& row : *rows) EXPECT_FALSE(row.key.kept());
    EXPECT_TRUE(reader.ListRows<v1::Session>(Family::kSessions, "", "", 10)->empty());
    EXPECT_TRUE(reader.ListRows<v1::Cursor>(Family::kCursors, "", "", 10)->empty());
    EXPECT_TRUE(CheckInvariants(reader).ok()) << CheckInvariants(reader);
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(StateDirectory::Promote(paths_, clock_).status()));
}

// A revision that only this node keeps is older than the current one, and stays so.
TEST_F(StateDirectoryTest, PromotesNoOldRevisionToTheCurrentOne) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_REPLICA}).ok());
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    Catalog& catalog = (*state)->catalog();
    CatalogChange first;
    first.Originate(*PackRevision(MakeRevision({.name = "a", .title = "old"}), 0));
    const RecordKey old = catalog.Commit(first)->changed.front();
    CatalogChange second;
    second.Keep(old);
    second.Originate(*PackRevision(MakeRevision({.name = "a", .title = "new"}), 0));
    ASSERT_TRUE(catalog.Commit(second).ok());
  }
  ASSERT_TRUE(StateDirectory::Promote(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  const CatalogReader reader = (*state)->catalog().Read();
  EXPECT_EQ(reader.Revisions(UpdateIdOf("a"))->size(), 2U);
  EXPECT_EQ(reader.CurrentRevision(UpdateIdOf("a"))->header.title(), "new");
}

TEST_F(StateDirectoryTest, SaysWhatToDoWhenTheConfigurationSaysAnotherMode) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_AUTONOMOUS}).ok());
  EXPECT_TRUE(StateDirectory::Open(paths_, v1::NODE_MODE_AUTONOMOUS).ok());
  const absl::Status replica = StateDirectory::Open(paths_, v1::NODE_MODE_REPLICA).status();
  EXPECT_EQ(ReasonOf(replica), v1::REASON_STORE_IDENTITY);
  EXPECT_THAT(std::string(replica.message()), HasSubstr("say mode: autonomous"));
  const absl::Status root = StateDirectory::Open(paths_, v1::NODE_MODE_ROOT).status();
  EXPECT_THAT(std::string(root.message()), HasSubstr("promote"));
}

// It decides from then on for those who were not below it, too.
TEST_F(StateDirectoryTest, PromotesAnAutonomousNodeWithItsDecisions) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_AUTONOMOUS}).ok());
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    CatalogChange change;
    change.Originate(*PackRevision(MakeRevision({.name = "a"}), 0));
    change.Originate(*PackPolicy(
        UpdateIdOf("a"), {*PackDecision(MakeDecline("a"))},
        ShardInStream(ShardOfRevision(MakeRevision({.name = "a"})), v1::STREAM_KIND_POLICY)));
    ASSERT_TRUE((*state)->catalog().Commit(change).ok());
  }
  ASSERT_TRUE(StateDirectory::Promote(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_, v1::NODE_MODE_ROOT);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(StandingOf((*state)->catalog().Read(), UpdateIdOf("a"))->declined());
}

// One decision is only kept, another is in the policy: both stay in force.
TEST_F(StateDirectoryTest, PromotesDecisionsWithoutUndoingOthers) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_, {.mode = v1::NODE_MODE_REPLICA}).ok());
  const auto policy = [](const v1::Decision& decision, const RecordColumns& revision) {
    const v1::ShardDefinition shard = ShardOfRevision(MakeRevision({.name = "a"}));
    EXPECT_EQ(revision.header.shard_id(), ShardId::Of(shard).bytes());
    return *PackPolicy(UpdateIdOf("a"), {*PackDecision(decision)},
                       ShardInStream(shard, v1::STREAM_KIND_POLICY));
  };
  {
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    Catalog& catalog = (*state)->catalog();
    CatalogChange first;
    first.Originate(*PackRevision(MakeRevision({.name = "a"}), 0));
    ASSERT_TRUE(catalog.Commit(first).ok());
    const RecordColumns revision = *catalog.Read().CurrentRevision(UpdateIdOf("a"));
    CatalogChange declined;
    declined.Originate(policy(MakeDecline("a"), revision));
    ASSERT_TRUE(catalog.Commit(declined).ok());
    CatalogChange kept;
    kept.Keep({v1::RECORD_KIND_POLICY, UpdateIdOf("a"), 0, {}});
    ASSERT_TRUE(catalog.Commit(kept).ok());
    CatalogChange approved;
    approved.Originate(policy(MakeApproval("a", Uuid::FromName({}, "Pilot")), revision));
    ASSERT_TRUE(catalog.Commit(approved).ok());
    ASSERT_EQ(catalog.Read().Decisions(UpdateIdOf("a"))->size(), 2U);
  }
  ASSERT_TRUE(StateDirectory::Promote(paths_, clock_).ok());
  const auto state = StateDirectory::Open(paths_);
  ASSERT_TRUE(state.ok()) << state.status();
  const CatalogReader reader = (*state)->catalog().Read();
  EXPECT_EQ(reader.Decisions(UpdateIdOf("a"))->size(), 2U);
  const auto record = reader.GetRecord({v1::RECORD_KIND_POLICY, UpdateIdOf("a"), 0, {}});
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->decisions_size(), 2);
  EXPECT_TRUE(CheckInvariants(reader).ok()) << CheckInvariants(reader);
}

// A commit holds a record and a cursor that counts it: whatever the moment of the kill, the two
// agree afterwards.
TEST_F(StateDirectoryTest, HasRecordsAndCursorAgreeAfterAKill) {
  ASSERT_TRUE(StateDirectory::Init(paths_, clock_).ok());
  const std::string upstream = Uuid::FromName({}, "upstream").bytes();
  uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto state = StateDirectory::Open(paths_);
      if (!state.ok()) _exit(1);
      for (uint64_t seq = last + 1;; ++seq) {
        CatalogChange change;
        change.Originate(*PackRevision(MakeRevision({.name = std::to_string(seq)}), 0));
        v1::Cursor cursor;
        cursor.set_upstream_id(upstream);
        cursor.set_seq(seq);
        change.SetCursor(cursor);
        if (!(*state)->catalog().Commit(change).ok()) _exit(2);
        if (write(ready[1], "x", 1) != 1) _exit(3);
      }
    }
    char byte = 0;
    for (int i = 0; i < 7 + round; ++i) ASSERT_EQ(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    int exit_status = 0;
    ASSERT_EQ(waitpid(child, &exit_status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(exit_status));
    close(ready[0]);
    close(ready[1]);
    const auto state = StateDirectory::Open(paths_);
    ASSERT_TRUE(state.ok()) << state.status();
    const CatalogReader reader = (*state)->catalog().Read();
    const auto cursor = reader.GetCursor(*Uuid::FromBytes(upstream));
    ASSERT_TRUE(cursor.ok() && cursor->has_value());
    EXPECT_GE((*cursor)->seq(), last + 7);
    last = (*cursor)->seq();
    EXPECT_EQ(reader.List(v1::RECORD_KIND_REVISION, "", 100000)->size(), last);
  }
}

}  // namespace
}  // namespace sluice
