#include "cli/run.h"

#include <fstream>
#include <sstream>

#include "cli/verb.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::string_view kListNodes = "sluice.v1.TreeService/ListNodes";

class RunTest : public CliTest {
 protected:
  RunTest() {
    node_.Answer<v1::ListNodesRequest, v1::ListNodesResponse>(kListNodes,
                                                              {v1::ListNodesResponse()});
  }
};

TEST_F(RunTest, HelpNamesEveryVerbAndTheExitCodes) {
  EXPECT_EQ(Run({"--help"}), 0);
  for (const Verb& verb : AllVerbs()) EXPECT_THAT(out_, HasSubstr(std::string(verb.name)));
  EXPECT_THAT(out_, HasSubstr("Exit codes:"));
  EXPECT_EQ(Run({"help"}), 0);
  EXPECT_EQ(Run({}), 2);
  EXPECT_THAT(err_, HasSubstr("Usage:"));
}

TEST_F(RunTest, HelpOfAVerbNamesItsRpc) {
  EXPECT_EQ(Run({"approve", "--help"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("RPC: sluice.v1.PolicyService/ApproveUpdates"),
                          HasSubstr("--deadline TIME")));
  EXPECT_EQ(Run({"help", "sync", "watch"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("sluice sync watch"), Not(HasSubstr("sluice sync start"))));
  EXPECT_EQ(Run({"sync", "-h"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("sluice sync watch"), HasSubstr("sluice sync start")));
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(RunTest, HelpKeepsItsColumnBesideALongFlag) {
  EXPECT_EQ(Run({"update", "list", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("  --product PATH           only this product and all below it\n"));
  EXPECT_THAT(out_,
              HasSubstr("  --state approved|not-approved|declined|pending|inactive|held-back\n"
                        "                           only in this state\n"));
}

TEST_F(RunTest, PrintsTheRelease) {
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(out_, StartsWith("sluice "));
}

TEST_F(RunTest, WrongUsageExitsWithTwoAndSaysWhatIsWrong) {
  EXPECT_EQ(Run({"tre"}), 2);
  EXPECT_THAT(err_, HasSubstr("\"tre\" is no verb; known are approve"));
  EXPECT_EQ(Run({"update"}), 2);
  EXPECT_THAT(err_, HasSubstr("say which: update list, update get, update where, "
                              "update explain, update publish"));
  EXPECT_EQ(Run({"update", "get"}), 2);
  EXPECT_THAT(err_, HasSubstr("update get needs ID|TITLE"));
  EXPECT_EQ(Run({"tree", "x"}), 2);
  EXPECT_THAT(err_, HasSubstr("\"x\" is one argument too many for tree"));
  EXPECT_EQ(Run({"tree", "--frob"}), 2);
  EXPECT_THAT(err_, HasSubstr("unknown flag --frob; see sluice tree --help"));
  EXPECT_EQ(Run({"tree", "-o", "xml"}), 2);
  EXPECT_EQ(Run({"tree", "--timeout", "9"}), 2);
  EXPECT_THAT(err_, HasSubstr("--timeout: \"9\" needs a unit"));
  EXPECT_EQ(Run({"tree", "--dry-run"}), 2);
  EXPECT_THAT(err_, HasSubstr("tree changes nothing anyway"));
  EXPECT_EQ(Run({"-o", "json"}), 2);
  EXPECT_THAT(err_, HasSubstr("a verb is missing"));
  EXPECT_EQ(Run({"--addres", "a", "tree"}), 2);
  EXPECT_THAT(err_, HasSubstr("unknown flag --addres"));
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(RunTest, FindsTheNodeByFlagVariableSocketAndDefault) {
  EXPECT_EQ(Run({"tree"}), 0);
  EXPECT_EQ(address_, "127.0.0.1:8530");
  socket_ = "/run/sluice/viewer.sock";
  Run({"tree"});
  EXPECT_EQ(address_, "unix:/run/sluice/viewer.sock");
  socket_ = "/run/sluice/admin.sock";
  Run({"tree"});
  EXPECT_EQ(address_, "unix:/run/sluice/admin.sock");
  variables_["SLUICE_ADDRESS"] = "127.0.0.1:1";
  Run({"tree"});
  EXPECT_EQ(address_, "127.0.0.1:1");
  Run({"--address", "127.0.0.1:2", "tree"});
  EXPECT_EQ(address_, "127.0.0.1:2");
  Run({"tree", "--address=127.0.0.1:3"});
  EXPECT_EQ(address_, "127.0.0.1:3");
}

TEST_F(RunTest, TimeoutLimitsCallsAndStreams) {
  Run({"tree"});
  EXPECT_EQ(limits_.unary, absl::Seconds(60));
  EXPECT_EQ(limits_.stream, absl::InfiniteDuration());
  Run({"tree", "--timeout", "5s"});
  EXPECT_EQ(limits_.unary, absl::Seconds(5));
  EXPECT_EQ(limits_.stream, absl::Seconds(5));
}

TEST_F(RunTest, AFailedCallShowsCauseAndRemedyAndExitsWithItsCode) {
  node_.Fail<v1::ListNodesRequest>(
      kListNodes, MakeError(v1::REASON_ROLE_REQUIRED, "tree needs the role viewer"));
  const int code = Run({"tree"});
  EXPECT_EQ(code, 64 + static_cast<int>(FactsOf(v1::REASON_ROLE_REQUIRED).code));
  EXPECT_THAT(err_,
              AllOf(HasSubstr("sluice: tree needs the role viewer ("), HasSubstr("ROLE_REQUIRED)"),
                    HasSubstr("  cause:  "), HasSubstr("  remedy: ")));
  EXPECT_EQ(out_, "");
  node_.Fail<v1::ListNodesRequest>(kListNodes, absl::UnavailableError("gone"));
  EXPECT_EQ(Run({"tree"}), 64 + 14);
  EXPECT_EQ(err_, "sluice: gone (UNAVAILABLE)\n");
}

TEST_F(RunTest, ShowsTheEquivalentRawLine) {
  node_.Answer<v1::CreateGroupRequest, v1::CreateGroupResponse>(
      "sluice.v1.PolicyService/CreateGroup", {v1::CreateGroupResponse()});
  EXPECT_EQ(Run({"group", "create", "Bob's", "--show-rpc", "--address", "127.0.0.1:2"}), 0);
  EXPECT_THAT(err_, HasSubstr("sluice -plaintext -d '{\"name\":\"Bob'\\''s\"}' 127.0.0.1:2 "
                              "sluice.v1.PolicyService/CreateGroup\n"));
  EXPECT_EQ(Run({"tree", "--show-rpc", "--address", "unix:/a.sock"}), 0);
  EXPECT_THAT(err_, StartsWith("sluice -plaintext -unix -d '{\"pageSize\":1000}' /a.sock "));
}

TEST_F(RunTest, GoesIntoRawModeWhereNoVerbStands) {
  EXPECT_EQ(Run({"-plaintext", "127.0.0.1:1", "list"}), 42);
  EXPECT_THAT(raw_args_, ElementsAre("-plaintext", "127.0.0.1:1", "list"));
  EXPECT_EQ(Run({"127.0.0.1:1", "describe"}), 42);
  EXPECT_EQ(Run({"unix:/run/sluice/admin.sock", "list"}), 42);
  EXPECT_EQ(Run({"--plaintext", "-d", "{}", "127.0.0.1:1", "a.B/C"}), 42);
  EXPECT_EQ(Run({"-d", "tree", "127.0.0.1:1", "a.B/C"}), 42);
  EXPECT_EQ(Run({"-help"}), 42);
  EXPECT_EQ(Run({"tree"}), 0);
  program_ = "/usr/bin/grpcurl";
  EXPECT_EQ(Run({"tree"}), 42);
  EXPECT_EQ(Run({}), 42);
}

TEST_F(RunTest, TheManualNamesEveryVerbAndItsRpc) {
  std::stringstream manual;
  manual << std::ifstream(std::string(SLUICE_SOURCE_DIR) + "/docs/cli.md").rdbuf();
  for (const Verb& verb : AllVerbs()) {
    EXPECT_THAT(manual.str(), HasSubstr(absl::StrCat("`sluice ", verb.name)));
    if (!verb.method.empty()) {
      EXPECT_THAT(manual.str(), HasSubstr(std::string(verb.method.substr(10)))) << verb.name;
    }
    for (const FlagSpec& flag : verb.flags) {
      EXPECT_THAT(manual.str(), HasSubstr(std::string(flag.name))) << verb.name;
    }
  }
}

TEST_F(RunTest, EveryVerbNamesARealMethod) {
  for (const Verb& verb : AllVerbs()) {
    if (verb.method.empty()) continue;  // It works on this machine alone.
    const size_t slash = verb.method.find('/');
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
        std::string(verb.method.substr(0, slash)));
    ASSERT_NE(service, nullptr) << verb.method;
    EXPECT_NE(service->FindMethodByName(std::string(verb.method.substr(slash + 1))), nullptr)
        << verb.method;
  }
}

}  // namespace
}  // namespace sluice
