// Caller: how a verb calls a node.
//
// Verbs know messages and the names of methods, and nothing about transport; so tests answer them
// with a script.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"

namespace sluice {

// Methods are named as in "sluice.v1.CatalogService/ListUpdates". Failures are those of the node or
// of the way to it, with their reason (common/errors.h).
class Caller {
 public:
  virtual ~Caller() = default;

  virtual absl::Status Unary(absl::string_view method, const google::protobuf::Message& request,
                             google::protobuf::Message& response) = 0;

  // Calls `on_message` with each message in `response`; false ends the call with OK. After `limit`
  // the call ends with DEADLINE_EXCEEDED.
  virtual absl::Status ServerStream(absl::string_view method,
                                    const google::protobuf::Message& request,
                                    google::protobuf::Message& response, absl::Duration limit,
                                    absl::FunctionRef<bool()> on_message) = 0;

  // Sends what `next` puts into `request`, until it returns false; its failure breaks off the call
  // and is returned.
  virtual absl::Status ClientStream(absl::string_view method, google::protobuf::Message& request,
                                    absl::FunctionRef<absl::StatusOr<bool>()> next,
                                    google::protobuf::Message& response) = 0;
};

}  // namespace sluice
