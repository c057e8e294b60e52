#include "cli/completion/next_words.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/help.h"

namespace sluice {
namespace {

std::vector<FlagSpec> GlobalFlagsBut(absl::string_view name) {
  std::vector<FlagSpec> flags;
  for (const FlagSpec& flag : GlobalFlags()) {
    if (flag.name != name) flags.push_back(flag);
  }
  return flags;
}

}  // namespace

std::map<std::string, std::vector<NextWord>> NextWords(const std::vector<Verb>& verbs) {
  std::map<std::string, std::vector<NextWord>> next;
  for (const Verb& verb : verbs) {
    const std::vector<std::string> words = absl::StrSplit(verb.name, absl::MaxSplits(' ', 1));
    if (words.size() == 1) {
      next[""].push_back({words[0], std::string(verb.summary)});
      continue;
    }
    std::vector<NextWord>& seconds = next[words[0]];
    if (seconds.empty()) next[""].push_back({words[0], ""});
    seconds.push_back({words[1], std::string(verb.summary)});
  }
  for (NextWord& first : next[""]) {
    if (!first.summary.empty()) continue;
    first.summary = absl::StrJoin(
        next[first.word], ", ",
        [](std::string* text, const NextWord& second) { absl::StrAppend(text, second.word); });
  }
  next[""].push_back({"help", "Print the help of a verb."});
  return next;
}

std::vector<FlagSpec> FlagsOf(const Verb& verb) {
  std::vector<FlagSpec> flags = verb.flags;
  for (const FlagSpec& flag : GlobalFlagsBut(verb.changes_state ? "" : "--dry-run")) {
    flags.push_back(flag);
  }
  return flags;
}

std::vector<FlagSpec> FlagsOfHelp() {
  std::vector<FlagSpec> flags;
  for (const FlagSpec& flag : GlobalFlags()) {
    if (flag.name == "--help" || flag.name == "-h") flags.push_back(flag);
  }
  return flags;
}

ValueWords ValueWordsOf(absl::string_view value) {
  if (value.empty()) return {};
  if (value == "FOLDER") return {.kind = ValueKind::kFolder};
  if (value == "FILE" || value == "MANIFEST") return {.kind = ValueKind::kFile};
  if (std::any_of(value.begin(), value.end(), absl::ascii_isupper)) {
    return {.kind = ValueKind::kAny};
  }
  return {.kind = ValueKind::kChoice, .choices = absl::StrSplit(value, '|')};
}

std::string ShellWord(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

}  // namespace sluice
