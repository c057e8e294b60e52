// The pods of the chart, run without a cluster: the way from values to nodes that follow each
// other.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/deploy/containers.h"
#include "tests/deploy/rendered_chart.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr gid_t kGroup = 65532;
// A folder in memory of the pod's group, as Kubernetes makes an emptyDir with an fsGroup.
constexpr char kEmptyDir[] = "uid=0,gid=65532,mode=2777";

bool Eventually(const std::function<bool()>& holds) {
  for (const absl::Time until = absl::Now() + kPatience; absl::Now() < until;) {
    if (holds()) return true;
  }
  return holds();
}

class PodTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Containers::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    containers_ = std::make_unique<Containers>();
    chart_ = Render({});
    ASSERT_EQ(chart_.exit_code, 0) << chart_.error;
    ASSERT_EQ(Sluice({"certificate", "init-authority", Authority(), "--trust-domain", "a.example"})
                  .exit_code,
              0);
  }

  static Finished Sluice(std::vector<std::string> args) {
    args.insert(args.begin(), SLUICE_BIN_DIR "/sluice");
    return RunCommand(args, kPatience);
  }
  std::string Authority() const { return directory_.path() + "/authority"; }

  // A node is called by this name.
  static std::string HostOf(const std::string& node) {
    return absl::StrCat("sluice-", node, ".updates.svc.cluster.local");
  }

  YAML::Node PodOf(const std::string& node) const {
    for (const YAML::Node& pod : chart_.Pods()) {
      if (pod["metadata"]["labels"]["sluice.example/node"].as<std::string>() == node) return pod;
    }
    ADD_FAILURE() << "no pod for " << node;
    return {};
  }

  // Lets a Secret or a ConfigMap have these files: links into a folder that is exchanged as a
  // whole.
  void Fill(const std::string& folder, const std::vector<std::string>& files) {
    const std::string data = absl::StrCat("..data-", ++exchanges_);
    std::filesystem::create_directory(folder + "/" + data);
    for (const std::string& file : files) {
      const std::string name = std::filesystem::path(file).filename();
      const std::string copy = absl::StrCat(folder, "/", data, "/", name);
      std::filesystem::copy(file, copy);
      EXPECT_EQ(chown(copy.c_str(), 0, kGroup), 0);
      EXPECT_EQ(chmod(copy.c_str(), 0440), 0);
      if (!std::filesystem::is_symlink(folder + "/" + name)) {
        std::filesystem::create_symlink("..data/" + name, folder + "/" + name);
      }
    }
    std::filesystem::create_symlink(data, folder + "/..new");
    std::filesystem::rename(folder + "/..new", folder + "/..data");
  }

  // The folder that stands for a volume of the node.
  std::string Volume(const std::string& node, const std::string& name) {
    return containers_->Volume(absl::StrCat(node, "-", name), "");
  }
  std::string Claim(const std::string& node, const std::string& name) {
    const std::string folder = Volume(node, name);
    EXPECT_EQ(chown(folder.c_str(), 0, kGroup), 0);
    EXPECT_EQ(chmod(folder.c_str(), 02775), 0);
    return folder;
  }

  Container ContainerOf(const std::string& node, const std::string& list) {
    const YAML::Node value = PodOf(node)["spec"][list][0];
    Container container = {.name = HostOf(node) + (list == "containers" ? "" : "-init"),
                           .command = value["command"].as<std::vector<std::string>>(),
                           .networks = {"cluster"}};
    for (const YAML::Node& mount : value["volumeMounts"]) {
      const std::string name = mount["name"].as<std::string>();
      const std::string path = mount["mountPath"].as<std::string>();
      const bool is_empty = name == "run" || name == "certificates" || name == "tmp";
      const bool is_claim = name == "state" || name == "content";
      container.mounts.push_back(is_empty ? "--tmpfs" : "--bind");
      container.mounts.push_back(
          is_empty ? absl::StrCat(path, ":", kEmptyDir)
                   : absl::StrCat(is_claim ? Claim(node, name) : Volume(node, name), ":", path,
                                  mount["readOnly"] ? ":ro" : ""));
    }
    return container;
  }

  // Runs the first step of a node's pod, and returns the id of the node.
  std::string Init(const std::string& node) {
    const std::string file = directory_.path() + "/sluice.yaml";
    for (const YAML::Node& map : chart_.OfKind("ConfigMap")) {
      if (map["metadata"]["name"].as<std::string>() != "sluice-" + node) continue;
      WriteFile(file, map["data"]["sluice.yaml"].as<std::string>());
    }
    Fill(Volume(node, "config"), {file});
    const Finished made = containers_->Run(ContainerOf(node, "initContainers"));
    EXPECT_EQ(made.exit_code, 0) << made.err;
    const std::vector<std::string> words = absl::StrSplit(made.out, ' ');
    return words.size() > 2 ? words[2] : "";
  }

  void Issue(const std::string& node, const std::string& id) {
    const std::string folder = absl::StrCat(directory_.path(), "/", node);
    const Finished issued = Sluice({"certificate", "issue", folder, "--authority", Authority(),
                                    "--node", id, "--host", HostOf(node)});
    EXPECT_EQ(issued.exit_code, 0) << issued.err;
    Fill(Volume(node, "incoming"), {folder + "/key.pem", folder + "/cert.pem", folder + "/ca.pem"});
  }

  // What the kubelet would find.
  bool Probe(const std::string& node, const std::string& probe) {
    const YAML::Node get = PodOf(node)["spec"]["containers"][0][probe]["httpGet"];
    return Containers::Beside(
               HostOf(node), {"curl", "--fail", "--silent", "--max-time", "5",
                              absl::StrCat("http://127.0.0.1:9464", get["path"].as<std::string>())})
               .exit_code == 0;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Containers> containers_;
  RenderedChart chart_;
  int exchanges_ = 0;
};

TEST_F(PodTest, FollowEachOtherOnceTheirCertificatesAreThere) {
  const std::string hq = HostOf("hq");
  const std::string id = Init("hq");
  // As the chart's notes say: without a Secret the node names its id and what to do.
  containers_->Start(ContainerOf("hq", "containers"));
  EXPECT_EQ(containers_->process(hq).Wait(kPatience), 1);
  EXPECT_THAT(containers_->log(hq), HasSubstr("sluice certificate issue --node " + id));

  Issue("hq", id);
  containers_->Start(ContainerOf("hq", "containers"));
  ASSERT_TRUE(Eventually([&] { return Probe("hq", "readinessProbe"); })) << containers_->log(hq);
  EXPECT_TRUE(Probe("hq", "livenessProbe"));
  EXPECT_TRUE(Probe("hq", "startupProbe"));

  Issue("site", Init("site"));
  containers_->Start(ContainerOf("site", "containers"));
  const auto tree = [&] { return containers_->Exec(hq, {"sluice", "tree"}).out; };
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(tree(), "site"); }))
      << tree() << containers_->log(HostOf("site"));

  // A Secret that is exchanged is taken over, without a restart.
  Issue("hq", id);
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(containers_->log(hq), "certificate_changed");
  })) << containers_->log(hq);
  for (const char* node : {"site", "hq"}) {
    containers_->process(HostOf(node)).Signal(SIGTERM);
    EXPECT_EQ(containers_->process(HostOf(node)).Wait(kPatience), 0);
  }
  // The pod starts again with what is there.
  const Finished again = containers_->Run(ContainerOf("hq", "initContainers"));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("node " + id + " is in /var/lib/sluice/state already"));
}

}  // namespace
}  // namespace sluice
