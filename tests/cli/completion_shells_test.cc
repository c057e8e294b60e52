// The scripts of `sluice completion`, read and used by the shells that they are for.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/completion/next_words.h"
#include "common/file_io.h"
#include "gmock/gmock.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

using Words = std::vector<std::string>;

// Splits the line $1 as readline does, calls the function, and prints what it offers. What it
// leaves to readline, as files, is printed as the call.
constexpr char kBash[] = R"(
source ./bash
compopt() { echo "compopt $*"; }
COMP_LINE=$1 COMP_POINT=${#1}
mapfile -t COMP_WORDS < <(grep -oE '[=:]+|[^ =:]+' <<<"$1")
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sluice
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
)";

// An interactive zsh writes what it offers into a file, and ends with the first completion.
constexpr char kZshrc[] = R"(
fpath=($PWD $fpath)
autoload -Uz compinit
compinit -u
zstyle ':completion:*' insert-tab false
bindkey '^I' complete-word
compadd() {
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    local -a offered
    builtin compadd -A offered "$@"
    (( $#offered )) && print -rl -- $offered >>offered
  fi
  builtin compadd "$@"
}
comppostfuncs=(exit)
)";

// Types the line $1 and a tab into that zsh.
constexpr char kZsh[] = R"(
zmodload zsh/zpty
zpty shell zsh -i
zpty -w -n shell "$1"$'\t'
while zpty -r shell >/dev/null; do :; done
)";

// An interactive bash in which `sluice` writes its arguments down.
constexpr char kBashrc[] = R"(
PS1=
source ./bash
sluice() { printf '<%s>' "$@" >>called; echo >>called; }
)";

class CompletionShellsTest : public CliTest {
 protected:
  CompletionShellsTest() {
    char path[] = "/tmp/completion_shells_XXXXXX";
    folder_ = mkdtemp(path);
    for (const char* shell : {"bash", "zsh", "fish"}) {
      EXPECT_EQ(Run({"completion", shell}), 0) << err_;
      Write(shell, out_);
    }
    // The name by which zsh finds it.
    std::filesystem::rename(folder_ + "/zsh", folder_ + "/_sluice");
    Write("complete.bash", kBash);
    Write("complete.zsh", kZsh);
    Write(".zshrc", kZshrc);
    Write("bashrc", kBashrc);
    std::filesystem::create_directories(folder_ + "/files/two words");
    std::filesystem::create_directories(folder_ + "/files/nodes");
    Write("files/agent.yaml", "");
  }
  ~CompletionShellsTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteSmallFile(folder_ + "/" + name, text).ok()) << name;
  }

  // The lines that `command` prints, run in the folder with no configuration but its own.
  Words Lines(const std::string& command) {
    const std::string whole =
        absl::StrCat("cd ", folder_, " && HOME=", folder_, " ZDOTDIR=", folder_,
                     " TERM=dumb timeout 30 ", command, " 2>&1");
    std::FILE* pipe = popen(whole.c_str(), "r");
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
    EXPECT_EQ(pclose(pipe), 0) << command << ": " << text;
    return absl::StrSplit(text, '\n', absl::SkipEmpty());
  }

  Words Bash(const std::string& line) {
    return Lines("bash --norc complete.bash " + ShellWord(line));
  }

  Words Zsh(const std::string& line) {
    Write("offered", "");
    return Lines(absl::StrCat("zsh -f complete.zsh ", ShellWord(line), " && cat offered"));
  }

  // Without what fish says of each.
  Words Fish(const std::string& line) {
    Words words = Lines("fish --no-config -c " +
                        ShellWord(absl::StrCat("source fish; complete -C ", ShellWord(line))));
    for (std::string& word : words) word = word.substr(0, word.find('\t'));
    return words;
  }

  // What is offered for the flags of `verb`.
  Words FlagNames(const Verb& verb, absl::string_view beginning) {
    Words names;
    for (const FlagSpec& flag : FlagsOf(verb)) {
      if (absl::StartsWith(flag.name, beginning)) names.emplace_back(flag.name);
    }
    return names;
  }

  std::string folder_;
};

TEST_F(CompletionShellsTest, AreUnderstood) {
  EXPECT_THAT(Lines("bash -n bash"), IsEmpty());
  EXPECT_THAT(Lines("zsh -n _sluice"), IsEmpty());
  EXPECT_THAT(Lines("fish -n fish"), IsEmpty());
}

