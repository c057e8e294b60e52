#include "upstream/self_probe.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "common/status.h"
#include "grpc/health/v1/health.pb.h"

namespace sluice {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<Channel>> SelfProbe::Connect() const {
  // One without TLS has fewer reasons not to answer.
  const auto plain = std::find_if(listeners_.begin(), listeners_.end(),
                                  [](const ListenAddress& listener) { return !listener.tls; });
  if (plain != listeners_.end()) return Channel::Create(plain->address);
  ChannelOptions options;
  options.certificate = certificates_->paths();
  // Its certificate may be for other names than the address.
  options.node_id = certificates_->node_id();
  return Channel::Create(listeners_.front().address, options);
}

absl::Status SelfProbe::Call(absl::Time now) {
  if (channel_ == nullptr) {
    ASSIGN_OR_RETURN(channel_, Connect());
  }
  CallOptions options;
  options.deadline = absl::Now() + kTimeout;
  grpc::health::v1::HealthCheckResponse response;
  const absl::Status status =
      Annotate(channel_->Unary("grpc.health.v1.Health/Check",
                               grpc::health::v1::HealthCheckRequest(), response, options),
               "calling this node's own listener");
  if (!status.ok() && certificates_ != nullptr && certificates_->not_after() <= now) {
    return absl::OkStatus();
  }
  return status;
}

}  // namespace sluice
