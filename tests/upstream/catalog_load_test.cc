#include "upstream/catalog_load.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/bulk_load.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

class CatalogLoadTest : public ::testing::Test {
 protected:
  CatalogLoadTest() {
    for (const std::string product : {"Agent", "Tool"}) {
      source_.AddProduct("Contoso/" + product);
      for (int i = 0; i < 30; ++i) {
        const std::string name = product + std::to_string(i);
        source_.AddUpdate({.name = name, .product = "Contoso/" + product, .contents = {name}});
      }
    }
    source_.Approve("Agent3");
    CatalogChange change;
    change.Delete({v1::RECORD_KIND_REVISION, UpdateIdOf("Agent4"), 1, {}});
    source_.Commit(change);
    request_.set_node_id((**child_).node_id().bytes());
  }

  CatalogLoad Open() {
    absl::StatusOr<CatalogLoad> load = CatalogLoad::Open(*source_, request_, /*pack_bytes=*/1000);
    EXPECT_TRUE(load.ok()) << load.status();
    return *std::move(load);
  }

  // All messages that are left.
  static std::vector<v1::LoadResponse> Rest(CatalogLoad& load) {
    std::vector<v1::LoadResponse> messages;
    while (true) {
      CatalogLoad::Step step = load.Next();
      if (step.kind == CatalogLoad::Step::Kind::kEnd) {
        EXPECT_TRUE(step.status.ok()) << step.status;
        return messages;
      }
      messages.push_back(std::move(step.message));
    }
  }

  // Takes a load in and returns what it adds up to.
  Fingerprint TakeIn(std::vector<v1::LoadResponse> messages) {
    const auto load = *BulkLoad::Begin(**child_, nullptr);
    for (v1::LoadResponse& message : messages) {
      if (!message.has_pack()) continue;
      const absl::Status added = load->Add(std::move(*message.mutable_pack()));
      EXPECT_TRUE(added.ok()) << added;
    }
    const absl::StatusOr<Fingerprint> finished = load->Finish();
    EXPECT_TRUE(finished.ok()) << finished.status();
    EXPECT_TRUE(load->Commit(CatalogChange()).ok());
    const absl::Status invariants = CheckInvariants(child_->Read());
    EXPECT_TRUE(invariants.ok()) << invariants;
    return finished.value_or(Fingerprint());
  }

  TestCatalog source_;
  std::unique_ptr<TestCatalog> child_ = std::make_unique<TestCatalog>();
  v1::LoadRequest request_;
};

TEST_F(CatalogLoadTest, SaysWhatItWillSendThenSendsItInPacks) {
  CatalogLoad load = Open();
  const std::vector<v1::LoadResponse> messages = Rest(load);
  ASSERT_GT(messages.size(), 10u);
  ASSERT_TRUE(messages.front().has_open());
  EXPECT_TRUE(messages.back().has_end());
  const v1::LoadOpen& open = messages.front().open();
  EXPECT_EQ(open.at_seq(), source_->durable_head());
  EXPECT_EQ(open.epoch().epoch_id(), source_->epoch().epoch_id());
  EXPECT_EQ(open.records(), static_cast<int64_t>(open.fingerprint().count()));
  EXPECT_EQ(TakeIn(messages), *Fingerprint::FromProto(open.fingerprint()));
  const RecordKey deleted = {v1::RECORD_KIND_REVISION, UpdateIdOf("Agent4"), 1, {}};
  EXPECT_TRUE(child_->Read().TombstoneShard(deleted)->has_value());
}

TEST_F(CatalogLoadTest, LeavesOutWhatTheSubscriptionDoesNotTake) {
  request_.mutable_subscription()->add_products("Contoso/Tool");
  CatalogLoad load = Open();
  const std::vector<v1::LoadResponse> messages = Rest(load);
  EXPECT_EQ(TakeIn(messages), *Fingerprint::FromProto(messages.front().open().fingerprint()));
  EXPECT_TRUE(child_->Read().CurrentRevision(UpdateIdOf("Tool5")).ok());
  EXPECT_FALSE(child_->Read().CurrentRevision(UpdateIdOf("Agent5")).ok());
  EXPECT_TRUE(child_->Read().Decisions(UpdateIdOf("Agent3"))->empty());
}

TEST_F(CatalogLoadTest, StaysAtTheSeqAtWhichItBegan) {
  CatalogLoad load = Open();
  const v1::LoadOpen open = load.Next().message.open();
  source_.AddUpdate({.name = "later"});
  source_.Decline("Agent5");
  EXPECT_EQ(TakeIn(Rest(load)), *Fingerprint::FromProto(open.fingerprint()));
  EXPECT_LT(open.at_seq(), source_->durable_head());
  EXPECT_FALSE(child_->Read().CurrentRevision(UpdateIdOf("later")).ok());
}

TEST_F(CatalogLoadTest, SendsWhatThisNodeKeepsToAllButThisNode) {
  CatalogChange change;
  change.Keep({v1::RECORD_KIND_REVISION, UpdateIdOf("Tool7"), 1, {}});
  source_.Commit(change);
  CatalogLoad load = Open();
  const int64_t to_a_child = Rest(load).front().open().records();
  request_.set_node_id(source_->node_id().bytes());
  CatalogLoad to_itself = Open();
  const std::vector<v1::LoadResponse> messages = Rest(to_itself);
  EXPECT_EQ(messages.front().open().records(), to_a_child - 1);
  EXPECT_EQ(TakeIn(messages), *Fingerprint::FromProto(messages.front().open().fingerprint()));
}

TEST_F(CatalogLoadTest, SendsPickedUpdatesWhateverTheirShards) {
  request_.mutable_subscription()->add_products("Contoso/Tool");
  SetPicks({UpdateIdOf("Agent3")}, *request_.mutable_subscription());
  CatalogLoad load = Open();
  const std::vector<v1::LoadResponse> messages = Rest(load);
  EXPECT_EQ(TakeIn(messages), *Fingerprint::FromProto(messages.front().open().fingerprint()));
  EXPECT_TRUE(child_->Read().CurrentRevision(UpdateIdOf("Tool5")).ok());
  EXPECT_TRUE(child_->Read().CurrentRevision(UpdateIdOf("Agent3")).ok());
  EXPECT_EQ(child_->Read().Decisions(UpdateIdOf("Agent3"))->size(), 1u);
  EXPECT_FALSE(child_->Read().CurrentRevision(UpdateIdOf("Agent5")).ok());

  request_.set_mode(v1::NODE_MODE_AUTONOMOUS);
  CatalogLoad without_decisions = Open();
  EXPECT_EQ(Rest(without_decisions).front().open().records(),
            messages.front().open().records() - 1);
}

TEST_F(CatalogLoadTest, RefusesACallerWithoutId) {
  request_.set_node_id("short");
  EXPECT_TRUE(absl::IsInvalidArgument(CatalogLoad::Open(*source_, request_).status()));
}

}  // namespace
}  // namespace sluice
