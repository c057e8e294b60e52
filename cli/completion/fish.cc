#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/completion/completion.h"
#include "cli/completion/next_words.h"
#include "cli/help.h"

namespace sluice {
namespace {

constexpr absl::string_view kNext =
    R"(# Completion of sluice for fish, made by `sluice completion fish`.

# The words that may follow the words $argv[1] of a verb, with what they are for.
function __sluice_next
  switch "$argv[1]"
)";

constexpr absl::string_view kWalk = R"(  end
end

# Walks over the words before the cursor. Prints the verb so far, the number of its arguments, and
# whether it only stands behind `help`; nothing where no completion is known.
function __sluice_walk
  set -l tokens (commandline -opc)
  set -e tokens[1]
  set -l verb ''
  set -l arguments 0
  set -l helps no
  set -l wanted no
  set -l next (__sluice_next '' | string replace -r '\t.*' '')
  for token in $tokens
    if test $wanted = yes
      set wanted no
    else if string match -q -- '-?*' $token
      contains -- $token $__sluice_flags_with_value; and set wanted yes
    else if test -z "$verb" -a $helps = no -a "$token" = help
      set helps yes
    else if contains -- $token $next
      set verb (string trim "$verb $token")
      set next (__sluice_next $verb | string replace -r '\t.*' '')
    else if set -q next[1]
      return
    else
      set arguments (math $arguments + 1)
    end
  end
  printf '%s\n' $verb $arguments $helps
end

# Prints the words that may stand at the cursor.
function __sluice_words
  set -l walk (__sluice_walk)
  set -q walk[3]; or return
  if test $walk[3] = yes
    __sluice_next $walk[1] | string match -v -r '^help\t'
  else
    __sluice_next $walk[1]
  end
end

# Whether the verb at the cursor is $argv[1], and where $argv[2] is given, has fewer arguments.
function __sluice_at
  set -l walk (__sluice_walk)
  set -q walk[3]; or return 1
  test $walk[3] = no -a "$walk[1]" = "$argv[1]"; or return 1
  not set -q argv[2]; or test $walk[2] -lt $argv[2]
end

complete -c sluice -e
complete -c sluice -f
complete -c sluice -k -a '(__sluice_words)'
)";

// The end of a `complete` whose value this is.
std::string ValueText(const ValueWords& words) {
  switch (words.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kAny:
      return " -x";
    case ValueKind::kFile:
      return " -r -F";
    case ValueKind::kFolder:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::kChoice:
      return absl::StrCat(" -x -a ", ShellWord(absl::StrJoin(words.choices, " ")));
  }
  return "";
}

// A `complete` that holds where `condition` does.
std::string CompleteText(absl::string_view condition, absl::string_view rest) {
  return absl::StrCat("complete -c sluice -n ", ShellWord(condition), rest, "\n");
}

// For each flag behind the words `verb`.
std::string FlagsText(absl::string_view verb, const std::vector<FlagSpec>& flags) {
  std::string text;
  for (const FlagSpec& flag : flags) {
    absl::string_view name = flag.name;
    const bool is_long = absl::ConsumePrefix(&name, "--");
    absl::ConsumePrefix(&name, "-");
    absl::StrAppend(&text, CompleteText(absl::StrCat("__sluice_at \"", verb, "\""),
                                        absl::StrCat(is_long ? " -l " : " -s ", name, " -d ",
                                                     ShellWord(flag.help),
                                                     ValueText(ValueWordsOf(flag.value)))));
  }
  return text;
}

std::string ArgumentsText(const Verb& verb) {
  const ValueWords words = ValueWordsOf(verb.positionals);
  const std::string condition =
      absl::StrCat("__sluice_at \"", verb.name, "\" ", verb.positionals_max);
  switch (words.kind) {
    case ValueKind::kNone:
    case ValueKind::kAny:
      return "";
    case ValueKind::kFile:
      return CompleteText(condition, " -F");
    case ValueKind::kFolder:
      return CompleteText(condition, " -a '(__fish_complete_directories)'");
    case ValueKind::kChoice:
      return CompleteText(condition,
                          absl::StrCat(" -a ", ShellWord(absl::StrJoin(words.choices, " "))));
  }
  return "";
}

std::string FlagsWithValue(const std::vector<Verb>& verbs) {
  std::set<absl::string_view> names;
  for (const Verb& verb : verbs) {
    for (const FlagSpec& flag : FlagsOf(verb)) {
      if (!flag.value.empty()) names.insert(flag.name);
    }
  }
  return absl::StrJoin(names, " ");
}

}  // namespace

std::string FishCompletion(const std::vector<Verb>& verbs) {
  const auto next = NextWords(verbs);
  std::string script(kNext);
  for (const auto& [beginning, words] : next) {
    absl::StrAppend(&script, "    case ", ShellWord(beginning), "\n");
    for (const NextWord& word : words) {
      absl::StrAppend(&script, "      printf '%s\\t%s\\n' ", ShellWord(word.word), " ",
                      ShellWord(word.summary), "\n");
    }
  }
  absl::StrAppend(&script, kWalk);
  absl::StrAppend(&script, "\nset -g __sluice_flags_with_value ", FlagsWithValue(verbs), "\n");
  for (const auto& [beginning, words] : next) {
    absl::StrAppend(&script,
                    FlagsText(beginning, beginning.empty() ? GlobalFlags() : FlagsOfHelp()));
  }
  for (const Verb& verb : verbs) {
    absl::StrAppend(&script, ArgumentsText(verb), FlagsText(verb.name, FlagsOf(verb)));
  }
  return script;
}

}  // namespace sluice
