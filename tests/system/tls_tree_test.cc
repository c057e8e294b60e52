// A tree over mutual TLS, with certificates of the authority that `sluice certificate` makes.
#include <csignal>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

constexpr int kPermissionDeniedExit = 64 + 7;
constexpr int kUnavailableExit = 64 + 14;

class TlsTreeTest : public TreeTest {
 protected:
  TlsTreeTest() {
    ExpectDone({"certificate", "init-authority", authority(), "--trust-domain", "contoso.example"});
    std::filesystem::create_directories(source_dir());
  }

  static Finished Sluice(std::vector<std::string> args) {
    args.insert(args.begin(), Program("sluice"));
    return RunCommand(args, kPatience);
  }
  static void ExpectDone(const std::vector<std::string>& args) {
    const Finished finished = Sluice(args);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
  }
  std::string authority() const { return directory() + "/authority"; }

  // A root with one more listener, which asks for certificates.
  NodeProcess& AddTlsRoot() {
    NodeProcess& root =
        Add({.name = "hq",
             .role_yaml = absl::StrCat("sources:\n  - name: source\n    import_at_start: false\n"
                                       "    schedule: {times_a_day: 0}\n    directory: {path: ",
                                       source_dir(), "}\n"),
             .is_root = true,
             .node_yaml = "  users:\n    - {name: ann, roles: [viewer, approver]}\n",
             .listener_yaml = "    - {address: \"127.0.0.1:0\", tls: true}\n"});
    IssueTo(root, authority());
    return root;
  }
  void IssueTo(const NodeProcess& node, const std::string& authority) {
    ExpectDone({"certificate", "issue", node.state_dir() + "/certificates/incoming", "--authority",
                authority, "--node", node.node_id(), "--host", "127.0.0.1", "--host", "localhost"});
  }
  // The folder of a certificate for a person.
  std::string User(const std::string& name) {
    const std::string folder = directory() + "/" + name;
    ExpectDone({"certificate", "issue", folder, "--authority", authority(), "--user", name});
    return folder;
  }
  static std::string Follow(const NodeProcess& node) {
    return FollowerYaml(node.more_address(), "  tls: true\n");
  }
  static std::string LastReason(const NodeProcess& node) {
    const std::vector<v1::Session> sessions = Sessions(node);
    if (sessions.empty() || sessions[0].errors().empty()) return "";
    return sessions[0].errors(0).reason();
  }
};

