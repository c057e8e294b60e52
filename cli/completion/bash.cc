#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/completion/completion.h"
#include "cli/completion/next_words.h"
#include "cli/help.h"

namespace sluice {
namespace {

constexpr absl::string_view kKnows =
    R"(# Completion of sluice for bash, made by `sluice completion bash`.

# What may follow the words $1 of a verb: the words `next`, the flags `flags` as NAME or NAME=VALUE
# (behind a + those that may be repeated), and at most `most` arguments that are `takes`.
_sluice_knows() {
  next='' flags='' takes='' most=0
  case $1 in
)";

constexpr absl::string_view kWalk = R"(  esac
}

# Puts the words up to the cursor into `words`: bash splits them at = and : as well, here they are
# whole again. `kept` is the beginning of the last one that a completion does not replace.
_sluice_words() {
  local line=${COMP_LINE-${COMP_WORDS[*]}} rest word='' i
  line=${line:0:${COMP_POINT-${#line}}}
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    rest=${line#"${line%%[![:space:]]*}"}
    word=${COMP_WORDS[i]-}
    if ((i == COMP_CWORD)); then word=$rest; fi
    if ((i == 0)) || [[ $rest != "$line" ]]; then
      words+=("$word")
    else
      words[-1]+=$word
    fi
    line=${rest#*"$word"}
  done
  kept=${words[-1]}
  if [[ $word != [=:]* ]]; then kept=${kept%"$word"}; fi
}

# Puts what the flag $1 takes into `value`, which stays empty when it takes nothing.
_sluice_value() {
  local flag
  value=''
  for flag in $flags; do
    flag=${flag#+}
    if [[ $flag == "$1="* ]]; then value=${flag#*=}; fi
  done
}

# Offers each of the words $2, with $1 before it, that begins as the last word does.
_sluice_offer() {
  local word
  for word in $2; do
    word=$1$word
    if [[ $word == "${words[-1]}"* ]]; then COMPREPLY+=("${word#"$kept"}"); fi
  done
}

# Offers what can stand for the value $2, with $1 before it.
_sluice_offer_value() {
  case $2 in
    FILE) compopt -o default ;;
    FOLDER) compopt -o dirnames ;;
    *[[:upper:]]*) ;;
    *) _sluice_offer "$1" "${2//|/ }" ;;
  esac
}

# Offers the flags that can still be given; $1 are those that are.
_sluice_offer_flags() {
  local flag name
  for flag in $flags; do
    name=${flag%%=*}
    if [[ $name == +* || $1 != *" $name "* ]]; then _sluice_offer '' "${name#+}"; fi
  done
}

_sluice() {
  local IFS=$' \t\n' words kept next flags takes most value
  local verb='' helps='' given=' ' wanted='' only_arguments='' arguments=0 word
  COMPREPLY=()
  _sluice_words
  _sluice_knows ''
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ -n $wanted ]]; then
      wanted=''
    elif [[ -z $only_arguments && $word == -- ]]; then
      only_arguments=1
    elif [[ -z $only_arguments && $word == -?* ]]; then
      given+="${word%%=*} "
      _sluice_value "$word"
      wanted=$value
    elif [[ -z $verb && -z $helps && $word == help ]]; then
      helps=1
    elif [[ " $next " == *" $word "* ]]; then
      verb+="${verb:+ }$word"
      _sluice_knows "$verb"
    elif [[ -n $next ]]; then
      return 0
    else
      arguments=$((arguments + 1))
    fi
  done
  word=${words[-1]}
  if [[ -n $helps ]]; then
    _sluice_offer '' "${next% help}"
  elif [[ -n $wanted ]]; then
    _sluice_offer_value '' "$wanted"
  elif [[ -z $only_arguments && $word == -*=* ]]; then
    _sluice_value "${word%%=*}"
    _sluice_offer_value "${word%%=*}=" "$value"
  elif [[ -z $only_arguments && $word == -* ]]; then
    _sluice_offer_flags "$given"
  elif [[ -n $next ]]; then
    _sluice_offer '' "$next"
  elif ((arguments < most)); then
    _sluice_offer_value '' "$takes"
  elif [[ -z $only_arguments && -z $word ]]; then
    _sluice_offer_flags "$given"
  fi
}

complete -F _sluice sluice
)";

// A value as the script's functions know it.
std::string ValueText(absl::string_view value) {
  const ValueWords words = ValueWordsOf(value);
  switch (words.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kAny:
      return "ANY";
    case ValueKind::kFile:
      return "FILE";
    case ValueKind::kFolder:
      return "FOLDER";
    case ValueKind::kChoice:
      return absl::StrJoin(words.choices, "|");
  }
  return "";
}

std::string FlagsText(const std::vector<FlagSpec>& flags) {
  return ShellWord(absl::StrJoin(flags, " ", [](std::string* text, const FlagSpec& flag) {
    absl::StrAppend(text, flag.repeated ? "+" : "", flag.name, flag.value.empty() ? "" : "=",
                    ValueText(flag.value));
  }));
}

}  // namespace

std::string BashCompletion(const std::vector<Verb>& verbs) {
  std::string script(kKnows);
  for (const auto& [beginning, words] : NextWords(verbs)) {
    const std::string next = absl::StrJoin(words, " ", [](std::string* text, const NextWord& word) {
      absl::StrAppend(text, word.word);
    });
    absl::StrAppend(&script, "    ", ShellWord(beginning), ")\n      next=", ShellWord(next),
                    "\n      flags=", FlagsText(beginning.empty() ? GlobalFlags() : FlagsOfHelp()),
                    "\n      ;;\n");
  }
  for (const Verb& verb : verbs) {
    absl::StrAppend(&script, "    ", ShellWord(verb.name), ")\n");
    if (verb.positionals_max > 0) {
      absl::StrAppend(&script, "      takes=", ShellWord(ValueText(verb.positionals)),
                      " most=", verb.positionals_max, "\n");
    }
    absl::StrAppend(&script, "      flags=", FlagsText(FlagsOf(verb)), "\n      ;;\n");
  }
  absl::StrAppend(&script, kWalk);
  return script;
}

}  // namespace sluice
