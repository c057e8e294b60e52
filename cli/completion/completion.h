// Completion: scripts with which a shell completes the command line of `sluice`.
//
// Each is made from the table of verbs, so it knows what this build knows. The scripts work alike:
// one function says what may follow the words of a verb, another walks over the typed words to find
// the verb. They call neither `sluice` nor a node, so that a shell never waits for one.
#pragma once

#include <string>
#include <vector>

#include "cli/verb.h"

namespace sluice {

std::string BashCompletion(const std::vector<Verb>& verbs);

std::string ZshCompletion(const std::vector<Verb>& verbs);

std::string FishCompletion(const std::vector<Verb>& verbs);

}  // namespace sluice