TEST_F(TlsTreeTest, ConvergesAndKnowsWhoDecided) {
  WriteUpdates("agent", 3, 100'000);
  NodeProcess& root = AddTlsRoot();
  root.Start();
  Import(root);
  NodeProcess& region = Add({.name = "region", .role_yaml = Follow(root)});
  IssueTo(region, authority());
  region.Start();
  ASSERT_TRUE(Eventually(region, [&] { return UpdateCount(region) == 3; })) << region.log();

  const std::string ann = User("ann");
  ExpectDone({"--address", root.more_address(), "--certificates", ann, "approve", "--all-matching",
              "agent", "--yes"});
  EXPECT_TRUE(Eventually(region, [&] { return ReadyUpdates(region) == 3; }));
  EXPECT_EQ(CheckParity(region).exit_code, 0) << CheckParity(region).Text();
  const auto audit = root.Get<v1::ListAuditEntriesResponse>({"audit", "list"});
  ASSERT_FALSE(audit.entries().empty());
  EXPECT_EQ(audit.entries(0).actor(), "spiffe://contoso.example/user/ann (viewer, approver)");
}

TEST_F(TlsTreeTest, RefusesWhoMayNotByName) {
  NodeProcess& root = AddTlsRoot();
  root.Start();
  const Finished bob =
      Sluice({"--address", root.more_address(), "--certificates", User("bob"), "update", "list"});
  EXPECT_EQ(bob.exit_code, kPermissionDeniedExit) << bob.err;
  EXPECT_TRUE(absl::StrContains(bob.err, "user/bob")) << bob.err;
  const Finished ann =
      Sluice({"--address", root.more_address(), "--certificates", User("ann"), "sync", "start"});
  EXPECT_EQ(ann.exit_code, kPermissionDeniedExit) << ann.err;
  EXPECT_TRUE(absl::StrContains(ann.err, "is for administrator")) << ann.err;
  // Both are in the audit, and nobody can take them out unseen.
  const auto audit = root.Get<v1::ListAuditEntriesResponse>({"audit", "list"});
  ASSERT_EQ(audit.entries_size(), 2);
  EXPECT_EQ(audit.entries(0).action(), "denied");
  EXPECT_EQ(audit.entries(0).subject(), "sluice.v1.SyncService/StartSync");
  EXPECT_EQ(audit.entries(1).actor(), "spiffe://contoso.example/user/bob ()");
  EXPECT_EQ(root.Cli({"audit", "verify"}).exit_code, 0);
  const Finished plaintext = Sluice({"--address", root.more_address(), "update", "list"});
  EXPECT_EQ(plaintext.exit_code, kUnavailableExit) << plaintext.err;
}

TEST_F(TlsTreeTest, TakesOverUsersAtSighupAndKeepsThemWhenTheFileIsBad) {
  NodeProcess& root = AddTlsRoot();
  root.Start();
  const std::string bob = User("bob");
  const auto list = [&] {
    return Sluice({"--address", root.more_address(), "--certificates", bob, "update", "list"})
        .exit_code;
  };
  const auto standing = [&](const std::string& reason) {
    return absl::StrContains(root.Cli({"condition", "list"}).out, reason);
  };
  EXPECT_EQ(list(), kPermissionDeniedExit);
  const std::string config = ReadFile(root.config_file());
  WriteFile(root.config_file(),
            absl::StrReplaceAll(config, {{"name: ann, roles", "name: bob, roles"}}));
  kill(root.pid(), SIGHUP);
  ASSERT_TRUE(Eventually(root, [&] { return list() == 0; })) << root.log();
  EXPECT_TRUE(absl::StrContains(root.Cli({"audit", "list"}).out, "reload configuration"));

  WriteFile(root.config_file(), config + "nonsense: 1\n");
  kill(root.pid(), SIGHUP);
  ASSERT_TRUE(Eventually(root, [&] { return standing("CONFIGURATION_NOT_IN_FORCE"); }));
  EXPECT_EQ(list(), 0) << "the old configuration was to stay in force";
  WriteFile(root.config_file(), config);
  kill(root.pid(), SIGHUP);
  ASSERT_TRUE(Eventually(root, [&] { return list() == kPermissionDeniedExit; }));
  EXPECT_FALSE(standing("CONFIGURATION_NOT_IN_FORCE"));
}

TEST_F(TlsTreeTest, CallsInRawModeWithTheFilesOfACertificate) {
  NodeProcess& root = AddTlsRoot();
  root.Start();
  const std::string ann = User("ann");
  const Finished listed = Sluice({"-cacert", ann + "/ca.pem", "-cert", ann + "/cert.pem", "-key",
                                  ann + "/key.pem", root.more_address(), "list"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_TRUE(absl::StrContains(listed.out, "sluice.v1.CatalogService\n")) << listed.out;
}

TEST_F(TlsTreeTest, NamesTheCauseWhenTheUpstreamHasAnotherAuthority) {
  NodeProcess& root = AddTlsRoot();
  root.Start();
  const std::string foreign = directory() + "/foreign";
  ExpectDone({"certificate", "init-authority", foreign, "--trust-domain", "contoso.example"});
  NodeProcess& region = Add({.name = "region", .role_yaml = Follow(root)});
  IssueTo(region, foreign);
  region.Start();
  EXPECT_TRUE(Eventually(region, [&] { return LastReason(region) == "UPSTREAM_TLS"; }))
      << LastReason(region);
  // Renewed by the right authority, it goes on without a restart.
  IssueTo(region, authority());
  ASSERT_TRUE(Eventually(region, [&] {
    return absl::StrContains(region.log(), "event=certificate_changed") &&
           region.Cli({"sync", "start", "--wait"}).exit_code == 0;
  })) << region.log();
}

TEST_F(TlsTreeTest, WillNotStartWithAnotherNodesCertificate) {
  NodeProcess& root = AddTlsRoot();
  root.Start();
  NodeProcess& region = Add({.name = "region", .role_yaml = Follow(root)});
  const Finished without = region.StartAndEnd();
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(without.err, absl::StrCat("--node ", region.node_id())))
      << without.err;
  ExpectDone({"certificate", "issue", region.state_dir() + "/certificates/incoming", "--authority",
              authority(), "--node", root.node_id()});
  const Finished refused = region.StartAndEnd();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(refused.err, root.node_id())) << refused.err;
}

}  // namespace
}  // namespace sluice
