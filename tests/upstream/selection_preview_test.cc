#include "upstream/selection_preview.h"

#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/selection.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Uuid kChild = Uuid::FromName({}, "child");

v1::Subscription To(const std::vector<std::string>& products,
                    const std::vector<std::string>& pins = {}) {
  v1::Subscription subscription;
  subscription.mutable_products()->Add(products.begin(), products.end());
  std::vector<Uuid> ids;
  for (const std::string& pin : pins) ids.push_back(UpdateIdOf(pin));
  SetPicks(ids, subscription);
  return subscription;
}

void FillWorld(TestCatalog& catalog) {
  for (const char* path : {"Contoso/Agent", "Contoso/Tool", "Fabrikam"}) catalog.AddProduct(path);
  catalog.AddUpdate({.name = "agent", .product = "Contoso/Agent", .contents = {"agent bytes"}});
  catalog.AddUpdate({.name = "tool",
                     .product = "Contoso/Tool",
                     .contents = {"tool bytes!"},
                     .prerequisites = {"base"}});
  catalog.AddUpdate({.name = "base", .product = "Fabrikam"});
  catalog.Approve("agent");
  catalog.Approve("tool");
}

class PreviewAtTheUpstreamTest : public ::testing::Test {
 protected:
  PreviewAtTheUpstreamTest() { FillWorld(catalog_); }

  v1::PreviewSelectionResponse Preview(const v1::Subscription& present,
                                       const v1::Subscription& intended) {
    v1::PreviewSelectionRequest request;
    request.set_node_id(kChild.bytes());
    *request.mutable_present() = present;
    *request.mutable_intended() = intended;
    const auto response = PreviewSelection(catalog_.Read(), request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::PreviewSelectionResponse());
  }

  TestCatalog catalog_;
};

TEST_F(PreviewAtTheUpstreamTest, CountsWhatComesWithAllThatItNeeds) {
  const auto response = Preview(To({"Contoso/Agent"}), To({"Contoso"}));
  EXPECT_EQ(response.difference().updates_gained(), 2);
  EXPECT_EQ(response.difference().approvals_gained(), 1);
  EXPECT_EQ(response.difference().bytes_to_fetch(), 11);
  EXPECT_EQ(response.difference().updates_lost(), 0);
  EXPECT_THAT(response.not_taken_here(), IsEmpty());
}

TEST_F(PreviewAtTheUpstreamTest, NamesWhatMatchesNothingAndWhatItDoesNotTakeItself) {
  CatalogChange change;
  change.PutRow(Family::kSettings, kSubscriptionSetting, To({"Contoso"}));
  catalog_.Commit(change);
  v1::Subscription intended = To({"Contoso/Next", "Fabrikam"}, {"nowhere"});
  const auto response = Preview(To({"Contoso/Agent"}), intended);
  EXPECT_THAT(response.unmatched(), ElementsAre("Contoso/Next"));
  EXPECT_THAT(response.not_taken_here(),
              ElementsAre("product Fabrikam", "update " + UpdateIdOf("nowhere").ToString()));
}

TEST_F(PreviewAtTheUpstreamTest, SaysNothingOfDecisionsToOneWhoDecidesItself) {
  v1::PreviewSelectionRequest request;
  request.set_node_id(kChild.bytes());
  request.set_mode(v1::NODE_MODE_AUTONOMOUS);
  *request.mutable_present() = To({"Contoso/Agent"});
  const auto response = PreviewSelection(catalog_.Read(), request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->difference().updates_gained(), 2);
  EXPECT_EQ(response->difference().approvals_gained(), 0);
  EXPECT_EQ(response->difference().bytes_to_fetch(), 0);
}

class PreviewAtANodeTest : public ::testing::Test {
 protected:
  PreviewAtANodeTest() {
    FillWorld(catalog_);
    sources_.ask = [this](const v1::PreviewSelectionRequest& request) {
      asked_ = request;
      return answer_;
    };
    sources_.present = [](const ContentInfo&) { return true; };
  }

