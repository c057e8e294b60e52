// Petitions on their way through a tree of three nodes, and what a node must not be made to take.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/decisions.h"
#include "storage/selection.h"
#include "tests/storage/test_catalog.h"
#include "upstream/petition_service.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// One node with its desk; `above` is where it sends petitions to.
class Node {
 public:
  explicit Node(Node* above)
      : audit_(*catalog, clock_),
        desk(*catalog, board, clock_, OptionsFor(above)),
        service(*catalog, desk, audit_, [this] { ++subscriptions_changed; }) {
    if (above == nullptr) return;
    v1::HelloResponse hello;
    hello.set_node_id((*above->catalog).node_id().bytes());
    *hello.mutable_subscription() = ReadSubscription(above->catalog.Read()).value();
    CatalogChange change;
    change.PutRow(Family::kSettings, kUpstreamHelloSetting, hello);
    catalog.Commit(change);
    above->Hear(id(), above->id());
  }

  Uuid id() { return catalog->node_id(); }

  // A report named `below` as a node whose upstream is `parent`.
  void Hear(const Uuid& below, const Uuid& parent) {
    v1::TreeNode node;
    node.mutable_status()->set_node_id(below.bytes());
    node.mutable_status()->set_upstream_id(parent.bytes());
    CatalogChange change;
    change.PutRow(Family::kNodes, below.view(), node);
    catalog.Commit(change);
  }

  void Subscribe(const std::string& product) {
    v1::Subscription subscription;
    subscription.add_products(product);
    CatalogChange change;
    change.PutRow(Family::kSettings, kSubscriptionSetting, subscription);
    catalog.Commit(change);
  }
  v1::Subscription Subscription() { return ReadSubscription(catalog.Read()).value(); }

  absl::StatusOr<v1::GrantPetitionResponse> Grant(const std::string& id, bool dry_run = false) {
    v1::GrantPetitionRequest request;
    request.set_petition_id(id);
    request.set_validate_only(dry_run);
    return service.Grant(CallContext(), request);
  }
  v1::PetitionState StateOf(const std::string& id) {
    return ReadPetition(catalog.Read(), id).value_or(v1::Petition()).state();
  }
  // What `child` hears in the answer to its report.
  void Tell(Node& child) {
    v1::ReportResponse response;
    ASSERT_TRUE(desk.AnswerReport(child.id(), response).ok());
    child.desk.TakeAnswers(response.petition_answers());
  }

  TestCatalog catalog;
  ReportBoard board;
  int subscriptions_changed = 0;
  bool reachable = true;

 private:
  PetitionDesk::Options OptionsFor(Node* above) {
    if (above == nullptr) return {};
    return {.send_up = [this, above](const v1::Petition& petition) -> absl::StatusOr<v1::Petition> {
      if (!above->reachable) return absl::UnavailableError("away");
      v1::SubmitPetitionRequest request;
      request.set_node_id(id().bytes());
      *request.mutable_petition() = petition;
      const auto response = above->service.Submit(request);
      if (!response.ok()) return response.status();
      return response->petition();
    }};
  }

  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  Audit audit_;

 public:
  PetitionDesk desk;
  PetitionService service;
};

class PetitionTest : public ::testing::Test {
 protected:
  PetitionTest() {
    middle_.Subscribe("Contoso");
    leaf_ = std::make_unique<Node>(&middle_);
    root_.Hear(leaf_->id(), middle_.id());
  }

  static v1::Petition Widen(const std::string& product) {
    v1::Petition petition;
    petition.set_kind(v1::PETITION_KIND_WIDEN);
    petition.mutable_subscription()->add_products(product);
    return petition;
  }
  static v1::Petition Pin(const std::string& update) {
    v1::Petition petition;
    petition.set_kind(v1::PETITION_KIND_PIN);
    petition.add_update_ids(UpdateIdOf(update).bytes());
    return petition;
  }
  // A record as `from` has it, offered back.
  static v1::Petition Return(TestCatalog& from, const std::vector<RecordKey>& keys) {
    v1::Petition petition;
    petition.set_kind(v1::PETITION_KIND_RETURN);
    for (const RecordKey& key : keys) {
      *petition.add_records() = from.Read().GetRecord(key).value();
      const ShardId shard = *ShardId::FromBytes(petition.records().rbegin()->shard_id());
      *petition.add_shards() = from.Read().Shard(shard)->definition;
    }
    return petition;
  }
  std::string Ask(Node& node, v1::Petition petition) {
    const auto asked = node.desk.Ask(std::move(petition), CatalogChange());
    EXPECT_TRUE(asked.ok()) << asked.status();
    return asked.ok() ? asked->petition_id() : "";
  }

