// `parity` and `petition`.
#include <fstream>
#include <sstream>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/petition_service.pb.h"
#include "tests/cli/cli_fixture.h"
#include "tests/storage/temporary_directory.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kCheck[] = "sluice.v1.ParityService/Check";

class ParityVerbsTest : public CliTest {
 protected:
  static v1::CheckSummary SummaryOf(const std::vector<v1::Finding>& findings) {
    v1::CheckSummary summary;
    summary.set_in_parity(findings.empty());
    summary.set_findings(static_cast<int64_t>(findings.size()));
    summary.set_upstream_name("hq");
    summary.mutable_findings_by_class()->Resize(v1::FindingClass_ARRAYSIZE, 0);
    for (const v1::Finding& finding : findings) {
      const int number = finding.finding_class();
      summary.set_findings_by_class(number, summary.findings_by_class(number) + 1);
      summary.set_findings_standing(summary.findings_standing() + (finding.standing() ? 1 : 0));
    }
    return summary;
  }
  void SetFindings(std::vector<v1::Finding> findings, std::vector<v1::NodeParity> nodes = {}) {
    std::vector<v1::CheckResponse> events;
    for (const v1::Finding& finding : findings) *events.emplace_back().mutable_finding() = finding;
    for (const v1::NodeParity& node : nodes) *events.emplace_back().mutable_node() = node;
    *events.emplace_back().mutable_summary() = SummaryOf(findings);
    node_.Answer<v1::CheckRequest, v1::CheckResponse>(kCheck, events);
  }
  static v1::Finding Of(v1::FindingClass finding_class, bool standing = false) {
    v1::Finding finding;
    finding.set_finding_class(finding_class);
    finding.set_title("openssl");
    finding.set_id("id");
    finding.set_standing(standing);
    return finding;
  }
};

TEST_F(ParityVerbsTest, CheckExitsByWhatItFinds) {
  SetFindings({});
  EXPECT_EQ(Run({"parity", "check"}), 0);
  EXPECT_THAT(out_, HasSubstr("in parity with hq ("));
  SetFindings({Of(v1::FINDING_CLASS_MISSING_DOWNSTREAM)});
  EXPECT_EQ(Run({"parity", "check", "--content"}), 1);
  EXPECT_THAT(node_.calls()[1], HasSubstr("\"verifyContent\":true"));
  EXPECT_THAT(out_, AllOf(HasSubstr("missing downstream  -     openssl"),
                          HasSubstr("not in parity with hq")));
  SetFindings({Of(v1::FINDING_CLASS_MISSING_UPSTREAM, true)});
  EXPECT_EQ(Run({"parity", "check", "-o", "json"}), 2);
  EXPECT_THAT(out_, HasSubstr("{\"finding\":{\"findingClass\":\"FINDING_CLASS_MISSING_UPSTREAM\""));
  EXPECT_EQ(Run({"parity", "check", "--format", "json"}), 2);
  EXPECT_THAT(out_, StartsWith("{\"finding\""));
}

TEST_F(ParityVerbsTest, CheckExitsWithThreeWhenItCannotTell) {
  node_.Fail<v1::CheckRequest>(kCheck, MakeError(v1::REASON_UPSTREAM_CONNECT, "calling hq"));
  EXPECT_EQ(Run({"parity", "check"}), 3);
  EXPECT_THAT(err_, AllOf(HasSubstr("calling hq"), HasSubstr("cause:")));
  EXPECT_EQ(Run({"parity", "check", "--format", "nagios"}), 3);
  EXPECT_EQ(out_, "PARITY UNKNOWN - calling hq\n");
  node_.Answer<v1::CheckRequest, v1::CheckResponse>(kCheck, {});
  EXPECT_EQ(Run({"parity", "check"}), 3);
  EXPECT_THAT(err_, HasSubstr("without a summary"));
}

TEST_F(ParityVerbsTest, CheckOfASubtreeNamesTheNodes) {
  v1::NodeParity a;
  a.set_node_name("a");
  a.mutable_state()->mutable_summary()->set_in_parity(true);
  v1::NodeParity late;
  late.set_node_name("late");
  late.set_overdue(true);
  SetFindings({}, {a, late});
  EXPECT_EQ(Run({"parity", "check", "--subtree", "--wait-for", "2min"}), 3);
  EXPECT_THAT(node_.calls()[0],
              AllOf(HasSubstr("\"subtree\":true"), HasSubstr("\"waitSeconds\":120")));
  EXPECT_THAT(out_, AllOf(HasSubstr("a: in parity"), HasSubstr("late: did not answer in time")));
  SetFindings({}, {a});
  EXPECT_EQ(Run({"parity", "check", "--subtree"}), 0);
  SetFindings({Of(v1::FINDING_CLASS_MISSING_UPSTREAM, true)}, {a, late});
  EXPECT_EQ(Run({"parity", "check", "--subtree"}), 2) << "what is known to be bad comes first";
}

