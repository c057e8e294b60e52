// Wire status: an absl::Status as gRPC carries it, with google.rpc details, and back.
//
// Server and channel both use it, so that `ReasonOf`, `RetryDelayOf` and `FieldViolationsOf`
// (common/errors.h) say the same on both ends.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice {

// What gRPC sends: code, message, and the bytes of "grpc-status-details-bin".
struct WireStatus {
  int code = 0;
  std::string message;
  std::string details;  // A serialized google.rpc.Status; empty when there is nothing to add.
};

// A reason becomes ErrorInfo (domain "sluice"), a retry delay RetryInfo; payloads that are named by
// a type URL travel as they are. Messages are cut to 2 KiB, details to what fits the metadata
// limit.
WireStatus ToWire(const absl::Status& status);

// The way back. Details that cannot be read are left out; so are reasons of another domain.
absl::Status FromWire(const WireStatus& wire);

}  // namespace sluice
