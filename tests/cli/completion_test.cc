// What `sluice completion` prints, without a shell that reads it.
#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/completion/next_words.h"
#include "cli/help.h"
#include "cli/output.h"
#include "gmock/gmock.h"
#include "sluice/v1/catalog_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

const Verb& FindVerb(const std::vector<Verb>& verbs, absl::string_view name) {
  for (const Verb& verb : verbs) {
    if (verb.name == name) return verb;
  }
  ADD_FAILURE() << name << " is no verb";
  return verbs[0];
}

std::vector<std::string> ChoicesOf(const std::vector<FlagSpec>& flags, absl::string_view name) {
  for (const FlagSpec& flag : flags) {
    if (flag.name == name) return ValueWordsOf(flag.value).choices;
  }
  return {};
}

TEST_F(CliTest, CompletionNamesEveryVerbAndFlag) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    ASSERT_EQ(Run({"completion", shell}), 0) << err_;
    EXPECT_EQ(err_, "");
    for (const Verb& verb : AllVerbs()) {
      EXPECT_THAT(out_, HasSubstr(absl::StrCat(verb.name))) << shell;
      for (const FlagSpec& flag : FlagsOf(verb)) {
        // fish wants the name of a flag without its dashes.
        const bool is_fish = std::string(shell) == "fish";
        const bool is_long = absl::StartsWith(flag.name, "--");
        const std::string name =
            is_fish ? absl::StrCat(is_long ? "-l " : "-s ",
                                   absl::StripPrefix(absl::StripPrefix(flag.name, "-"), "-"), " ")
                    : std::string(flag.name);
        EXPECT_THAT(out_, HasSubstr(name)) << shell << ", " << verb.name;
      }
    }
  }
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(CliTest, CompletionWantsAShellThatItKnows) {
  EXPECT_EQ(Run({"completion"}), 2);
  EXPECT_THAT(err_, HasSubstr("completion needs bash|zsh|fish"));
  EXPECT_EQ(Run({"completion", "tcsh"}), 2);
  EXPECT_THAT(err_, HasSubstr("\"tcsh\" is none of bash, zsh, fish"));
  EXPECT_EQ(Run({"completion", ""}), 2);
  EXPECT_EQ(Run({"completion", "bash", "zsh"}), 2);
  EXPECT_EQ(out_, "");
}

TEST(NextWordsTest, AreThoseOfTheVerbsInTheirOrder) {
  const auto next = NextWords({{.name = "tree", .summary = "Show it."},
                               {.name = "sync start", .summary = "Start."},
                               {.name = "sync list", .summary = "List."}});
  ASSERT_THAT(next, SizeIs(2));
  ASSERT_THAT(next.at(""), SizeIs(3));
  EXPECT_EQ(next.at("")[0].word, "tree");
  EXPECT_EQ(next.at("")[0].summary, "Show it.");
  EXPECT_EQ(next.at("")[1].word, "sync");
  EXPECT_EQ(next.at("")[1].summary, "start, list");
  EXPECT_EQ(next.at("")[2].word, "help");
  ASSERT_THAT(next.at("sync"), SizeIs(2));
  EXPECT_EQ(next.at("sync")[1].word, "list");
  EXPECT_EQ(next.at("sync")[1].summary, "List.");
}

TEST(NextWordsTest, AWordIsAVerbOrBeginsVerbs) {
  const std::vector<Verb> verbs = AllVerbs();
  const auto next = NextWords(verbs);
  for (const Verb& verb : verbs) EXPECT_FALSE(next.contains(std::string(verb.name))) << verb.name;
}

TEST(NextWordsTest, DryRunIsForVerbsThatChangeSomething) {
  const std::vector<Verb> verbs = AllVerbs();
  const auto knows_dry_run = [&](absl::string_view name) {
    for (const FlagSpec& flag : FlagsOf(FindVerb(verbs, name))) {
      if (flag.name == "--dry-run") return true;
    }
    return false;
  };
  EXPECT_TRUE(knows_dry_run("approve"));
  EXPECT_FALSE(knows_dry_run("update list"));
}

// The script for fish skips values without knowing the verb.
TEST(NextWordsTest, AFlagTakesAValueWithEveryVerbOrWithNone) {
  std::map<std::string, bool> takes;
  for (const Verb& verb : AllVerbs()) {
    for (const FlagSpec& flag : FlagsOf(verb)) {
      const auto [at, added] = takes.emplace(flag.name, !flag.value.empty());
      EXPECT_EQ(at->second, !flag.value.empty()) << flag.name << " of " << verb.name;
    }
  }
}

TEST(ValueWordsTest, TellsWhatAValueIs) {
  EXPECT_EQ(ValueWordsOf("").kind, ValueKind::kNone);
  EXPECT_EQ(ValueWordsOf("FOLDER").kind, ValueKind::kFolder);
  EXPECT_EQ(ValueWordsOf("MANIFEST").kind, ValueKind::kFile);
  EXPECT_EQ(ValueWordsOf("ID|TITLE...").kind, ValueKind::kAny);
  EXPECT_EQ(ValueWordsOf("[TEXT]").kind, ValueKind::kAny);
  EXPECT_EQ(ValueWordsOf("on|off").kind, ValueKind::kChoice);
  EXPECT_THAT(ValueWordsOf("on|off").choices, ElementsAre("on", "off"));
}

TEST(ShellWordTest, QuotesQuotes) { EXPECT_EQ(ShellWord("it's"), "'it'\\''s'"); }

// What is offered is taken, and all of it is offered.
TEST_F(CliTest, ClosedListsAreWhatIsTaken) {
  const std::vector<std::string> formats = ChoicesOf(GlobalFlags(), "-o");
  EXPECT_THAT(formats, SizeIs(4));
  for (const std::string& format : formats) {
    EXPECT_TRUE(ParseOutputFormat(format).ok()) << format;
  }

  std::vector<std::string> states;
  for (int i = v1::UpdateState_MIN + 1; i <= v1::UpdateState_MAX; ++i) {
    const std::string name = v1::UpdateState_Name(static_cast<v1::UpdateState>(i));
    states.push_back(absl::StrReplaceAll(
        absl::AsciiStrToLower(absl::StripPrefix(name, "UPDATE_STATE_")), {{"_", "-"}}));
  }
  const std::vector<Verb> verbs = AllVerbs();
  EXPECT_THAT(ChoicesOf(FindVerb(verbs, "update list").flags, "--state"),
              UnorderedElementsAreArray(states));

  for (const std::string& shell : ValueWordsOf(FindVerb(verbs, "completion").positionals).choices) {
    EXPECT_EQ(Run({"completion", shell}), 0) << shell;
  }
}

}  // namespace
}  // namespace sluice
