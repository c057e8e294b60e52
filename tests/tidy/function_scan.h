// Function scan: finds the functions of a C++ file by its braces.
//
// Not a parser: it understands code in the project's own format, where a brace opens a namespace,
// a type, a function or a list of values, and what stands before the brace says which.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/source_tree.h"

namespace sluice::tidy {

struct ScannedFunction {
  std::string name;  // Without its class.
  int first_line = 0;
  int last_line = 0;
};

struct ScannedType {
  std::string name;
  int line = 0;
};

struct Scan {
  std::vector<ScannedFunction> functions;  // With a body; lambdas belong to the function around.
  std::vector<ScannedType> types;          // class, struct, union, enum.
};

Scan ScanCpp(const SourceFile& file);

}  // namespace sluice::tidy
