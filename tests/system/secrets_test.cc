// Secrets of operators, planted wherever a configuration takes one: they must show up nowhere.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/system/tree_fixture.h"
#include "tests/upstream/debian/http_origin.h"

namespace sluice {
namespace {

constexpr int kConfigurationExit = 3;
constexpr char kMarker[] = "hq-marker";

// What was looked at, by where it was found.
using Places = std::map<std::string, std::string>;

class SecretsTest : public TreeTest {
 protected:
  SecretsTest() {
    const Finished made =
        RunCommand({SLUICE_SOURCE_DIR "/deploy/sample_repository", repository_}, kPatience);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    Sluice({"certificate", "init-authority", authority_, "--trust-domain", "contoso.example"});
    origin_ = std::make_unique<HttpOrigin>(repository_);
    proxy_ = std::make_unique<HttpOrigin>(repository_);
  }

  static void Sluice(std::vector<std::string> args) {
    args.insert(args.begin(), Program("sluice"));
    const Finished finished = RunCommand(args, kPatience);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
  }

  // `url` for a user with this password, which is remembered as a secret.
  std::string WithLogin(const std::string& url, const std::string& user,
                        const std::string& password) {
    std::string encoded;
    for (const char c : password) {
      absl::StrAppend(&encoded, absl::ascii_isalnum(static_cast<uint8_t>(c))
                                    ? std::string(1, c)
                                    : absl::StrCat("%", absl::BytesToHexString({&c, 1})));
    }
    secrets_.insert(secrets_.end(), {password, encoded, absl::AsciiStrToUpper(encoded),
                                     absl::Base64Escape(absl::StrCat(user, ":", password))});
    return absl::StrReplaceAll(url, {{"://", absl::StrCat("://", user, ":", encoded, "@")}});
  }
  // As it is, which is no proper part of a URL.
  std::string WithRawLogin(const std::string& url, const std::string& password) {
    secrets_.push_back(password);
    return absl::StrReplaceAll(url, {{"://", absl::StrCat("://eve:", password, "@")}});
  }

  std::string Source(const std::string& name, const std::string& uri,
                     const std::string& more_yaml = "") const {
    return absl::StrCat(
        "  - name: ", name, "\n    schedule: {times_a_day: 0}\n    debian:\n", "      uri: ", uri,
        "\n      suite: sample-security\n      signed_by: ", repository_, "/key.asc\n", more_yaml);
  }

  NodeProcess& AddNode(NodeProcess::Options options) {
    options.node_yaml = "  metrics_address: 127.0.0.1:0\n";
    NodeProcess& node = Add(std::move(options));
    Sluice({"certificate", "issue", node.state_dir() + "/certificates/incoming", "--authority",
            authority_, "--node", node.node_id(), "--host", "127.0.0.1"});
    AddKeys(node.state_dir() + "/certificates/incoming");
    return node;
  }
  // The private keys in a folder, line by line.
  void AddKeys(const std::string& folder) {
    const size_t before = secrets_.size();
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string text = ReadFile(entry.path());
      if (!absl::StrContains(text, "PRIVATE KEY")) continue;
      for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
        if (line.size() >= 20 && !absl::StrContains(line, "-----")) secrets_.push_back(line);
      }
    }
    EXPECT_GT(secrets_.size(), before) << folder << " has no key";
  }

