// Channel caller: calls a node over gRPC.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cli/caller.h"
#include "cli/run.h"
#include "common/rpc/channel.h"

namespace sluice {

class ChannelCaller : public Caller {
 public:
  // Does not connect yet. Errors: UsageError the address is malformed; LocalFailure the
  // certificate cannot be used.
  static absl::StatusOr<std::unique_ptr<Caller>> Create(const CliTarget& target,
                                                        const CallLimits& limits);

  ChannelCaller(std::unique_ptr<Channel> channel, const CallLimits& limits)
      : limits_(limits), channel_(std::move(channel)) {}

  absl::Status Unary(absl::string_view method, const google::protobuf::Message& request,
                     google::protobuf::Message& response) override;
  absl::Status ServerStream(absl::string_view method, const google::protobuf::Message& request,
                            google::protobuf::Message& response, absl::Duration limit,
                            absl::FunctionRef<bool()> on_message) override;
  absl::Status ClientStream(absl::string_view method, google::protobuf::Message& request,
                            absl::FunctionRef<absl::StatusOr<bool>()> next,
                            google::protobuf::Message& response) override;

 private:
  const CallLimits limits_;
  const std::unique_ptr<Channel> channel_;
};

}  // namespace sluice