  Node root_{nullptr};
  Node middle_{&root_};
  std::unique_ptr<Node> leaf_;
};

TEST_F(PetitionTest, GrantingWidensTheSubscriptionAndTheAnswerComesDown) {
  const std::string id = Ask(*leaf_, Widen("Fabrikam"));
  EXPECT_EQ(leaf_->StateOf(id), v1::PETITION_STATE_WAITING);
  EXPECT_EQ(middle_.desk.waiting(), 1);
  const auto preview = middle_.Grant(id, /*dry_run=*/true);
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_THAT(preview->actions(0), HasSubstr("\"Fabrikam\""));
  EXPECT_EQ(middle_.StateOf(id), v1::PETITION_STATE_WAITING);

  const uint64_t calls = middle_.board.CallsOf(leaf_->id());
  ASSERT_TRUE(middle_.Grant(id).ok());
  EXPECT_THAT(middle_.Subscription().products(), ::testing::ElementsAre("Contoso", "Fabrikam"));
  EXPECT_EQ(middle_.subscriptions_changed, 1);
  EXPECT_GT(middle_.board.CallsOf(leaf_->id()), calls) << "the leaf is called to report";
  middle_.Tell(*leaf_);
  EXPECT_EQ(leaf_->StateOf(id), v1::PETITION_STATE_GRANTED);
  EXPECT_EQ(ReasonOf(middle_.Grant(id).status()), v1::REASON_STALE_VERSION);
}

TEST_F(PetitionTest, WhatIsTakenAlreadyIsGrantedAtOnce) {
  const std::string id = Ask(*leaf_, Widen("Contoso/Agent"));
  EXPECT_EQ(leaf_->StateOf(id), v1::PETITION_STATE_GRANTED);
  EXPECT_EQ(middle_.desk.waiting(), 0);
}

TEST_F(PetitionTest, APinTravelsToTheRootAndItsGrantComesBack) {
  const std::string id = Ask(*leaf_, Pin("rare"));
  ASSERT_TRUE(middle_.Grant(id).ok());
  EXPECT_EQ(middle_.StateOf(id), v1::PETITION_STATE_FORWARDED);
  EXPECT_THAT(middle_.Subscription().update_ids(),
              ::testing::ElementsAre(UpdateIdOf("rare").bytes()));
  EXPECT_EQ(root_.StateOf(id), v1::PETITION_STATE_WAITING);
  const auto without = root_.Grant(id);
  EXPECT_EQ(without.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(without.status().message()), HasSubstr("never came from any source"));
  root_.catalog.AddUpdate({.name = "rare"});
  ASSERT_TRUE(root_.Grant(id).ok());
  root_.Tell(middle_);
  EXPECT_EQ(middle_.StateOf(id), v1::PETITION_STATE_GRANTED);
  middle_.Tell(*leaf_);
  EXPECT_EQ(leaf_->StateOf(id), v1::PETITION_STATE_GRANTED);
}

TEST_F(PetitionTest, ARefusalComesBackWithItsWords) {
  const std::string id = Ask(*leaf_, Widen("Fabrikam"));
  v1::RefusePetitionRequest refuse;
  refuse.set_petition_id(id);
  refuse.set_answer("not here");
  ASSERT_TRUE(middle_.service.Refuse(CallContext(), refuse).ok());
  middle_.Tell(*leaf_);
  const auto petition = ReadPetition(leaf_->catalog.Read(), id);
  ASSERT_TRUE(petition.ok());
  EXPECT_EQ(petition->state(), v1::PETITION_STATE_REFUSED);
  EXPECT_EQ(petition->answer(), "not here");
  EXPECT_THAT(middle_.Subscription().products(), ::testing::ElementsAre("Contoso"));
}