  static Finished RunDaemon(const NodeProcess& node, const std::string& verb) {
    return RunCommand(
        {Program("sluice-upstreamd"), absl::StrCat("--", verb), "--config", node.config_file()},
        kPatience);
  }
  // The log, what the kernel shows of the process, and what it answers over HTTP.
  void LookAtProcess(const NodeProcess& node, Places& places) const {
    places[node.directory() + "/log"] = node.log();
    for (const char* name : {"cmdline", "environ"}) {
      const std::string file = absl::StrCat("/proc/", node.pid(), "/", name);
      places[file] = ReadFile(file);
    }
    for (const char* path : {"/metrics", "/healthz", "/readyz", "/nothing"}) {
      const std::string url = absl::StrCat("http://", node.metrics_address(), path);
      places[url] = RunCommand({"curl", "-sSi", "--noproxy", "*", url}, kPatience).out;
    }
  }
  // What all methods answer that change nothing.
  static void LookAtAnswers(const NodeProcess& node, Places& places) {
    const auto call = [&](const std::vector<std::string>& args) {
      std::vector<std::string> command = {Program("sluice"), "-plaintext", "-max-time", "3"};
      command.insert(command.end(), args.begin(), args.end());
      const Finished finished = RunCommand(command, kPatience);
      return finished.out + finished.err;
    };
    int methods = 0;
    for (const std::string& service : Lines(call({node.address(), "list"}))) {
      for (const std::string& method : Lines(call({node.address(), "list", service}))) {
        const std::string name = method.substr(method.rfind('.') + 1);
        const bool changes =
            std::any_of(std::begin(kChanging), std::end(kChanging),
                        [&name](const char* verb) { return absl::StartsWith(name, verb); });
        if (changes || absl::StrContains(service, "Reflection")) continue;
        ++methods;
        places[absl::StrCat(node.directory(), " ", method)] =
            call({"-d", "{}", node.address(), method});
      }
    }
    EXPECT_GE(methods, 20);
    for (const std::vector<std::string>& verb :
         std::vector<std::vector<std::string>>{{"update", "list"},
                                               {"sync", "list"},
                                               {"condition", "list"},
                                               {"audit", "list"},
                                               {"node"},
                                               {"update", "get", "harbour 1.4.2-1+deb12u1"}}) {
      const Finished finished = node.Cli(verb);
      places[absl::StrCat(node.directory(), " ", verb[0], " ", verb.back())] =
          finished.out + finished.err;
    }
  }
  // All files of the state directory but the keys, which only their owner may read.
  static void LookAtFiles(const NodeProcess& node, Places& places) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(node.state_dir())) {
      if (!entry.is_regular_file()) continue;
      const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
      if (entry.path().filename() == "key.pem") {
        EXPECT_EQ(entry.status().permissions() & others, std::filesystem::perms::none)
            << entry.path();
      } else {
        places[entry.path()] = ReadFile(entry.path());
      }
    }
  }

  static std::vector<std::string> Lines(const std::string& text) {
    return absl::StrSplit(text, '\n', absl::SkipEmpty());
  }
  static int Count(const std::string& text, const std::string& part) {
    return static_cast<int>(std::vector<std::string>(absl::StrSplit(text, part)).size()) - 1;
  }
  // That there is something to find, and no secret.
  void ExpectNoSecret(const Places& places) const {
    EXPECT_FALSE(places.empty());
    EXPECT_FALSE(secrets_.empty());
    for (const auto& [place, text] : places) {
      for (const std::string& secret : secrets_) {
        const size_t at = text.find(secret);
        EXPECT_EQ(at, std::string::npos)
            << place << ": " << text.substr(at < 200 ? 0 : at - 200, 400);
      }
    }
  }
  static void ExpectFound(const Places& places, const std::string& place, const std::string& text) {
    for (const auto& [name, found] : places) {
      if (absl::StrContains(name, place) && absl::StrContains(found, text)) return;
    }
    ADD_FAILURE() << "\"" << text << "\" is not in " << place;
  }

  static constexpr const char* kChanging[] = {"Publish", "Approve", "Decline", "Clear", "Create",
                                              "Set",     "Start",   "Cancel",  "Fix",   "Request"};

  const std::string repository_ = directory() + "/repository";
  const std::string authority_ = directory() + "/authority";
  std::unique_ptr<HttpOrigin> origin_;
  std::unique_ptr<HttpOrigin> proxy_;
  std::vector<std::string> secrets_;
};

