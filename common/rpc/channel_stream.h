// Channel stream: the two kinds of open calls of a channel. For the gRPC side of this folder only.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/channel.h"
#include "common/rpc/client_stream.h"
#include "google/protobuf/message.h"

namespace sluice {

// How a call ended, as its caller is told. `may_block`: whether the address may be looked at.
using Explain = std::function<absl::Status(const grpc::Status& status, bool may_block)>;

std::unique_ptr<ClientStream> OpenBlockingStream(std::shared_ptr<grpc::Channel> channel,
                                                 const std::string& path,
                                                 const CallOptions& options, Explain explain);

std::unique_ptr<StreamHandle> OpenSubscription(std::shared_ptr<grpc::Channel> channel,
                                               const std::string& path,
                                               const google::protobuf::Message& request,
                                               StreamReceiver& receiver, const CallOptions& options,
                                               Explain explain);

}  // namespace sluice