TEST_F(PetitionTest, WhatCouldNotBeSentIsSentLaterAndOnce) {
  middle_.reachable = false;
  const std::string id = Ask(*leaf_, Widen("Fabrikam"));
  EXPECT_EQ(middle_.StateOf(id), v1::PETITION_STATE_UNSPECIFIED);
  middle_.reachable = true;
  leaf_->desk.AskAgain();
  EXPECT_EQ(middle_.StateOf(id), v1::PETITION_STATE_WAITING);
  leaf_->desk.AskAgain();
  EXPECT_EQ(middle_.desk.waiting(), 1);
}

TEST_F(PetitionTest, TheRootTakesBackWhatItsHistoryLost) {
  // The same node, in an earlier history, made and approved an update.
  TestCatalog before(absl::FromUnixSeconds(1'600'000'000), root_.id());
  const RecordKey update = before.AddUpdate({.name = "lost"});
  before.Approve("lost");
  const std::string id =
      Ask(*leaf_, Return(before, {update, {v1::RECORD_KIND_POLICY, update.id, 0, {}}}));
  EXPECT_EQ(middle_.StateOf(id), v1::PETITION_STATE_FORWARDED) << "it passes";
  ASSERT_EQ(root_.StateOf(id), v1::PETITION_STATE_WAITING);
  const auto granted = root_.Grant(id);
  ASSERT_TRUE(granted.ok()) << granted.status();
  EXPECT_THAT(granted->actions(0), HasSubstr("take back 2 of 2"));
  EXPECT_EQ(root_.catalog.Read().GetRecord(update)->stamp().SerializeAsString(),
            before.Read().GetRecord(update)->stamp().SerializeAsString());
  EXPECT_TRUE(StandingOf(root_.catalog.Read(), update.id)->approved());
  root_.Tell(middle_);
  middle_.Tell(*leaf_);
  EXPECT_EQ(leaf_->StateOf(id), v1::PETITION_STATE_GRANTED);
}

// A newer decision of the root is not undone by one that comes back, and is not lost either.
TEST_F(PetitionTest, WhatWasDecidedSinceStaysInForce) {
  TestCatalog before(absl::FromUnixSeconds(1'600'000'000), root_.id());
  const RecordKey update = before.AddUpdate({.name = "lost", .product = "Contoso/Old"});
  before.Approve("lost");
  root_.catalog.AddUpdate({.name = "lost", .title = "newer", .product = "Contoso/New"});
  root_.catalog.Decline("lost");
  const std::string id =
      Ask(*leaf_, Return(before, {update, {v1::RECORD_KIND_POLICY, update.id, 0, {}}}));
  ASSERT_TRUE(root_.Grant(id).ok());
  const auto standing = StandingOf(root_.catalog.Read(), update.id);
  ASSERT_TRUE(standing.ok());
  EXPECT_TRUE(standing->declined());
  EXPECT_THAT(standing->decisions, SizeIs(2));
  EXPECT_EQ(standing->current->header.title(), "newer");
  // The policy is in the shard of the current revision.
  const RecordColumns policy =
      *root_.catalog.Read().GetColumns({v1::RECORD_KIND_POLICY, update.id, 0, {}});
  const ShardInfo shard =
      *root_.catalog.Read().Shard(*ShardId::FromBytes(policy.header.shard_id()));
  EXPECT_THAT(shard.definition.product_ids(),
              ::testing::ElementsAreArray(standing->current->header.product_ids()));
}

TEST_F(PetitionTest, AStampOfTheFutureIsRefused) {
  TestCatalog later(absl::FromUnixSeconds(1'900'000'000), root_.id());
  const RecordKey update = later.AddUpdate({.name = "forged"});
  const std::string id = Ask(*leaf_, Return(later, {update}));
  const auto granted = root_.Grant(id);
  EXPECT_EQ(granted.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(granted.status().message()), HasSubstr("newer than this node's history"));
  EXPECT_FALSE(root_.catalog.Read().CurrentRevision(update.id).ok());
}

TEST_F(PetitionTest, DamagedRecordsAreNotTakenIn) {
  TestCatalog before(absl::FromUnixSeconds(1'600'000'000), root_.id());
  v1::Petition petition = Return(before, {before.AddUpdate({.name = "lost"})});
  petition.mutable_records(0)->mutable_body()->append("x");
  const auto asked = leaf_->desk.Ask(petition, CatalogChange());
  EXPECT_EQ(ReasonOf(asked.status()), v1::REASON_INVALID_REQUEST);
}

class HostilePetitionTest : public PetitionTest {
 protected:
  absl::Status Submit(v1::Petition petition, const Uuid& caller) {
    v1::SubmitPetitionRequest request;
    request.set_node_id(caller.bytes());
    *request.mutable_petition() = std::move(petition);
    return middle_.service.Submit(request).status();
  }
  v1::Petition Mine(v1::Petition petition) {
    petition.set_petition_id(Uuid::Random().ToString());
    petition.set_node_id(leaf_->id().bytes());
    return petition;
  }
};

TEST_F(HostilePetitionTest, NobodySpeaksForANodeThatIsNotBelow) {
  const Uuid stranger = Uuid::Random();
  v1::Petition petition = Mine(Widen("Fabrikam"));
  EXPECT_TRUE(Submit(petition, leaf_->id()).ok());
  EXPECT_TRUE(Submit(petition, leaf_->id()).ok()) << "again, and nothing changes";
  EXPECT_EQ(middle_.desk.waiting(), 1);
  EXPECT_EQ(Submit(petition, stranger).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(Submit(Mine(Widen("Fabrikam")), stranger)), v1::REASON_INVALID_REQUEST);
}

TEST_F(HostilePetitionTest, WhatIsMalformedOrTooLargeIsRefused) {
  v1::Petition petition = Mine(Widen("Fabrikam"));
  petition.set_comment(std::string(1025, 'x'));
  EXPECT_EQ(ReasonOf(Submit(petition, leaf_->id())), v1::REASON_INVALID_REQUEST);
  petition = Mine(Widen(std::string(513, 'x')));
  EXPECT_EQ(ReasonOf(Submit(petition, leaf_->id())), v1::REASON_INVALID_REQUEST);
  petition = Mine(Pin("a"));
  petition.add_update_ids("short");
  EXPECT_EQ(ReasonOf(Submit(petition, leaf_->id())), v1::REASON_INVALID_REQUEST);
  petition = Mine(Pin("a"));
  for (int i = 0; i < 1000; ++i) petition.add_update_ids(Uuid::Random().bytes());
  EXPECT_EQ(ReasonOf(Submit(petition, leaf_->id())), v1::REASON_INVALID_REQUEST);
  petition = Mine(Pin("a"));
  petition.set_petition_id("../../etc/passwd");
  EXPECT_EQ(ReasonOf(Submit(petition, leaf_->id())), v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(ReasonOf(Submit(Mine(v1::Petition()), leaf_->id())), v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(middle_.desk.waiting(), 0);
}

TEST_F(HostilePetitionTest, WhoSendsCannotSayThatItIsGranted) {
  v1::Petition petition = Mine(Widen("Fabrikam"));
  petition.set_state(v1::PETITION_STATE_GRANTED);
  petition.set_decided_by("the boss");
  ASSERT_TRUE(Submit(petition, leaf_->id()).ok());
  const auto stored = ReadPetition(middle_.catalog.Read(), petition.petition_id());
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->state(), v1::PETITION_STATE_WAITING);
  EXPECT_EQ(stored->decided_by(), "");
}

TEST_F(HostilePetitionTest, AThousandWaitAndNoMore) {
  for (int i = 0; i < kOpenPetitionsMax; ++i) {
    v1::Petition petition = Mine(Widen("Fabrikam"));
    petition.set_state(v1::PETITION_STATE_WAITING);
    petition.set_from_node_id(leaf_->id().bytes());
    CatalogChange change;
    PutPetition(petition, change);
    middle_.catalog.Commit(change);
  }
  EXPECT_EQ(Submit(Mine(Widen("Fabrikam")), leaf_->id()).code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace sluice
