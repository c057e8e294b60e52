// `tree`, `node`, `update list`, `get`, `where` and `explain`, `category list`, `group`,
// `subscription`.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::string_view kId1 = "11111111-1111-4111-8111-111111111111";
constexpr absl::string_view kId2 = "22222222-2222-4222-8222-222222222222";
constexpr absl::string_view kListUpdates = "sluice.v1.CatalogService/ListUpdates";

v1::UpdateSummary Update(absl::string_view id, absl::string_view title) {
  v1::UpdateSummary update;
  update.set_update_id(std::string(id));
  update.set_title(std::string(title));
  update.set_classification("Security Updates");
  update.set_state(v1::UPDATE_STATE_APPROVED);
  update.set_content(v1::CONTENT_STATE_READY);
  update.set_files(2);
  update.set_files_ready(1);
  update.set_size_bytes(2048);
  return update;
}

TEST_F(CliTest, TreeIndentsNodesBelow) {
  v1::ListNodesResponse response;
  v1::TreeNode& root = *response.add_nodes();
  root.mutable_status()->set_name("hq");
  root.mutable_status()->set_mode(v1::NODE_MODE_ROOT);
  v1::TreeNode& below = *response.add_nodes();
  below.set_depth(1);
  below.set_lag(-1);
  below.mutable_status()->set_name("berlin");
  below.mutable_status()->set_mode(v1::NODE_MODE_REPLICA);
  below.mutable_status()->add_conditions("UPSTREAM_CONNECT");
  below.mutable_heard_at()->set_seconds(1795500000 - 120);
  below.mutable_status()->mutable_last_success()->set_seconds(1795500000 - 7200);
  node_.Answer<v1::ListNodesRequest, v1::ListNodesResponse>("sluice.v1.TreeService/ListNodes",
                                                            {response});
  EXPECT_EQ(Run({"tree"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("\nhq        root     ok "), HasSubstr("\n  berlin  replica  "),
                          HasSubstr("UPSTREAM_CONNECT"), HasSubstr("2 h ago"),
                          HasSubstr("2 min ago\n"), HasSubstr("here\n"), HasSubstr("   ?  ")));
}

TEST_F(CliTest, UpdateWhereShowsEachNodeWithItsStages) {
  v1::WhereResponse response;
  response.set_title("agent 4.2");
  v1::UpdatePlace& root = *response.add_places();
  root.set_node_name("hq");
  root.mutable_visible()->set_state(v1::STAGE_STATE_REACHED);
  root.mutable_visible()->mutable_since()->set_seconds(1795500000);
  v1::UpdatePlace& leaf = *response.add_places();
  leaf.set_node_id(std::string(kId2));
  leaf.set_node_name("berlin");
  leaf.set_depth(1);
  leaf.mutable_metadata()->set_state(v1::STAGE_STATE_REACHED);
  leaf.mutable_decision()->set_state(v1::STAGE_STATE_UNKNOWN);
  leaf.mutable_content()->set_state(v1::STAGE_STATE_NOT_YET);
  leaf.mutable_visible()->set_state(v1::STAGE_STATE_NOT_WANTED);
  leaf.set_files_missing(3);
  leaf.set_waits_for("CONTENT_NO_SPACE");
  leaf.set_detail("3 files are not here");
  leaf.mutable_heard_at()->set_seconds(1795500000 - 120);
  node_.Answer<v1::WhereRequest, v1::WhereResponse>("sluice.v1.TreeService/Where", {response});
  EXPECT_EQ(Run({"update", "where", std::string(kId1)}), 0);
  EXPECT_THAT(
      out_, AllOf(HasSubstr("agent 4.2\n\nNODE"), HasSubstr("2026-11-24 06:00:00"),
                  HasSubstr("\n  berlin  yes       ?         not yet  -  "), HasSubstr("2 min ago"),
                  HasSubstr("CONTENT_NO_SPACE: 3 files are not here\n")));
  EXPECT_THAT(node_.calls(), ElementsAre(HasSubstr(std::string(kId1))));
  EXPECT_EQ(Run({"update", "where", std::string(kId1), "-o", "json"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"waitsFor\": \"CONTENT_NO_SPACE\""));
}

TEST_F(CliTest, UpdateExplainTellsTheVerdictAndTheRules) {
  v1::ExplainResponse response;
  response.set_title("agent 4.2");
  response.set_verdict("berlin does not offer it: it is declined.");
  v1::ExplainStep& seen = *response.add_steps();
  seen.set_node_name("berlin");
  seen.set_rule(v1::VISIBILITY_RULE_NODE_SEEN);
  seen.set_passed(true);
  v1::ExplainStep& declined = *response.add_steps();
  declined.set_node_name("berlin");
  declined.set_rule(v1::VISIBILITY_RULE_NOT_DECLINED);
  declined.set_words("it is declined");
  declined.set_reason("ITEM_DECLINED");
  v1::ExplainStep& content = *response.add_steps();
  content.set_rule(v1::VISIBILITY_RULE_CONTENT);
  content.set_unknown(true);
  node_.Answer<v1::ExplainRequest, v1::ExplainResponse>("sluice.v1.TreeService/Explain",
                                                        {response});
  EXPECT_EQ(Run({"update", "explain", std::string(kId1), "--node", "berlin"}), 0);
  EXPECT_THAT(out_,
              AllOf(HasSubstr("agent 4.2\nberlin does not offer it: it is declined.\n\n"),
                    HasSubstr("berlin  node seen     yes"), HasSubstr("berlin  not declined  NO"),
                    HasSubstr("content       ?"), HasSubstr("ITEM_DECLINED")));
  EXPECT_THAT(node_.calls(), ElementsAre(HasSubstr("\"node\":\"berlin\"")));
  EXPECT_EQ(Run({"update", "explain", std::string(kId1), "-o", "name"}), 0);
  EXPECT_EQ(out_, "not visible\n");
}

TEST_F(CliTest, NodeShowsWhoAnswers) {
  v1::GetNodeResponse response;
  response.mutable_node()->set_node_id(std::string(kId1));
  response.mutable_node()->mutable_status()->set_name("hq");
  response.add_listeners("viewer 127.0.0.1:8530");
  node_.Answer<v1::GetNodeRequest, v1::GetNodeResponse>("sluice.v1.TreeService/GetNode",
                                                        {response});
  EXPECT_EQ(Run({"node"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("hq"), HasSubstr("viewer 127.0.0.1:8530")));
  EXPECT_EQ(Run({"node", "-o", "name"}), 0);
  EXPECT_EQ(out_, std::string(kId1) + "\n");
}

TEST_F(CliTest, UpdateListReadsAllPagesAndPassesTheFilterOn) {
  node_.On<v1::ListUpdatesRequest, v1::ListUpdatesResponse>(
      kListUpdates, [](const v1::ListUpdatesRequest& request) {
        v1::ListUpdatesResponse response;
        if (request.page_token().empty()) {
          *response.add_updates() = Update(kId1, "openssl 3.0.11");
          response.set_next_page_token("more");
        } else {
          *response.add_updates() = Update(kId2, "curl 7.88.1");
        }
        return std::vector<v1::ListUpdatesResponse>{response};
      });
  EXPECT_EQ(Run({"update", "list", "ssl", "--product", "Debian/12", "--state", "not-approved",
                 "--failed"}),
            0);
  EXPECT_THAT(node_.calls()[0],
              AllOf(HasSubstr("\"text\":\"ssl\""), HasSubstr("\"product\":\"Debian/12\""),
                    HasSubstr("UPDATE_STATE_NOT_APPROVED"), HasSubstr("\"failed\":true")));
  EXPECT_THAT(out_,
              AllOf(HasSubstr("openssl 3.0.11  Security Updates  -         approved  ready  "),
                    HasSubstr("1/2  2.0 KiB"), HasSubstr("curl 7.88.1")));
  EXPECT_EQ(err_, "2 updates\n");
  EXPECT_EQ(Run({"update", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, std::string(kId1) + "\n" + std::string(kId2) + "\n");
  EXPECT_EQ(Run({"update", "list", "--limit", "1", "-o", "name"}), 0);
  EXPECT_EQ(out_, std::string(kId1) + "\n");
  EXPECT_EQ(Run({"update", "list", "-o", "json"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("\"title\": \"openssl 3.0.11\""),
                          HasSubstr("\"nextPageToken\": \"\"")));
}

TEST_F(CliTest, UpdateListRefusesBadFlags) {
  EXPECT_EQ(Run({"update", "list", "--state", "good"}), 2);
  EXPECT_THAT(err_, HasSubstr("none of approved, not-approved, declined, pending, inactive"));
  EXPECT_EQ(Run({"update", "list", "--limit", "0"}), 2);
}

TEST_F(CliTest, UpdateGetFindsAnUpdateByItsTitle) {
  v1::ListUpdatesResponse list;
  *list.add_updates() = Update(kId2, "openssl 3.0.11-1~deb12u20");
  *list.add_updates() = Update(kId1, "openssl 3.0.11-1~deb12u2");
  node_.Answer<v1::ListUpdatesRequest, v1::ListUpdatesResponse>(kListUpdates, {list});
  v1::GetUpdateResponse got;
  *got.mutable_summary() = list.updates(1);
  v1::RevisionStatus& revision = *got.add_revisions();
  revision.set_revision(3);
  revision.set_current(true);
  revision.mutable_payload()->add_cves("CVE-2023-5363");
  v1::FileStatus& file = *revision.add_files();
  file.set_name("openssl_3.0.11.deb");
  file.set_state(v1::CONTENT_STATE_FAILED);
  file.set_detail("no space");
  v1::DecisionStatus& decision = *got.add_decisions();
  decision.set_group_id(std::string(kId2));
  decision.set_group_name("Servers");
  decision.mutable_decision()->set_action(v1::APPROVAL_ACTION_INSTALL);
  decision.mutable_deadline()->set_seconds(1795500000);
  got.set_description("line one\nline two\x1b");
  node_.Answer<v1::GetUpdateRequest, v1::GetUpdateResponse>("sluice.v1.CatalogService/GetUpdate",
                                                            {got});
  EXPECT_EQ(Run({"update", "get", "openssl 3.0.11-1~deb12u2"}), 0);
  EXPECT_THAT(node_.calls()[1], HasSubstr(std::string(kId1)));
  EXPECT_THAT(out_,
              AllOf(HasSubstr("CVE-2023-5363"), HasSubstr("install   Servers  2026-11-24 06:"),
                    HasSubstr("3 (current)  openssl_3.0.11.deb"), HasSubstr("no space"),
                    HasSubstr("line one\nline two?\n")));
}

TEST_F(CliTest, CategoryListShowsPaths) {
  v1::ListCategoriesResponse response;
  response.add_categories()->set_path("Debian/12");
  response.mutable_categories(0)->set_kind(v1::CATEGORY_KIND_PRODUCT_FAMILY);
  node_.Answer<v1::ListCategoriesRequest, v1::ListCategoriesResponse>(
      "sluice.v1.CatalogService/ListCategories", {response});
  EXPECT_EQ(Run({"category", "list"}), 0);
  EXPECT_EQ(out_, "KIND            PATH       UPDATES\nproduct family  Debian/12        0\n");
}

TEST_F(CliTest, GroupListNamesParents) {
  v1::ListGroupsResponse response;
  v1::GroupStatus& all = *response.add_groups();
  all.set_group_id(std::string(kId1));
  all.set_name("All Computers");
  v1::GroupStatus& group = *response.add_groups();
  group.set_name("Servers");
  group.set_parent_id(std::string(kId1));
  node_.Answer<v1::ListGroupsRequest, v1::ListGroupsResponse>("sluice.v1.PolicyService/ListGroups",
                                                              {response});
  EXPECT_EQ(Run({"group", "list"}), 0);
  EXPECT_THAT(out_, HasSubstr("\nServers        All Computers         0"));
  EXPECT_EQ(Run({"group", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, "All Computers\nServers\n");
}

TEST_F(CliTest, GroupCreateMapsDryRunToValidateOnly) {
  v1::CreateGroupResponse response;
  response.mutable_group()->set_name("Servers");
  response.mutable_group()->set_group_id(std::string(kId1));
  node_.Answer<v1::CreateGroupRequest, v1::CreateGroupResponse>(
      "sluice.v1.PolicyService/CreateGroup", {response});
  EXPECT_EQ(Run({"group", "create", "Servers", "--parent", "EU", "--dry-run"}), 0);
  EXPECT_THAT(node_.calls(),
              ElementsAre("sluice.v1.PolicyService/CreateGroup "
                          "{\"name\":\"Servers\",\"parent\":\"EU\",\"validateOnly\":true}"));
  EXPECT_EQ(out_, "would create group Servers " + std::string(kId1) + "\n");
}

class SubscriptionVerbTest : public CliTest {
 protected:
  SubscriptionVerbTest() {
    v1::GetSubscriptionResponse present;
    present.mutable_subscription()->add_products("Debian/11");
    present.mutable_subscription()->add_languages("de");
    present.add_unmatched("Debian/11");
    node_.Answer<v1::GetSubscriptionRequest, v1::GetSubscriptionResponse>(
        "sluice.v1.PolicyService/GetSubscription", {present});
    node_.On<v1::SetSubscriptionRequest, v1::SetSubscriptionResponse>(
        "sluice.v1.PolicyService/SetSubscription", [](const v1::SetSubscriptionRequest& request) {
          v1::SetSubscriptionResponse response;
          *response.mutable_subscription() = request.subscription();
          return std::vector<v1::SetSubscriptionResponse>{response};
        });
  }
};

TEST_F(SubscriptionVerbTest, GetShowsWhatIsWantedAndWhatMatchesNothing) {
  EXPECT_EQ(Run({"subscription", "get"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("products         Debian/11    all"),
                          HasSubstr("classifications  all          all")));
  EXPECT_EQ(err_, "matches nothing yet: Debian/11\n");
}

TEST_F(SubscriptionVerbTest, SetKeepsTheListsThatAreNotNamed) {
  EXPECT_EQ(Run({"subscription", "set", "--product", "Debian/12", "--product", "Contoso"}), 0);
  EXPECT_THAT(node_.calls()[1],
              HasSubstr("{\"subscription\":{\"products\":[\"Debian/12\",\"Contoso\"],"
                        "\"languages\":[\"de\"]}}"));
  EXPECT_EQ(Run({"subscription", "set", "--all-languages", "--dry-run"}), 0);
  EXPECT_THAT(node_.calls()[3],
              HasSubstr("{\"subscription\":{\"products\":[\"Debian/11\"]},\"validateOnly\":true}"));
}

TEST_F(SubscriptionVerbTest, SetSaysWhatComesAndGoesAndWhoBelowIsShort) {
  node_.On<v1::SetSubscriptionRequest, v1::SetSubscriptionResponse>(
      "sluice.v1.PolicyService/SetSubscription", [](const v1::SetSubscriptionRequest& request) {
        v1::SetSubscriptionResponse response;
        *response.mutable_subscription() = request.subscription();
        v1::SelectionDifference& difference = *response.mutable_difference();
        difference.set_updates_gained(12);
        difference.add_titles_gained("openssl 3.0");
        difference.set_bytes_to_fetch(3 << 20);
        difference.set_updates_lost(1);
        difference.add_titles_lost("old tool");
        difference.set_approvals_inactive(1);
        response.add_not_taken_upstream("product Fabrikam");
        v1::ChildShortfall& shortfall = *response.add_shortfalls();
        shortfall.set_node_name("site");
        shortfall.add_parts("product Debian/11");
        shortfall.set_updates_lost(1);
        return std::vector<v1::SetSubscriptionResponse>{response};
      });
  EXPECT_EQ(Run({"subscription", "set", "--product", "Debian/12", "--dry-run"}), 0);
  EXPECT_THAT(
      out_,
      AllOf(HasSubstr("updates             12       1\n"),
            HasSubstr("bytes of files      3.0 MiB  0 B\n"), HasSubstr("1 become inactive"),
            HasSubstr("comes:\n  openssl 3.0\n  and 11 more\n"), HasSubstr("goes:\n  old tool\n")));
  EXPECT_EQ(err_,
            "the upstream itself does not take product Fabrikam\n"
            "node site below loses 1 update, for it wants product Debian/11\n");
}

TEST_F(SubscriptionVerbTest, SetSaysWhyWhatWouldComeIsNotKnown) {
  node_.On<v1::SetSubscriptionRequest, v1::SetSubscriptionResponse>(
      "sluice.v1.PolicyService/SetSubscription", [](const v1::SetSubscriptionRequest&) {
        v1::SetSubscriptionResponse response;
        response.set_upstream_reason("UPSTREAM_CONNECT");
        response.set_upstream_message("connecting to hq:8531: refused");
        return std::vector<v1::SetSubscriptionResponse>{response};
      });
  EXPECT_EQ(Run({"subscription", "set", "--all-products", "--dry-run"}), 0);
  EXPECT_THAT(out_, HasSubstr("updates             unknown  0\n"));
  EXPECT_EQ(err_,
            "what would come is not known: connecting to hq:8531: refused (UPSTREAM_CONNECT)\n");
}

TEST_F(SubscriptionVerbTest, PinAndUnpinSayWhatBecameOfEachUpdate) {
  node_.On<v1::PinUpdatesRequest, v1::PinUpdatesResponse>(
      "sluice.v1.PolicyService/PinUpdates", [](const v1::PinUpdatesRequest& request) {
        v1::PinUpdatesResponse response;
        for (const std::string& id : request.update_ids()) {
          v1::DecisionResult& result = *response.add_results();
          result.set_update_id(id);
          result.set_changed(!request.remove());
        }
        response.set_pins(1);
        return std::vector<v1::PinUpdatesResponse>{response};
      });
  EXPECT_EQ(Run({"subscription", "pin", std::string(kId1)}), 0);
  EXPECT_THAT(node_.calls().back(), HasSubstr("{\"updateIds\":[\"" + std::string(kId1) + "\"]}"));
  EXPECT_THAT(out_, AllOf(HasSubstr("pinned"), HasSubstr("1 pin in all\n")));
  EXPECT_EQ(Run({"subscription", "pin", std::string(kId1), "--dry-run"}), 0);
  EXPECT_THAT(out_, HasSubstr("would be pinned"));
  EXPECT_EQ(Run({"subscription", "unpin", std::string(kId1)}), 0);
  EXPECT_THAT(node_.calls().back(), HasSubstr("\"remove\":true"));
  EXPECT_THAT(out_, HasSubstr("no change"));
  EXPECT_EQ(Run({"subscription", "pin"}), 2);
}

TEST_F(SubscriptionVerbTest, SetRefusesNothingAndContradictions) {
  EXPECT_EQ(Run({"subscription", "set"}), 2);
  EXPECT_THAT(err_, HasSubstr("say what to change"));
  EXPECT_EQ(Run({"subscription", "set", "--product", "a", "--all-products"}), 2);
  EXPECT_THAT(err_, HasSubstr("contradict each other"));
}

}  // namespace
}  // namespace sluice