// As `source <(sluice completion zsh)` in a configuration of one's own.
TEST_F(CompletionShellsTest, ZshMaySourceIt) {
  EXPECT_THAT(Lines("zsh -f -c 'autoload compinit; compinit -u; source ./_sluice; "
                    "print $_comps[sluice]'"),
              ElementsAre("_sluice"));
}

TEST_F(CompletionShellsTest, BashCompletesVerbs) {
  EXPECT_THAT(Bash("sluice upd"), ElementsAre("update"));
  EXPECT_THAT(Bash("sluice update "), ElementsAre("list", "get", "where", "explain", "publish"));
  EXPECT_THAT(Bash("sluice update p"), ElementsAre("publish"));
  EXPECT_THAT(Bash("sluice --address hq:8531 update "),
              ElementsAre("list", "get", "where", "explain", "publish"));
  EXPECT_THAT(Bash("sluice --address=hq:8531 -o json upd"), ElementsAre("update"));
  EXPECT_THAT(Bash("sluice --address: upd"), ElementsAre("update"));
  EXPECT_THAT(Bash("sluice help sync s"), ElementsAre("start", "schedule"));
  EXPECT_THAT(Bash("sluice help he"), IsEmpty());
}

TEST_F(CompletionShellsTest, BashOffersNothingBehindUnknownWords) {
  EXPECT_THAT(Bash("sluice frob "), IsEmpty());
  EXPECT_THAT(Bash("sluice update frob "), IsEmpty());
  EXPECT_THAT(Bash("sluice update frob --"), IsEmpty());
  EXPECT_THAT(Bash("sluice help tree "), IsEmpty());
  EXPECT_THAT(Bash("sluice 127.0.0.1:8530 l"), IsEmpty());
  EXPECT_THAT(Bash("sluice '*' "), IsEmpty());
}

TEST_F(CompletionShellsTest, BashCompletesFlagsOfTheVerb) {
  EXPECT_THAT(Bash("sluice update list --s"), ElementsAre("--state", "--show-rpc"));
  EXPECT_THAT(Bash("sluice update -"), ElementsAre("--help", "-h"));
  EXPECT_THAT(Bash("sluice --dr"), ElementsAre("--dry-run"));
  // What was given is offered again only where it may be repeated.
  EXPECT_THAT(Bash("sluice update list --state approved --s"), ElementsAre("--show-rpc"));
  EXPECT_THAT(Bash("sluice subscription set --product a --pro"), ElementsAre("--product"));
  // Where no argument can follow, flags are all there is.
  EXPECT_THAT(Bash("sluice tree "), Contains("--show-rpc"));
  EXPECT_THAT(Bash("sluice approve a b "), IsEmpty());
  EXPECT_THAT(Bash("sluice approve -- --"), IsEmpty());
}

