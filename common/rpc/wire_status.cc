#include "common/rpc/wire_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "common/errors.h"
#include "google/protobuf/util/time_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace sluice {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMessageBytesMax = 2048;
// Message and details travel as metadata, the details in base64, and share the metadata limit.
constexpr size_t kDetailsBytesMax = 4096;
constexpr absl::string_view kTypeUrlPrefix = "type.googleapis.com/";

// Cuts on a character's border, for the message must be valid UTF-8.
std::string Cut(absl::string_view message) {
  if (message.size() <= kMessageBytesMax) return std::string(message);
  size_t end = kMessageBytesMax;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
  return std::string(message.substr(0, end));
}

void AddDetails(const absl::Status& status, google::rpc::Status& details) {
  if (const v1::Reason reason = ReasonOf(status); reason != v1::REASON_UNSPECIFIED) {
    google::rpc::ErrorInfo info;
    info.set_reason(ReasonName(reason));
    info.set_domain(std::string(kErrorDomain));
    details.add_details()->PackFrom(info);
  }
  if (const absl::Duration delay = RetryDelayOf(status); delay > absl::ZeroDuration()) {
    google::rpc::RetryInfo info;
    *info.mutable_retry_delay() = TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(delay));
    details.add_details()->PackFrom(info);
  }
  status.ForEachPayload([&details](absl::string_view url, const absl::Cord& payload) {
    if (!absl::StartsWith(url, kTypeUrlPrefix)) return;
    google::protobuf::Any* detail = details.add_details();
    detail->set_type_url(std::string(url));
    detail->set_value(std::string(payload));
  });
}

void ReadDetail(const google::protobuf::Any& detail, absl::Status& status) {
  if (detail.Is<google::rpc::ErrorInfo>()) {
    google::rpc::ErrorInfo info;
    if (!detail.UnpackTo(&info) || info.domain() != kErrorDomain) return;
    const v1::Reason reason = ReasonFromName(info.reason());
    if (reason != v1::REASON_UNSPECIFIED) status = WithReason(std::move(status), reason);
  } else if (detail.Is<google::rpc::RetryInfo>()) {
    google::rpc::RetryInfo info;
    if (!detail.UnpackTo(&info)) return;
    const int64_t delay = TimeUtil::DurationToNanoseconds(info.retry_delay());
    status = WithRetryDelay(std::move(status), absl::Nanoseconds(delay));
  } else if (absl::StartsWith(detail.type_url(), kTypeUrlPrefix)) {
    status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
}

}  // namespace

WireStatus ToWire(const absl::Status& status) {
  WireStatus wire;
  wire.code = static_cast<int>(status.code());
  if (status.ok()) return wire;
  wire.message = Cut(status.message());
  google::rpc::Status details;
  AddDetails(status, details);
  if (details.details().empty()) return wire;
  details.set_code(wire.code);
  details.set_message(wire.message);
  while (details.ByteSizeLong() > kDetailsBytesMax && details.details_size() > 1) {
    details.mutable_details()->RemoveLast();
  }
  if (details.ByteSizeLong() <= kDetailsBytesMax) wire.details = details.SerializeAsString();
  return wire;
}

absl::Status FromWire(const WireStatus& wire) {
  absl::Status status(static_cast<absl::StatusCode>(wire.code), wire.message);
  google::rpc::Status details;
  if (status.ok() || wire.details.empty() || !details.ParseFromString(wire.details)) return status;
  for (const google::protobuf::Any& detail : details.details()) ReadDetail(detail, status);
  return status;
}

}  // namespace sluice
