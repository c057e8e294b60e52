#include "common/observe/rpc_metrics.h"

#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sluice {
namespace {

const char* TypeOf(MethodKind kind) {
  switch (kind) {
    case MethodKind::kUnary:
      return "unary";
    case MethodKind::kServerStream:
      return "server_stream";
    case MethodKind::kClientStream:
      return "client_stream";
    case MethodKind::kExchange:
      return "bidi_stream";
  }
  return "unary";
}

// As Go's grpc/codes writes them, by number.
constexpr const char* kCodeNames[] = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

// Those that go-grpc-prometheus has by default, and longer ones for whole files.
std::vector<double> SecondsBounds() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600};
}

}  // namespace

RpcMetrics::Families RpcMetrics::AddFamilies(MetricRegistry& registry, size_t methods) {
  const std::vector<std::string> labels = {"grpc_type", "grpc_service", "grpc_method"};
  std::vector<std::string> with_code = labels;
  with_code.emplace_back("grpc_code");
  return Families{
      registry.AddCounters({"grpc_server_started_total", "Calls that have come."}, labels, methods),
      registry.AddCounters({"grpc_server_handled_total", "Calls that have ended, by outcome."},
                           with_code, methods * kCodes),
      registry.AddCounters({"grpc_server_msg_received_total", "Messages received from callers."},
                           labels, methods),
      registry.AddCounters({"grpc_server_msg_sent_total", "Messages sent to callers."}, labels,
                           methods),
      registry.AddHistograms({"grpc_server_handling_seconds",
                              "How long calls took until they ended, in seconds; of a stream also "
                              "the time it was left open."},
                             labels, SecondsBounds(), methods)};
}

RpcMetrics::RpcMetrics(MetricRegistry& registry, const Router& router)
    : families_(AddFamilies(registry, router.Methods().size() + 1)),
      unknown_(Open("unary", "unknown", "unknown")) {
  for (const Method* method : router.Methods()) {
    const std::pair<std::string, std::string> names =
        absl::StrSplit(absl::StripPrefix(method->path, "/"), absl::MaxSplits('/', 1));
    by_method_[method] = Open(TypeOf(method->kind), names.first, names.second);
  }
}

std::unique_ptr<RpcMetrics::Series> RpcMetrics::Open(std::string type, std::string service,
                                                     std::string name) {
  auto series = std::make_unique<Series>();
  series->started = &families_.started.At({type, service, name});
  series->received = &families_.received.At({type, service, name});
  series->sent = &families_.sent.At({type, service, name});
  series->seconds = &families_.seconds.At({type, service, name});
  series->type = std::move(type);
  series->service = std::move(service);
  series->name = std::move(name);
  Handled(*series, absl::StatusCode::kOk);
  return series;
}

RpcMetrics::Series& RpcMetrics::Of(const Method* method) const {
  const auto found = by_method_.find(method);
  return found == by_method_.end() ? *unknown_ : *found->second;
}

Counter& RpcMetrics::Handled(Series& series, absl::StatusCode code) {
  auto number = static_cast<size_t>(code);
  if (number >= kCodes) number = static_cast<size_t>(absl::StatusCode::kUnknown);
  Counter* counter = series.handled[number].load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two threads that come here at once get the same one.
    counter = &families_.handled.At({series.type, series.service, series.name, kCodeNames[number]});
    series.handled[number].store(counter, std::memory_order_release);
  }
  return *counter;
}

void RpcMetrics::OnStart(const Method* method) { Of(method).started->Increment(); }

void RpcMetrics::OnMessageIn(const Method* method) { Of(method).received->Increment(); }

void RpcMetrics::OnMessageOut(const Method* method) { Of(method).sent->Increment(); }

void RpcMetrics::OnEnd(const Method* method, absl::StatusCode code, absl::Duration duration) {
  Series& series = Of(method);
  Handled(series, code).Increment();
  series.seconds->Observe(absl::ToDoubleSeconds(duration));
}

}  // namespace sluice