TEST_F(ParityVerbsTest, SpeaksAsANagiosPlugin) {
  SetFindings({});
  EXPECT_EQ(Run({"parity", "check", "--format", "nagios"}), 0);
  EXPECT_EQ(out_,
            "PARITY OK - in parity with hq | findings=0;0 standing=0;;0 records_here=0 "
            "records_upstream=0 files=0 wire=0B\n");
  SetFindings({Of(v1::FINDING_CLASS_MISSING_DOWNSTREAM)});
  EXPECT_EQ(Run({"parity", "check", "--format", "nagios"}), 1);
  EXPECT_THAT(out_, StartsWith("PARITY WARNING - 1 finding with hq: 1 missing downstream | "));
  SetFindings({Of(v1::FINDING_CLASS_CONTENT_CORRUPT, true)});
  EXPECT_EQ(Run({"parity", "check", "--format", "nagios"}), 2);
  EXPECT_THAT(out_, StartsWith("PARITY CRITICAL - 1 finding with hq: 1 content corrupt | "));
}

TEST_F(ParityVerbsTest, WritesPrometheusTextWholeIntoAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/parity.prom";
  SetFindings({Of(v1::FINDING_CLASS_MISSING_DOWNSTREAM)});
  EXPECT_EQ(Run({"parity", "check", "--format", "textfile", "--output-file", path}), 1);
  EXPECT_EQ(out_, "");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_THAT(text.str(),
              AllOf(HasSubstr("# TYPE sluice_parity_check_findings gauge\n"),
                    HasSubstr("sluice_parity_check_findings{class=\"missing_downstream\"} 1\n"),
                    HasSubstr("sluice_parity_check_known 1\n"),
                    HasSubstr("sluice_parity_check_timestamp_seconds 1795500000\n"),
                    HasSubstr("sluice_parity_check_in_parity 0\n")));
  // Each line is a comment or a name, labels, and a number.
  std::string line;
  while (std::getline(text, line)) {
    EXPECT_THAT(line, ::testing::MatchesRegex(
                          "(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\\{class=\"[a-z_]+\"\\})? [0-9]+)"));
  }
  node_.Fail<v1::CheckRequest>(kCheck, absl::UnavailableError("away"));
  EXPECT_EQ(Run({"parity", "check", "--format", "textfile"}), 3);
  EXPECT_THAT(out_, AllOf(HasSubstr("sluice_parity_check_known 0\n"),
                          Not(HasSubstr("sluice_parity_check_findings"))));
  EXPECT_EQ(Run({"parity", "check", "--format", "textfile", "--output-file",
                 directory.path() + "/none/x"}),
            3);
  EXPECT_THAT(err_, HasSubstr("none/x"));
}

TEST_F(ParityVerbsTest, RefusesFlagsThatDoNotGoTogether) {
  EXPECT_EQ(Run({"parity", "check", "--format", "xml"}), 2);
  EXPECT_EQ(Run({"parity", "check", "--wait-for", "1min"}), 2);
  EXPECT_EQ(Run({"parity", "check", "--subtree", "--wait-for", "2h"}), 2);
  EXPECT_EQ(Run({"parity", "check", "--output-file", "x"}), 2);
  EXPECT_THAT(node_.calls(), ::testing::IsEmpty());
}

