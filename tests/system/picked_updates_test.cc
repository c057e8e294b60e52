// Updates outside of the filter, and other filters, over three real daemons.
#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "sluice/v1/policy_service.pb.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PickedUpdatesTest : public TreeTest {
 protected:
  // So few records that what another subscription above takes is a large share of them.
  static constexpr char kUnguarded[] = "guard_percent: 100\n";

  // An update of `product` with one file of so many bytes, that needs another one.
  void WriteUpdateOf(const std::string& product, const std::string& name, int bytes,
                     const std::string& needs = "") {
    const std::string file = absl::StrCat(name, ".bin");
    std::string content;
    while (static_cast<int>(content.size()) < bytes) absl::StrAppend(&content, name, ";");
    content.resize(static_cast<size_t>(bytes));
    WriteFile(absl::StrCat(source_dir(), "/", file), content);
    WriteFile(absl::StrCat(source_dir(), "/", name, ".yaml"),
              absl::StrCat("name: ", name, "\ntexts:\n  - language: en\n    title: ", name,
                           "\nproducts: [", product, "]\nclassification: Security Updates\n",
                           needs.empty() ? "" : "prerequisites:\n  - any_of: [" + needs + "]\n",
                           "files:\n  - path: ", file, "\n"));
  }

  static std::vector<std::string> Titles(const NodeProcess& node) {
    std::vector<std::string> titles;
    for (const v1::UpdateSummary& update : Updates(node)) titles.push_back(update.title());
    std::sort(titles.begin(), titles.end());
    return titles;
  }
  // What arrives in the end.
  static void ExpectTitles(const NodeProcess& node, const std::vector<std::string>& titles) {
    EXPECT_TRUE(Eventually(node, [&] { return Titles(node) == titles; }))
        << absl::StrJoin(Titles(node), " ") << " instead of " << absl::StrJoin(titles, " ");
  }
  static void ExpectParity(const NodeProcess& node) {
    const Parity parity = CheckParity(node);
    EXPECT_TRUE(parity.summary.in_parity()) << parity.Text();
  }
  static void Do(const NodeProcess& node, const std::vector<std::string>& args) {
    const Finished finished = node.Cli(args);
    EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  }
  static std::string IdOf(const NodeProcess& node, const std::string& title) {
    for (const v1::UpdateSummary& update : Updates(node)) {
      if (update.title() == title) return update.update_id();
    }
    ADD_FAILURE() << "no update " << title;
    return "";
  }
  // Bytes of all files, those that are set aside among them.
  static int64_t ContentBytes(const NodeProcess& node) {
    int64_t bytes = 0;
    for (const auto& folder : std::filesystem::directory_iterator(node.content_dir())) {
      if (!folder.is_directory()) continue;
      for (const auto& file : std::filesystem::directory_iterator(folder)) {
        bytes += static_cast<int64_t>(file.file_size());
      }
    }
    return bytes;
  }
};

