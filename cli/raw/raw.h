// Raw mode: any method of any server, by reflection, the way grpcurl does it.
#pragma once

#include <istream>
#include <ostream>
#include <string>
#include <vector>

namespace sluice {

// Runs one command line, without the program's name, and returns the exit code: 0 success, 1 a
// failure around the call, 2 wrong usage, 64 + code when the call itself failed with that gRPC
// code.
int RunRaw(const std::vector<std::string>& args, std::istream& in, std::ostream& out,
           std::ostream& err);

}  // namespace sluice
