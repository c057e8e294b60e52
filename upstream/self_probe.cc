#include "upstream/self_probe.h"

#include "absl/time/clock.h"
#include "common/status.h"
#include "grpc/health/v1/health.pb.h"

namespace sluice {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);

}  // namespace

absl::Status SelfProbe::Call() {
  if (channel_ == nullptr) {
    // Callers of a listener with TLS would need another name than its address.
    for (const ListenAddress& listener : listeners_) {
      if (listener.tls) continue;
      ASSIGN_OR_RETURN(channel_, Channel::Create(listener.address));
      break;
    }
    if (channel_ == nullptr) return absl::OkStatus();
  }
  CallOptions options;
  options.deadline = absl::Now() + kTimeout;
  grpc::health::v1::HealthCheckResponse response;
  return Annotate(channel_->Unary("grpc.health.v1.Health/Check",
                                  grpc::health::v1::HealthCheckRequest(), response, options),
                  "calling this node's own listener");
}

}  // namespace sluice