  v1::SetSubscriptionResponse Preview(const v1::Subscription& intended) {
    v1::SetSubscriptionResponse response;
    const absl::Status status = PreviewSubscription(catalog_.Read(), intended, sources_, response);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }

  void AddBelow(const std::string& name, const Uuid& upstream,
                const v1::Subscription& subscription) {
    v1::TreeNode node;
    node.mutable_status()->set_node_id(Uuid::FromName({}, name).bytes());
    node.mutable_status()->set_name(name);
    node.mutable_status()->set_upstream_id(upstream.bytes());
    *node.mutable_status()->mutable_subscription() = subscription;
    CatalogChange change;
    change.PutRow(Family::kNodes, node.status().node_id(), node);
    catalog_.Commit(change);
  }

  TestCatalog catalog_;
  PreviewSources sources_;
  v1::PreviewSelectionRequest asked_;
  absl::StatusOr<v1::PreviewSelectionResponse> answer_ = v1::PreviewSelectionResponse();
};

TEST_F(PreviewAtANodeTest, PutsWhatComesAboveAndWhatGoesHereTogether) {
  answer_->mutable_difference()->set_updates_gained(7);
  answer_->mutable_difference()->set_updates_lost(99);
  answer_->add_not_taken_here("product Fabrikam");
  const auto response = Preview(To({"Contoso/Agent"}));
  EXPECT_THAT(asked_.intended().products(), ElementsAre("Contoso/Agent"));
  EXPECT_THAT(asked_.present().products(), IsEmpty());
  EXPECT_EQ(response.difference().updates_gained(), 7);
  EXPECT_EQ(response.difference().updates_lost(), 2);
  EXPECT_EQ(response.difference().approvals_inactive(), 1);
  EXPECT_EQ(response.difference().bytes_to_free(), 11);
  EXPECT_THAT(response.not_taken_upstream(), ElementsAre("product Fabrikam"));
  EXPECT_EQ(response.upstream_reason(), "");
}

TEST_F(PreviewAtANodeTest, AnswersItsHalfWhenTheUpstreamIsAway) {
  v1::HelloResponse above;
  *above.mutable_subscription() = To({"Contoso"});
  CatalogChange change;
  change.PutRow(Family::kSettings, kUpstreamHelloSetting, above);
  catalog_.Commit(change);
  answer_ = MakeError(v1::REASON_UPSTREAM_CONNECT, "refused");
  const auto response = Preview(To({"Contoso/Agent", "Fabrikam"}));
  EXPECT_EQ(response.upstream_reason(), "UPSTREAM_CONNECT");
  EXPECT_EQ(response.upstream_message(), "refused");
  EXPECT_EQ(response.difference().updates_lost(), 1);
  EXPECT_THAT(response.not_taken_upstream(), ElementsAre("product Fabrikam"));
}

TEST_F(PreviewAtANodeTest, NamesNodesBelowThatCouldNotBeSatisfiedAnyMore) {
  const Uuid near = Uuid::FromName({}, "near");
  AddBelow("near", catalog_->node_id(), To({"Contoso", "Nobody"}));
  AddBelow("far", near, To({"Contoso/Tool"}));
  AddBelow("content", catalog_->node_id(), To({"Contoso/Agent"}));
  AddBelow("elsewhere", Uuid::FromName({}, "stranger"), To({"Contoso/Tool"}));
  const auto response = Preview(To({"Contoso/Agent"}));
  ASSERT_THAT(response.shortfalls(), SizeIs(2));
  for (const v1::ChildShortfall& shortfall : response.shortfalls()) {
    const bool is_near = shortfall.node_name() == "near";
    EXPECT_EQ(absl::StrJoin(shortfall.parts(), ", "),
              is_near ? "product Contoso, product Nobody" : "product Contoso/Tool");
    EXPECT_EQ(shortfall.updates_lost(), 1);
    EXPECT_EQ(shortfall.node_id(), Uuid::FromName({}, is_near ? "near" : "far").ToString());
  }
}

}  // namespace
}  // namespace sluice