TEST_F(PickedUpdatesTest, APinArrivesWithWhatItNeedsAtTwoLevelsAndGoesWithIt) {
  WriteUpdateOf("Contoso/Agent", "agent", 3000);
  WriteUpdateOf("Contoso/Tool", "tool", 4000, "base");
  WriteUpdateOf("Fabrikam/Base", "base", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  ApproveAll(root, "agent");
  ApproveAll(root, "tool");
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  Do(middle, {"subscription", "set", "--product", "Contoso/Agent"});
  ExpectTitles(middle, {"agent"});
  NodeProcess& leaf = AddFollower("site", middle.node_socket(), kUnguarded);
  leaf.Start();
  ExpectTitles(leaf, {"agent"});

  const std::string tool = IdOf(root, "tool");
  Do(middle, {"subscription", "pin", tool});
  ExpectTitles(middle, {"agent", "base", "tool"});
  ExpectTitles(leaf, {"agent", "base", "tool"});
  EXPECT_TRUE(Eventually(leaf, [&] { return ContentBytes(leaf) == 12'000; })) << ContentBytes(leaf);
  EXPECT_THAT(middle.Cli({"subscription", "get"}).out, HasSubstr(tool));
  ExpectParity(middle);
  ExpectParity(leaf);

  // A leaf that takes the product has it, one that does not has it no more.
  Do(leaf, {"subscription", "set", "--product", "Contoso/Tool"});
  ExpectTitles(leaf, {"base", "tool"});
  Do(leaf, {"subscription", "set", "--product", "Contoso/Agent"});
  ExpectTitles(leaf, {"agent"});
  Do(leaf, {"subscription", "set", "--all-products"});
  ExpectTitles(leaf, {"agent", "base", "tool"});

  middle.Kill();
  middle.Start();
  ExpectTitles(middle, {"agent", "base", "tool"});
  ExpectParity(middle);

  Do(middle, {"subscription", "unpin", tool});
  ExpectTitles(middle, {"agent"});
  ExpectTitles(leaf, {"agent"});
  EXPECT_TRUE(Eventually(middle, [&] { return ContentBytes(middle) == 3000; }))
      << ContentBytes(middle);
  EXPECT_TRUE(Eventually(leaf, [&] { return ContentBytes(leaf) == 3000; })) << ContentBytes(leaf);
  ExpectParity(middle);
  ExpectParity(leaf);
}

TEST_F(PickedUpdatesTest, AnotherSubscriptionBringsAndTakesWhatItsDryRunSaid) {
  for (int i = 0; i < 4; ++i) WriteUpdateOf("Contoso/Agent", absl::StrCat("agent", i), 1000);
  for (int i = 0; i < 3; ++i) WriteUpdateOf("Contoso/Tool", absl::StrCat("tool", i), 2000, "base");
  WriteUpdateOf("Fabrikam/Base", "base", 5000);
  NodeProcess& root = AddRoot("hq");
  root.Start();
  Import(root);
  ApproveAll(root, "agent");
  ApproveAll(root, "tool");
  NodeProcess& middle = AddFollower("region", root.node_socket());
  middle.Start();
  Do(middle, {"subscription", "set", "--product", "Contoso/Agent"});
  EXPECT_TRUE(Eventually(middle, [&] { return ContentBytes(middle) == 4000; }));
  NodeProcess& leaf = AddFollower("site", middle.node_socket(), kUnguarded);
  leaf.Start();
  ASSERT_TRUE(Eventually(leaf, [&] { return UpdateCount(leaf) == 4; }));

  const auto widening = middle.Get<v1::SetSubscriptionResponse>(
      {"subscription", "set", "--product", "Contoso", "--dry-run"});
  EXPECT_EQ(widening.upstream_reason(), "");
  EXPECT_EQ(UpdateCount(middle), 4) << "a dry run changed something";
  const int64_t revisions = RevisionsMoved(middle);
  Do(middle, {"subscription", "set", "--product", "Contoso"});
  ASSERT_TRUE(Eventually(middle, [&] { return UpdateCount(middle) == 8; }));
  ASSERT_TRUE(Eventually(middle, [&] { return ContentBytes(middle) == 15'000; }));
  EXPECT_EQ(widening.difference().updates_gained(), 4);
  EXPECT_EQ(widening.difference().approvals_gained(), 3);
  EXPECT_EQ(widening.difference().bytes_to_fetch(), ContentBytes(middle) - 4000);
  EXPECT_EQ(widening.difference().updates_lost(), 0);
  EXPECT_EQ(RevisionsMoved(middle) - revisions, 4) << "not just what came has moved";

  Do(leaf, {"subscription", "set", "--product", "Contoso/Tool"});
  ASSERT_TRUE(Eventually(leaf, [&] { return UpdateCount(leaf) == 4; }));
  const auto has_heard = [&] {
    const auto answer = middle.Get<v1::SetSubscriptionResponse>(
        {"subscription", "set", "--product", "Contoso/Agent", "--dry-run"});
    return answer.shortfalls_size() == 1;
  };
  ASSERT_TRUE(Eventually(leaf, has_heard));
  const auto narrowing = middle.Get<v1::SetSubscriptionResponse>(
      {"subscription", "set", "--product", "Contoso/Agent"});
  EXPECT_EQ(narrowing.shortfalls(0).node_name(), "site");
  EXPECT_THAT(narrowing.shortfalls(0).parts(), ElementsAre("product Contoso/Tool"));
  EXPECT_EQ(narrowing.shortfalls(0).updates_lost(), 3);
  ASSERT_TRUE(Eventually(middle, [&] { return UpdateCount(middle) == 4; }));
  EXPECT_TRUE(Eventually(middle, [&] { return ContentBytes(middle) == 4000; }));
  EXPECT_EQ(narrowing.difference().updates_lost(), 4);
  EXPECT_EQ(narrowing.difference().approvals_inactive(), 3);
  EXPECT_EQ(narrowing.difference().bytes_to_free(), 11'000);
  ExpectTitles(leaf, {});
  ExpectParity(middle);
  ExpectParity(leaf);
}

}  // namespace
}  // namespace sluice