TEST_F(SecretsTest, ShowUpNowhereInARunningTree) {
  origin_->DemandLogin("ann:right@Secret1");
  proxy_->DemandCredentials();
  const std::string through_proxy = absl::StrCat("      proxy: ", proxy_->url(), "\n");
  const std::string sources =
      absl::StrCat("sources:\n", Source("right", WithLogin(origin_->url(), "ann", "right@Secret1")),
                   Source("wrong", WithLogin(origin_->url(), "ann", "wrong@Secret2")),
                   Source("proxied", WithLogin("http://archive.invalid", "bob", "proxied@Secret3"),
                          through_proxy),
                   Source("unknown", WithLogin("http://archive.invalid", "bob", "unknown@Secret4")),
                   Source("closed", WithLogin("http://127.0.0.1:1", "bob", "closed@Secret5")),
                   Source("improper", WithRawLogin("http://127.0.0.1:1", "impro/perSecret6")));
  AddKeys(authority_);
  NodeProcess& root = AddNode({.name = kMarker,
                               .role_yaml = sources,
                               .is_root = true,
                               .listener_yaml = "    - {address: \"127.0.0.1:0\", tls: true}\n"});
  root.Start();
  ASSERT_TRUE(Eventually(root, [&] { return Count(root.log(), "event=import_failed") >= 5; }));
  ASSERT_TRUE(Eventually(root, [&] { return UpdateCount(root) == 5; }));
  ApproveAll(root, "harbour");
  NodeProcess& region =
      AddNode({.name = "region", .role_yaml = FollowerYaml(root.more_address(), "  tls: true\n")});
  region.Start();
  // The file comes from the origin, with the password.
  ASSERT_TRUE(Eventually(region, [&] { return ReadyUpdates(region) == 1; }));

  Places places;
  for (const char* verb : {"check-config", "dump-config"}) {
    const Finished finished = RunDaemon(root, verb);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    places[verb] = finished.out + finished.err;
  }
  for (const NodeProcess* node : {&root, &region}) {
    LookAtProcess(*node, places);
    LookAtAnswers(*node, places);
    LookAtFiles(*node, places);
  }
  ExpectNoSecret(places);

  // What may be seen is seen, so a secret would have been.
  const std::string address = absl::StrReplaceAll(origin_->url(), {{"http://", ""}});
  for (const char* place : {"dump-config", "/log", "/cmdline", "TreeService.ListNodes"}) {
    ExpectFound(places, place, kMarker);
  }
  ExpectFound(places, "dump-config", address);
  ExpectFound(places, "/log", address);
  ExpectFound(places, "SyncService.ListSessions", address);
  ExpectFound(places, "SyncService.ListSessions", "PROXY_AUTH");
  ExpectFound(places, "/state/", address);
  ExpectFound(places, "/environ", "PATH=");
  ExpectFound(places, "/metrics", "sluice_");
}

TEST_F(SecretsTest, ShowUpInNoComplaintAboutTheConfiguration) {
  const std::string sources = absl::StrCat("sources:\n", Source("a", origin_->url()));
  NodeProcess& root = AddNode({.name = kMarker, .role_yaml = sources, .is_root = true});
  root.Start();
  const std::string good = ReadFile(root.config_file());
  const std::string url = WithLogin("http://archive.invalid", "ann", "complaint@Secret");
  const std::string raw = WithRawLogin("http://archive.invalid", "sl/ash@Secret");
  const std::string bare = absl::StrReplaceAll(url, {{"http://", ""}});
  Places places;
  int complaints = 0;
  for (const std::string& line : {
           absl::StrCat("      proxy: ", url, ":3128"),
           absl::StrCat("      proxy: ", raw, ":3128"),
           absl::StrCat("      proxy: ", bare, ":3128"),
           absl::StrCat("      uri: ", absl::StrReplaceAll(url, {{"http", "ftp"}})),
           absl::StrCat("      uri: ", absl::StrReplaceAll(raw, {{"http://", "http:/"}})),
           absl::StrCat("      from_apt_sources: ", url),
           absl::StrCat("      ", url, ": proxy"),
           absl::StrCat("      uri ", url),
           absl::StrCat("      proxy: *", url),
           absl::StrCat("      proxy: &", url, " x: y"),
           absl::StrCat("      proxy: \"", url),
           absl::StrCat("      proxy: [", url, "]"),
           absl::StrCat("  - ", url),
       }) {
    const std::string field = line.substr(0, line.find(": ") + 2);
    std::string text;
    for (const std::string& kept : Lines(good)) {
      if (!absl::StartsWith(kept, field)) absl::StrAppend(&text, kept, "\n");
    }
    WriteFile(root.config_file(), absl::StrCat(text, line, "\n"));
    const Finished checked = RunDaemon(root, "check-config");
    EXPECT_EQ(checked.exit_code, kConfigurationExit) << line;
    places["check-config " + line.substr(0, 20)] = checked.out + checked.err;
    kill(root.pid(), SIGHUP);
    ++complaints;
    ASSERT_TRUE(Eventually(root, [&] {
      return Count(root.log(), "event=configuration_refused") == complaints;
    })) << line;
    places["condition list " + line.substr(0, 20)] = root.Cli({"condition", "list"}).out;
  }
  LookAtProcess(root, places);
  LookAtFiles(root, places);
  ExpectNoSecret(places);
  for (const char* place : {"check-config", "condition list", "/log"}) {
    ExpectFound(places, place, "archive.invalid");
  }
}

}  // namespace
}  // namespace sluice