TEST_F(ParityVerbsTest, ShowsWhatTheLastCheckFound) {
  v1::GetParityResponse response;
  response.mutable_node()->set_node_name("site");
  v1::ParityState& state = *response.mutable_node()->mutable_state();
  *state.mutable_summary() = SummaryOf({Of(v1::FINDING_CLASS_MISSING_UPSTREAM, true)});
  state.mutable_summary()->mutable_checked_at()->set_seconds(1795500000 - 3600);
  state.mutable_summary()->set_trigger(v1::PARITY_TRIGGER_SCHEDULE);
  v1::Finding& finding = *response.add_findings();
  finding = Of(v1::FINDING_CLASS_MISSING_UPSTREAM, true);
  finding.mutable_first_seen()->set_seconds(1795500000 - 7200);
  node_.Answer<v1::GetParityRequest, v1::GetParityResponse>("sluice.v1.ParityService/GetParity",
                                                            {response});
  EXPECT_EQ(Run({"parity", "show", "site"}), 2);
  EXPECT_THAT(node_.calls()[0], HasSubstr("\"node\":\"site\""));
  EXPECT_THAT(out_, AllOf(HasSubstr("missing upstream"), HasSubstr("2 h"), HasSubstr("yes"),
                          HasSubstr("(1 h ago), because of schedule")));
  state.Clear();
  state.set_failed_reason("UPSTREAM_CONNECT");
  state.set_failed_message("calling hq");
  response.clear_findings();
  node_.Answer<v1::GetParityRequest, v1::GetParityResponse>("sluice.v1.ParityService/GetParity",
                                                            {response});
  EXPECT_EQ(Run({"parity", "show"}), 3);
  EXPECT_THAT(out_, HasSubstr("could not compare: calling hq"));
}

TEST_F(ParityVerbsTest, FixSaysWhatItDoes) {
  v1::FixResponse response;
  response.add_actions("ask the upstream: take \"Fabrikam\" too");
  response.add_fixes()->set_petition_id("p1");
  response.set_left_alone(2);
  node_.Answer<v1::FixRequest, v1::FixResponse>("sluice.v1.ParityService/Fix", {response});
  EXPECT_EQ(Run({"parity", "fix", "--dry-run"}), 0);
  EXPECT_THAT(out_, StartsWith("would: ask the upstream"));
  EXPECT_THAT(node_.calls()[0], HasSubstr("\"validateOnly\":true"));
  EXPECT_EQ(Run({"parity", "fix", "--widen", "--return", "--comment", "please", "id1", "id2"}), 0);
  EXPECT_THAT(node_.calls()[1], AllOf(HasSubstr("[\"FIX_KIND_WIDEN\",\"FIX_KIND_RETURN\"]"),
                                      HasSubstr("[\"id1\",\"id2\"]"), HasSubstr("\"please\"")));
  EXPECT_THAT(out_, AllOf(HasSubstr("petition p1\n"), HasSubstr("2 findings left alone\n")));
}

TEST_F(CliTest, PetitionsAreListedGrantedAndRefused) {
  v1::ListPetitionsResponse list;
  v1::Petition& petition = *list.add_petitions();
  petition.set_petition_id("p1");
  petition.set_kind(v1::PETITION_KIND_WIDEN);
  petition.set_state(v1::PETITION_STATE_WAITING);
  petition.set_from_node_id("0123456789abcdef");
  petition.set_node_name("site");
  petition.set_summary("take \"Fabrikam\" too");
  node_.Answer<v1::ListPetitionsRequest, v1::ListPetitionsResponse>(
      "sluice.v1.PetitionService/ListPetitions", {list});
  EXPECT_EQ(Run({"petition", "list", "--waiting"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("p1"), HasSubstr("widen"), HasSubstr("waiting"),
                          HasSubstr("site"), HasSubstr("Fabrikam")));
  EXPECT_EQ(Run({"petition", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, "p1\n");
  v1::GrantPetitionResponse granted;
  granted.add_actions("add to this node's subscription: \"Fabrikam\"");
  granted.mutable_petition()->set_state(v1::PETITION_STATE_GRANTED);
  node_.Answer<v1::GrantPetitionRequest, v1::GrantPetitionResponse>(
      "sluice.v1.PetitionService/GrantPetition", {granted});
  EXPECT_EQ(Run({"petition", "grant", "p1", "--dry-run"}), 0);
  EXPECT_EQ(out_, "would: add to this node's subscription: \"Fabrikam\"\n");
  EXPECT_EQ(Run({"petition", "grant", "p1", "--answer", "fine"}), 0);
  EXPECT_THAT(out_, HasSubstr("granted\n"));
  v1::RefusePetitionResponse refused;
  refused.mutable_petition()->set_state(v1::PETITION_STATE_REFUSED);
  node_.Answer<v1::RefusePetitionRequest, v1::RefusePetitionResponse>(
      "sluice.v1.PetitionService/RefusePetition", {refused});
  EXPECT_EQ(Run({"petition", "refuse", "p1"}), 0);
  EXPECT_EQ(out_, "refused\n");
  EXPECT_EQ(Run({"petition", "grant"}), 2);
}

}  // namespace
}  // namespace sluice
