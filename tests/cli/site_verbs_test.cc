// `site hold`, `site suppress`, `site release`, `site list`.
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/site_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::string_view kId = "11111111-1111-4111-8111-111111111111";
constexpr absl::string_view kService = "sluice.v1.SiteService/";

class SiteVerbsTest : public CliTest {
 protected:
  template <typename Request, typename Response>
  void AnswerAll(absl::string_view method, v1::ItemStatus status = {}) {
    node_.On<Request, Response>(absl::StrCat(kService, method), [status](const Request& request) {
      Response response;
      for (const std::string& id : request.update_ids()) {
        v1::NoticeResult& result = *response.add_results();
        result.set_update_id(id);
        result.set_title("openssl");
        result.set_changed(status.code() == 0);
        *result.mutable_status() = status;
      }
      return std::vector<Response>{response};
    });
  }
};

TEST_F(SiteVerbsTest, HoldsForALengthOfTimeOrUntilATime) {
  AnswerAll<v1::HoldUpdatesRequest, v1::HoldUpdatesResponse>("HoldUpdates");
  EXPECT_EQ(Run({"site", "hold", std::string(kId), "--until", "2100-01-01T00:00:00Z", "--comment",
                 "wait", "--dry-run"}),
            0)
      << err_;
  EXPECT_THAT(node_.calls(),
              ElementsAre(absl::StrCat(kService, "HoldUpdates {\"updateIds\":[\"", kId,
                                       "\"],\"heldUntil\":\"2100-01-01T00:00:00Z\",\"comment\":"
                                       "\"wait\",\"validateOnly\":true}")));
  EXPECT_THAT(out_, HasSubstr("openssl  would be held"));
  EXPECT_EQ(Run({"site", "hold", std::string(kId), "--for", "3d"}), 0);
  EXPECT_THAT(out_, HasSubstr("openssl  held"));
}

TEST_F(SiteVerbsTest, WantsToKnowUntilWhen) {
  EXPECT_EQ(Run({"site", "hold", std::string(kId)}), 2);
  EXPECT_THAT(err_, HasSubstr("--until TIME or --for LENGTH"));
  EXPECT_EQ(
      Run({"site", "hold", std::string(kId), "--for", "3d", "--until", "2100-01-01T00:00:00Z"}), 2);
  EXPECT_EQ(Run({"site", "hold", std::string(kId), "--for", "soon"}), 2);
  EXPECT_EQ(Run({"site", "hold", std::string(kId), "--until", "tomorrow"}), 2);
  EXPECT_EQ(Run({"site", "hold", std::string(kId), "--until", "2001-01-01T00:00:00Z"}), 2);
  EXPECT_THAT(err_, HasSubstr("has passed"));
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(SiteVerbsTest, SuppressesAndReleases) {
  AnswerAll<v1::SuppressUpdatesRequest, v1::SuppressUpdatesResponse>("SuppressUpdates");
  EXPECT_EQ(Run({"site", "suppress", std::string(kId), "-o", "name"}), 0);
  EXPECT_EQ(out_, absl::StrCat(kId, "\n"));
  v1::ItemStatus unknown;
  unknown.set_code(5);
  unknown.set_reason("ITEM_NOT_FOUND");
  unknown.set_message("it is not here");
  AnswerAll<v1::ReleaseUpdatesRequest, v1::ReleaseUpdatesResponse>("ReleaseUpdates", unknown);
  EXPECT_EQ(Run({"site", "release", std::string(kId)}), 1);
  EXPECT_THAT(out_, HasSubstr("failed: it is not here (ITEM_NOT_FOUND)"));
  EXPECT_THAT(err_, HasSubstr("1 of 1 update failed"));
}

TEST_F(SiteVerbsTest, ListsWhoHoldsBackWhat) {
  v1::ListNoticesResponse response;
  v1::NoticeStatus& own = *response.add_notices();
  own.set_update_id(std::string(kId));
  own.set_title("openssl");
  own.set_node_name("region");
  own.set_own(true);
  own.mutable_notice()->set_suppressed(true);
  v1::NoticeStatus& above = *response.add_notices();
  above.set_node_id("22222222-2222-4222-8222-222222222222");
  above.mutable_notice()->mutable_held_until()->set_seconds(4'102'444'800);
  above.mutable_notice()->set_comment("not in December");
  node_.Answer<v1::ListNoticesRequest, v1::ListNoticesResponse>(
      absl::StrCat(kService, "ListNotices"), {response});
  EXPECT_EQ(Run({"site", "list"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("region (this node)"), HasSubstr("suppressed"),
                          HasSubstr("held until 2100-01-01"), HasSubstr("22222222-2222"),
                          HasSubstr("not in December")));
}

}  // namespace
}  // namespace sluice
