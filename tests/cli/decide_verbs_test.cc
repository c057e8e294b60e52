// `approve`, `decline`, `clear`.
#include "gmock/gmock.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::string_view kId1 = "11111111-1111-4111-8111-111111111111";
constexpr absl::string_view kId2 = "22222222-2222-4222-8222-222222222222";
constexpr absl::string_view kApprove = "sluice.v1.PolicyService/ApproveUpdates";

// Answers a decision about each update: changed, or as `status` says.
template <typename Request, typename Response>
void DecideAll(ScriptedNode& node, absl::string_view method, v1::ItemStatus status = {}) {
  node.On<Request, Response>(method, [status](const Request& request) {
    Response response;
    for (const std::string& id : request.update_ids()) {
      v1::DecisionResult& result = *response.add_results();
      result.set_update_id(id);
      result.set_title("title of " + id.substr(0, 2));
      result.set_changed(status.code() == 0);
      *result.mutable_status() = status;
    }
    return std::vector<Response>{response};
  });
}

class DecideVerbsTest : public CliTest {
 protected:
  DecideVerbsTest() {
    DecideAll<v1::ApproveUpdatesRequest, v1::ApproveUpdatesResponse>(node_, kApprove);
    SetTitles({{kId1, "openssl 3.0.11-1~deb12u2"}});
  }

  void SetTitles(std::vector<std::pair<absl::string_view, std::string>> titles) {
    v1::ListUpdatesResponse response;
    for (const auto& [id, title] : titles) {
      v1::UpdateSummary& update = *response.add_updates();
      update.set_update_id(std::string(id));
      update.set_title(title);
    }
    node_.Answer<v1::ListUpdatesRequest, v1::ListUpdatesResponse>(
        "sluice.v1.CatalogService/ListUpdates", {response});
  }
};

TEST_F(DecideVerbsTest, ApproveTakesSeveralIdsEachOnce) {
  EXPECT_EQ(Run({"approve", std::string(kId1), std::string(kId2), std::string(kId1)}), 0);
  EXPECT_THAT(node_.calls(),
              ElementsAre(absl::StrCat(kApprove, " {\"updateIds\":[\"", kId1, "\",\"", kId2,
                                       "\"],\"action\":\"APPROVAL_ACTION_INSTALL\"}")));
  EXPECT_THAT(out_, HasSubstr("title of 22  approved"));
}

TEST_F(DecideVerbsTest, ApprovePassesGroupDeadlineAndCommentOn) {
  EXPECT_EQ(Run({"approve", std::string(kId1), "--group", "Servers", "--deadline",
                 "2026-12-01T00:00:00Z", "--comment", "CVE", "--uninstall", "--dry-run"}),
            0);
  EXPECT_THAT(node_.calls()[0],
              AllOf(HasSubstr("\"group\":\"Servers\""), HasSubstr("2026-12-01T00:00:00Z"),
                    HasSubstr("\"comment\":\"CVE\""), HasSubstr("ACTION_UNINSTALL"),
                    HasSubstr("\"validateOnly\":true")));
  EXPECT_THAT(out_, HasSubstr("would be approved"));
}

TEST_F(DecideVerbsTest, ADeadlineMayBeALengthOfTimeFromNow) {
  EXPECT_EQ(Run({"approve", std::string(kId1), "--deadline", "7d"}), 0);
  EXPECT_THAT(node_.calls()[0], HasSubstr("\"deadline\":\"2026-12-01T06:00:00Z\""));
}

