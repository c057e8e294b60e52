// Parity formats: the result of a check for monitoring: one line for Nagios, and Prometheus' text
// format for the node exporter's textfile collector.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sluice/v1/parity_service.pb.h"

namespace sluice {

// What a check came to.
struct ParityResult {
  v1::CheckSummary summary;
  // Findings of each class; all classes are there.
  std::map<v1::FindingClass, int64_t> by_class;
  int64_t standing = 0;
  // With a subtree: nodes that answered, and those that did not or could not.
  int64_t nodes_checked = 0;
  std::vector<std::string> nodes_unknown;

  // 0 in parity, 1 differences that may go away, 2 standing ones, 3 it cannot be said.
  int exit_code() const;
};

// "PARITY OK - in parity with hq | findings=0;1 standing=0;;1 ...", one line. `unknown`: why there
// is no result; OK where there is one.
std::string NagiosLine(const ParityResult& result, const absl::Status& unknown);

// All metrics of a check, with their help. Valid also where there is no result.
std::string TextfileMetrics(const ParityResult& result, bool known, absl::Time now);

// Writes a file that is never seen half written: beside it, and then renamed.
//
// Errors: the system's, naming the path.
absl::Status WriteFileWhole(const std::string& path, const std::string& text);

}  // namespace sluice
