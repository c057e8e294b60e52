// `upstream`.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "sluice/v1/upstream_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kList[] = "sluice.v1.UpstreamService/ListUpstreams";
constexpr char kSet[] = "sluice.v1.UpstreamService/SetUpstreams";
constexpr char kAdopt[] = "sluice.v1.UpstreamService/AdoptUpstream";

class UpstreamVerbsTest : public CliTest {
 protected:
  void AnswerSet() {
    v1::SetUpstreamsResponse response;
    response.add_upstreams()->set_target("hq:8531");
    response.add_upstreams()->set_target("backup:8531");
    v1::UpstreamPreview& preview = *response.mutable_preview();
    preview.set_node_name("hq");
    preview.set_node_id("0001");
    preview.set_records_same(1000);
    preview.set_records_to_fetch(7);
    preview.set_records_to_keep(3);
    preview.set_decisions_to_keep(1);
    node_.Answer<v1::SetUpstreamsRequest, v1::SetUpstreamsResponse>(kSet, {response});
  }
};

TEST_F(UpstreamVerbsTest, ListsWhomTheNodeMayFollow) {
  v1::ListUpstreamsResponse response;
  v1::UpstreamStatus& first = *response.add_upstreams();
  first.set_target("hq:8531");
  first.set_tls(true);
  first.set_failed_reason("UPSTREAM_CONNECT");
  first.set_failed_message("refused");
  first.mutable_failed_at()->set_seconds(1795500000);
  first.set_set_by("configuration file");
  v1::UpstreamStatus& second = *response.add_upstreams();
  second.set_target("backup:8531");
  second.set_current(true);
  second.set_node_name("backup");
  second.mutable_last_success()->set_seconds(1795500000);
  response.set_records_kept(12);
  node_.Answer<v1::ListUpstreamsRequest, v1::ListUpstreamsResponse>(kList, {response});
  EXPECT_EQ(Run({"upstream", "list"}), 0);
  EXPECT_THAT(out_, HasSubstr("2026-11-24 06:00:00 UPSTREAM_CONNECT: refused"));
  EXPECT_THAT(out_, HasSubstr("*  backup:8531  backup  no"));
  EXPECT_THAT(out_, HasSubstr("12 records kept"));
  EXPECT_EQ(Run({"upstream", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, "hq:8531\nbackup:8531\n");
}

TEST_F(UpstreamVerbsTest, SetsThemInOrderAndSaysWhatThatMeans) {
  AnswerSet();
  EXPECT_EQ(Run({"upstream", "set", "hq:8531", "backup:8531", "--require-reachable"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("follows, in this order:\nhq:8531\nbackup:8531\n"),
                          HasSubstr("1000  are the same"), HasSubstr("7  come"),
                          HasSubstr("3  are kept as missing upstream, with 1 decision")));
  EXPECT_THAT(
      node_.calls(),
      ElementsAre(AllOf(HasSubstr("\"target\":\"hq:8531\""), HasSubstr("\"requireReachable\":true"),
                        Not(HasSubstr("\"tls\"")), Not(HasSubstr("validateOnly")))));
  EXPECT_EQ(Run({"upstream", "set", "hq:8531", "--no-tls", "--dry-run"}), 0);
  EXPECT_THAT(node_.calls().back(),
              AllOf(HasSubstr("\"tls\":false"), HasSubstr("\"validateOnly\":true")));
  EXPECT_EQ(Run({"upstream", "set", "hq:8531", "--no-tls", "--tls"}), 2);
}

TEST_F(UpstreamVerbsTest, ADryRunFailsWhenItCannotBeFollowed) {
  v1::SetUpstreamsResponse response;
  response.mutable_preview()->set_refused_reason("LOOP");
  response.mutable_preview()->set_refused_message("this node is above it");
  node_.Answer<v1::SetUpstreamsRequest, v1::SetUpstreamsResponse>(kSet, {response});
  EXPECT_EQ(Run({"upstream", "set", "leaf:8531", "--dry-run"}), 1);
  EXPECT_THAT(out_, HasSubstr("LOOP: this node is above it"));
}

TEST_F(UpstreamVerbsTest, GoesBackToTheConfigurationWithoutTargets) {
  AnswerSet();
  EXPECT_EQ(Run({"upstream", "set"}), 0);
  EXPECT_THAT(out_, HasSubstr("as configured"));
  EXPECT_THAT(node_.calls().back(), Not(HasSubstr("target")));
}

TEST_F(UpstreamVerbsTest, AdoptsTheUpstreamWhenThatIsConfirmed) {
  v1::AdoptUpstreamResponse response;
  response.set_records_removed(5);
  response.set_updates_removed(2);
  response.set_decisions_removed(1);
  response.set_bytes_to_free(2048);
  response.add_titles("agent 1");
  node_.Answer<v1::AdoptUpstreamRequest, v1::AdoptUpstreamResponse>(kAdopt, {response});
  EXPECT_EQ(Run({"upstream", "adopt", "--dry-run"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("agent 1\n"), HasSubstr("would remove 5 records: 2 updates"),
                          HasSubstr("1 decision"), HasSubstr("2.0 KiB")));
  EXPECT_THAT(node_.calls().back(), HasSubstr("\"validateOnly\":true"));
  EXPECT_EQ(Run({"upstream", "adopt", "--yes"}), 0);
  EXPECT_THAT(node_.calls().back(), HasSubstr("\"confirmed\":true"));
  node_.Fail<v1::AdoptUpstreamRequest>(kAdopt, MakeError(v1::REASON_GUARD_HELD, "5 of 6"));
  EXPECT_NE(Run({"upstream", "adopt"}), 0);
  EXPECT_THAT(err_, HasSubstr("5 of 6"));
}

}  // namespace
}  // namespace sluice
