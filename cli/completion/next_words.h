// Next words: what may stand where on a command line, for completion in any shell.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/arguments.h"
#include "cli/verb.h"

namespace sluice {

// A word of a verb.
struct NextWord {
  std::string word;
  std::string summary;
};

// The words that continue each beginning of a verb: those of "" are first words, `help` among them.
std::map<std::string, std::vector<NextWord>> NextWords(const std::vector<Verb>& verbs);

// All flags that may stand behind the verb.
std::vector<FlagSpec> FlagsOf(const Verb& verb);

// The flags that may stand behind the first of a verb's two words.
std::vector<FlagSpec> FlagsOfHelp();

enum class ValueKind { kNone, kAny, kFile, kFolder, kChoice };

// What a flag or a positional wants, by what its help says of it.
struct ValueWords {
  ValueKind kind = ValueKind::kNone;
  // Of kChoice.
  std::vector<std::string> choices;
};
ValueWords ValueWordsOf(absl::string_view value);

// `text` as one word of a shell: 'it'\''s'.
std::string ShellWord(absl::string_view text);

}  // namespace sluice
