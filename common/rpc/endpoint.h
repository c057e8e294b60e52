// Endpoint: a TCP or Unix socket address, as it stands in configurations and on command lines.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

struct Endpoint {
  std::string unix_path;  // Empty: TCP.
  std::string host;       // A name or a numeric address, without brackets.
  int port = 0;

  bool is_unix() const { return !unix_path.empty(); }

  // "host:port", "[::1]:port" or "unix:/path".
  std::string Text() const;
};

// Reads "host:port", "[::1]:port", "unix:/path" or "unix:///path".
//
// Errors: INVALID_ARGUMENT it is none of these; the message says what is missing.
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text);

}  // namespace sluice
