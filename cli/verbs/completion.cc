// `completion`: a script for the shell, to be sourced or installed. No node is called.
#include "cli/completion/completion.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/verbs/verbs.h"

namespace sluice {
namespace {

absl::StatusOr<int> RunCompletion(Invocation& invocation) {
  const std::string& shell = invocation.args.positionals()[0];
  if (shell == "bash") {
    invocation.out << BashCompletion(AllVerbs());
  } else if (shell == "zsh") {
    invocation.out << ZshCompletion(AllVerbs());
  } else if (shell == "fish") {
    invocation.out << FishCompletion(AllVerbs());
  } else {
    return UsageError(absl::StrCat("completion: \"", shell, "\" is none of bash, zsh, fish"));
  }
  return kExitOk;
}

}  // namespace

Verb CompletionVerb() {
  return {.name = "completion",
          .positionals = "bash|zsh|fish",
          .summary = "Print a script with which this shell completes sluice's command line.",
          .method = "",
          .flags = {},
          .positionals_min = 1,
          .positionals_max = 1,
          .run = RunCompletion};
}

}  // namespace sluice
