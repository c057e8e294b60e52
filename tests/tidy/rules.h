// Rules: what a machine can check about how Sluice reads. Each is a function from a file to what is
// wrong in it, with what to do instead.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/source_tree.h"

namespace sluice::tidy {

struct Wrong {
  int line = 0;  // From 1; 0 is the whole file.
  std::string what;
};

// Which folder may include which: proto <- common <- storage <- upstream | downstream; cli sees
// proto and common. Only downstream/main.cc joins upstream and downstream.
std::vector<Wrong> CheckArrows(const SourceFile& file);

// A library that one place wraps is included in that place only: gRPC, spdlog.
std::vector<Wrong> CheckForeignIncludes(const SourceFile& file);

std::vector<Wrong> CheckFileLength(const SourceFile& file);
std::vector<Wrong> CheckFunctionLength(const SourceFile& file);
std::vector<Wrong> CheckLineWidth(const SourceFile& file);

// Words that hide what a thing is, and words for which Sluice has others.
std::vector<Wrong> CheckNames(const SourceFile& file);

// The opening comment, `#pragma once`.
std::vector<Wrong> CheckHeader(const SourceFile& file);

// Marks of unfinished work.
std::vector<Wrong> CheckLeftovers(const SourceFile& file);

// Credentials without the gate, and namespaces that make names ambiguous.
std::vector<Wrong> CheckForbiddenCode(const SourceFile& file);

// Every service, rpc, message and enum says what it is for; requests and responses are explained by
// their rpc.
std::vector<Wrong> CheckProtoComments(const SourceFile& file);

// Scripts stop at the first failure.
std::vector<Wrong> CheckShell(const SourceFile& file);

// Tests wait for conditions, not for time to pass.
std::vector<Wrong> CheckNoSleepInTests(const SourceFile& file);

}  // namespace sluice::tidy
