// Raw flags: the command line of raw mode, in the grammar of Go's flag package.
//
// "-flag", "--flag", "-flag=value" and "-flag value" are the same; booleans take "=false" only; the
// first word that is no flag ends the flags.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice {

struct RawFlags {
  bool help = false;
  bool version = false;
  bool plaintext = false;
  bool unix_socket = false;
  bool emit_defaults = false;
  bool format_error = false;
  bool allow_unknown_fields = false;
  bool msg_template = false;
  std::string authorities;  // -cacert
  std::string certificate;  // -cert
  std::string key;          // -key
  std::string data;
  bool has_data = false;
  std::string format = "json";
  double connect_timeout_seconds = 10;
  double max_time_seconds = 0;  // 0: none.
  std::vector<std::string> positionals;
};

// Errors: INVALID_ARGUMENT in the words that Go's flag package or grpcurl would use.
absl::StatusOr<RawFlags> ParseRawFlags(const std::vector<std::string>& args);

// What -help prints.
std::string RawUsage();

}  // namespace sluice