TEST_F(CompletionShellsTest, BashCompletesValues) {
  EXPECT_THAT(Bash("sluice -o "), ElementsAre("table", "json", "yaml", "name"));
  EXPECT_THAT(Bash("sluice -o=j"), ElementsAre("json"));
  EXPECT_THAT(
      Bash("sluice update list --state "),
      ElementsAre("approved", "not-approved", "declined", "pending", "inactive", "held-back"));
  EXPECT_THAT(Bash("sluice update list --state=p"), ElementsAre("pending"));
  EXPECT_THAT(Bash("sluice completion "), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(Bash("sluice approve --group "), IsEmpty());
  EXPECT_THAT(Bash("sluice --certificates "), ElementsAre("compopt -o dirnames"));
  EXPECT_THAT(Bash("sluice certificate issue to --authority "), ElementsAre("compopt -o dirnames"));
  EXPECT_THAT(Bash("sluice update publish "), ElementsAre("compopt -o default"));
}

TEST_F(CompletionShellsTest, BashKnowsTheFlagsOfEveryVerb) {
  for (const Verb& verb : AllVerbs()) {
    EXPECT_THAT(Bash(absl::StrCat("sluice ", verb.name, " -")),
                UnorderedElementsAreArray(FlagNames(verb, "-")))
        << verb.name;
  }
}

// What an operator types, through a terminal.
TEST_F(CompletionShellsTest, BashCompletesInATerminal) {
  Write("typed",
        "cd files\n"
        "sluice cer\tsh\tno\t\n"
        "sluice certificate show tw\t\n"
        "sluice certificate show \"tw\t\n"
        "sluice certificate issue to --authority=no\t\n"
        "sluice update publish ag\t\n"
        "sluice --address hq:8531 upd\tli\t--state=dec\t--prod\tDebian/12\n"
        "sluice -o=ya\ttree\n"
        "exit\n");
  Lines("script --quiet --command 'bash --rcfile bashrc -i' /dev/null <" + folder_ + "/typed");
  EXPECT_THAT(
      Lines("cat files/called"),
      ElementsAre("<certificate><show><nodes/>", "<certificate><show><two words/>",
                  "<certificate><show><two words/>", "<certificate><issue><to><--authority=nodes/>",
                  "<update><publish><agent.yaml>",
                  "<--address><hq:8531><update><list><--state=declined><--product>"
                  "<Debian/12>",
                  "<-o=yaml><tree>"));
}

TEST_F(CompletionShellsTest, ZshCompletes) {
  EXPECT_THAT(Zsh("sluice upd"), ElementsAre("update"));
  EXPECT_THAT(Zsh("sluice --address hq:8531 -o json update "),
              UnorderedElementsAre("list", "get", "where", "explain", "publish"));
  EXPECT_THAT(Zsh("sluice help audit "), UnorderedElementsAre("list", "verify"));
  EXPECT_THAT(Zsh("sluice frob "), IsEmpty());
  EXPECT_THAT(Zsh("sluice update frob "), IsEmpty());
  EXPECT_THAT(Zsh("sluice -o "), ElementsAre("table", "json", "yaml", "name"));
  EXPECT_THAT(
      Zsh("sluice update list --state="),
      ElementsAre("approved", "not-approved", "declined", "pending", "inactive", "held-back"));
  EXPECT_THAT(Zsh("sluice completion "), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(Zsh("sluice subscription set --product a --pro"), ElementsAre("--product"));
  EXPECT_THAT(Zsh("sluice certificate show files/n"), Contains("nodes"));
  EXPECT_THAT(Zsh("sluice update publish files/a"), Contains("agent.yaml"));
  EXPECT_THAT(Zsh("sluice approve --group "), IsEmpty());
}

TEST_F(CompletionShellsTest, ZshKnowsTheFlagsOfVerbs) {
  const std::vector<Verb> verbs = AllVerbs();
  for (const absl::string_view name : {"approve", "certificate issue", "audit verify"}) {
    for (const Verb& verb : verbs) {
      if (verb.name != name) continue;
      EXPECT_THAT(Zsh(absl::StrCat("sluice ", name, " -")),
                  UnorderedElementsAreArray(FlagNames(verb, "-")))
          << name;
    }
  }
}

TEST_F(CompletionShellsTest, FishCompletes) {
  EXPECT_THAT(Fish("sluice upd"), ElementsAre("update"));
  EXPECT_THAT(Fish("sluice --address hq:8531 -o json update "),
              ElementsAre("list", "get", "where", "explain", "publish"));
  EXPECT_THAT(Fish("sluice help audit "), ElementsAre("list", "verify"));
  EXPECT_THAT(Fish("sluice frob "), IsEmpty());
  EXPECT_THAT(Fish("sluice update frob "), IsEmpty());
  EXPECT_THAT(Fish("sluice -o "), UnorderedElementsAre("table", "json", "yaml", "name"));
  EXPECT_THAT(Fish("sluice update list --state "),
              UnorderedElementsAre("approved", "not-approved", "declined", "pending", "inactive",
                                   "held-back"));
  EXPECT_THAT(Fish("sluice completion "), UnorderedElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(Fish("sluice certificate show files/"),
              UnorderedElementsAre("files/nodes/", "files/two words/"));
  EXPECT_THAT(Fish("sluice certificate show x files/"), IsEmpty());
  EXPECT_THAT(Fish("sluice update publish files/a"), ElementsAre("files/agent.yaml"));
  EXPECT_THAT(Fish("sluice approve --group "), IsEmpty());
}

TEST_F(CompletionShellsTest, FishKnowsTheFlagsOfEveryVerb) {
  for (const Verb& verb : AllVerbs()) {
    EXPECT_THAT(Fish(absl::StrCat("sluice ", verb.name, " --")),
                UnorderedElementsAreArray(FlagNames(verb, "--")))
        << verb.name;
  }
}

}  // namespace
}  // namespace sluice
