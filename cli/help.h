// Help: what `sluice --help` and `sluice VERB --help` print.
#pragma once

#include <ostream>
#include <vector>

#include "cli/arguments.h"
#include "cli/verb.h"

namespace sluice {

// The flags that every verb knows.
const std::vector<FlagSpec>& GlobalFlags();

void PrintHelp(const std::vector<Verb>& verbs, std::ostream& out);

void PrintVerbHelp(const Verb& verb, std::ostream& out);

}  // namespace sluice
