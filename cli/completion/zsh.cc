#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/completion/completion.h"
#include "cli/completion/next_words.h"
#include "cli/help.h"

namespace sluice {
namespace {

constexpr absl::string_view kKnows = R"(#compdef sluice
# Completion of sluice for zsh, made by `sluice completion zsh`.

# What may follow the words $1 of a verb: the words `next` as WORD:SUMMARY, and `specs`, the flags
# and arguments as _arguments takes them.
_sluice_knows() {
  next=()
  specs=()
  case $1 in
)";

constexpr absl::string_view kWalk = R"(  esac
}

_sluice() {
  local curcontext=$curcontext state state_descr verb helps
  local -a line next specs
  local -A opt_args
  integer ret=1

  _sluice_knows ''
  _arguments -C -S : $specs '(-)1: :->first' '(-)*:: :->rest' && ret=0
  if [[ $state == first ]]; then
    _describe -t verbs verb next && ret=0
    return ret
  fi
  [[ $state == rest ]] || return ret

  # Here `words` begins with the verb.
  if [[ $words[1] == help ]]; then
    helps=1
    next=(${next:#help:*})
  else
    (( ${next[(I)$words[1]:*]} )) || return 1
    verb=$words[1]
    _sluice_knows $verb
  fi
  while (( $#next )); do
    if (( CURRENT == 2 )); then
      [[ -z $helps && $PREFIX == -* ]] && _arguments -S : $specs && ret=0
      _describe -t verbs verb next && ret=0
      return ret
    fi
    (( ${next[(I)$words[2]:*]} )) || return 1
    verb+=${verb:+ }$words[2]
    shift words
    (( CURRENT-- ))
    _sluice_knows $verb
  done
  [[ -n $helps ]] && return 1
  _arguments -S : $specs
}

if [[ $funcstack[1] == _sluice ]]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
)";

// ":MESSAGE:ACTION" of _arguments for a value that is called `name`.
std::string ActionText(absl::string_view name, absl::string_view value) {
  const ValueWords words = ValueWordsOf(value);
  switch (words.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kAny:
      return absl::StrCat(":", value, ": ");
    case ValueKind::kFile:
      return absl::StrCat(":", value, ":_files");
    case ValueKind::kFolder:
      return absl::StrCat(":", value, ":_files -/");
    case ValueKind::kChoice:
      return absl::StrCat(":", name, ":(", absl::StrJoin(words.choices, " "), ")");
  }
  return "";
}

std::string FlagText(const FlagSpec& flag) {
  const bool is_long = absl::StartsWith(flag.name, "--");
  return ShellWord(absl::StrCat(
      flag.repeated ? "*" : "", flag.name, !flag.value.empty() && is_long ? "=" : "", "[",
      absl::StrReplaceAll(flag.help, {{"]", "\\]"}, {"\\", "\\\\"}}), "]",
      ActionText(absl::StripPrefix(absl::StripPrefix(flag.name, "-"), "-"), flag.value)));
}

std::string ArgumentsText(const Verb& verb) {
  if (verb.positionals_max == 0) return "";
  // A second colon: it may be left out.
  const absl::string_view position = verb.positionals_max > 1    ? "*"
                                     : verb.positionals_min == 0 ? "1:"
                                                                 : "1";
  return absl::StrCat(
      "        ", ShellWord(absl::StrCat(position, ActionText("word", verb.positionals))), "\n");
}

std::string SpecsText(const std::vector<FlagSpec>& flags) {
  std::string text;
  for (const FlagSpec& flag : flags) absl::StrAppend(&text, "        ", FlagText(flag), "\n");
  return text;
}

}  // namespace

std::string ZshCompletion(const std::vector<Verb>& verbs) {
  std::string script(kKnows);
  for (const auto& [beginning, words] : NextWords(verbs)) {
    absl::StrAppend(&script, "    (", ShellWord(beginning), ")\n      next=(\n");
    for (const NextWord& word : words) {
      absl::StrAppend(&script, "        ", ShellWord(absl::StrCat(word.word, ":", word.summary)),
                      "\n");
    }
    absl::StrAppend(&script, "      )\n      specs=(\n",
                    SpecsText(beginning.empty() ? GlobalFlags() : FlagsOfHelp()),
                    "      )\n      ;;\n");
  }
  for (const Verb& verb : verbs) {
    absl::StrAppend(&script, "    (", ShellWord(verb.name), ")\n      specs=(\n",
                    ArgumentsText(verb), SpecsText(FlagsOf(verb)), "      )\n      ;;\n");
  }
  absl::StrAppend(&script, kWalk);
  return script;
}

}  // namespace sluice