TEST_F(DecideVerbsTest, RefusesADeadlineThatIsNoneOrHasPassed) {
  EXPECT_EQ(Run({"approve", std::string(kId1), "--deadline", "soon"}), 2);
  EXPECT_THAT(err_, HasSubstr("neither a time as in"));
  EXPECT_EQ(Run({"approve", std::string(kId1), "--deadline", "2020-01-01T00:00:00Z"}), 2);
  EXPECT_THAT(err_, HasSubstr("has passed"));
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(DecideVerbsTest, ApproveResolvesATitle) {
  EXPECT_EQ(Run({"approve", "openssl"}), 0);
  EXPECT_THAT(node_.calls()[0], HasSubstr("\"text\":\"openssl\""));
  EXPECT_THAT(node_.calls()[1], HasSubstr(std::string(kId1)));
}

TEST_F(DecideVerbsTest, AnExactTitleWinsOverLongerOnes) {
  SetTitles({{kId2, "openssl 3.0.11-1~deb12u20"}, {kId1, "openssl 3.0.11-1~deb12u2"}});
  EXPECT_EQ(Run({"approve", "OpenSSL 3.0.11-1~deb12u2"}), 0);
  EXPECT_THAT(node_.calls()[1], HasSubstr(std::string(kId1)));
}

TEST_F(DecideVerbsTest, AnAmbiguousTitleChangesNothingAndListsTheCandidates) {
  SetTitles({{kId2, "openssl 3.0.13"}, {kId1, "openssl 3.0.11"}});
  EXPECT_EQ(Run({"approve", "openssl"}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("\"openssl\" fits 2 updates; name one by its id:\n  2222"),
                          HasSubstr("openssl 3.0.11")));
  EXPECT_THAT(node_.calls(), SizeIs(1));
  SetTitles({});
  EXPECT_EQ(Run({"approve", "openssl"}), 1);
  EXPECT_THAT(err_, HasSubstr("no update fits \"openssl\""));
}

TEST_F(DecideVerbsTest, AllMatchingNeedsAConfirmation) {
  SetTitles({{kId2, "openssl 3.0.13"}, {kId1, "openssl 3.0.11"}});
  EXPECT_EQ(Run({"approve", "--all-matching", "openssl"}), 2);
  EXPECT_THAT(err_, AllOf(HasSubstr("this is about 2 updates:\n  openssl 3.0.13"),
                          HasSubstr("confirm with --yes")));
  EXPECT_THAT(node_.calls(), SizeIs(1));
  EXPECT_EQ(Run({"approve", "--all-matching", "openssl", "--yes"}), 0);
  EXPECT_THAT(node_.calls()[2], AllOf(HasSubstr(std::string(kId1)), HasSubstr(std::string(kId2))));
  EXPECT_EQ(Run({"approve", "--all-matching", "openssl", "--dry-run"}), 0);
  EXPECT_THAT(node_.calls()[4], HasSubstr("\"validateOnly\":true"));
}

TEST_F(DecideVerbsTest, AllMatchingSendsAtMostAThousandACall) {
  std::vector<std::pair<absl::string_view, std::string>> titles(1001, {kId1, "x"});
  SetTitles(titles);
  EXPECT_EQ(Run({"approve", "--all-matching", "x", "--yes", "-o", "name"}), 0);
  EXPECT_THAT(node_.calls(), SizeIs(3));
}

TEST_F(DecideVerbsTest, RefusesNoNamesAndBothWaysOfNaming) {
  EXPECT_EQ(Run({"approve"}), 2);
  EXPECT_THAT(err_, HasSubstr("name at least one update"));
  EXPECT_EQ(Run({"approve", "a", "--all-matching", "b"}), 2);
  EXPECT_EQ(Run({"approve", "--all-matching", ""}), 2);
  EXPECT_EQ(Run({"approve", std::string(kId1), std::string(kId2), "--revision", "ab"}), 2);
  EXPECT_THAT(err_, HasSubstr("--revision goes with a single update"));
}

TEST_F(DecideVerbsTest, AFailedItemExitsWithOneAndIsExplained) {
  v1::ItemStatus status;
  status.set_code(5);
  status.set_reason("ITEM_NOT_FOUND");
  status.set_message("no such update");
  DecideAll<v1::ApproveUpdatesRequest, v1::ApproveUpdatesResponse>(node_, kApprove, status);
  EXPECT_EQ(Run({"approve", std::string(kId1)}), 1);
  EXPECT_THAT(out_, HasSubstr("failed: no such update (ITEM_NOT_FOUND)"));
  EXPECT_EQ(err_, "1 of 1 update could not be decided\n");
}

TEST_F(DecideVerbsTest, DeclineAndClearPassTheirFlagsOn) {
  DecideAll<v1::DeclineUpdatesRequest, v1::DeclineUpdatesResponse>(
      node_, "sluice.v1.PolicyService/DeclineUpdates");
  DecideAll<v1::ClearDecisionsRequest, v1::ClearDecisionsResponse>(
      node_, "sluice.v1.PolicyService/ClearDecisions");
  EXPECT_EQ(Run({"decline", std::string(kId1), "--comment", "broken"}), 0);
  EXPECT_THAT(node_.calls()[0], HasSubstr("\"comment\":\"broken\""));
  EXPECT_THAT(out_, HasSubstr("declined"));
  EXPECT_EQ(Run({"clear", std::string(kId1), "--decline", "--group", "Servers"}), 0);
  EXPECT_THAT(node_.calls()[1],
              AllOf(HasSubstr("\"decline\":true"), HasSubstr("\"group\":\"Servers\"")));
}

}  // namespace
}  // namespace sluice
