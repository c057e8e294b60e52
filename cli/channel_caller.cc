#include "cli/channel_caller.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/failure.h"
#include "common/release.h"
#include "common/rpc/endpoint.h"

namespace sluice {

absl::StatusOr<std::unique_ptr<Caller>> ChannelCaller::Create(const CliTarget& target,
                                                              const CallLimits& limits) {
  ChannelOptions options;
  options.user_agent = absl::StrCat("sluice/", Release());
  if (const absl::Status valid = ParseEndpoint(target.address).status(); !valid.ok()) {
    return UsageError(valid.message());
  }
  if (!target.certificates.empty()) {
    options.certificate = CertificatePaths::In(target.certificates);
  }
  absl::StatusOr<std::unique_ptr<Channel>> channel = Channel::Create(target.address, options);
  if (!channel.ok()) {
    return LocalFailure(absl::StrCat("the certificate for calling ", target.address, ": ",
                                     channel.status().message(),
                                     "; --certificates names the folder that has one"));
  }
  return std::make_unique<ChannelCaller>(*std::move(channel), limits);
}

absl::Status ChannelCaller::Unary(absl::string_view method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response) {
  CallOptions options;
  options.deadline = absl::Now() + limits_.unary;
  return channel_->Unary(method, request, response, options);
}

absl::Status ChannelCaller::ServerStream(absl::string_view method,
                                         const google::protobuf::Message& request,
                                         google::protobuf::Message& response, absl::Duration limit,
                                         absl::FunctionRef<bool()> on_message) {
  CallOptions options;
  options.deadline = absl::Now() + std::min(limit, limits_.stream);
  const std::unique_ptr<sluice::ClientStream> stream = channel_->OpenRead(method, request, options);
  while (stream->Read(response)) {
    if (on_message()) continue;
    stream->Cancel();
    return absl::OkStatus();
  }
  return stream->Finish();
}

absl::Status ChannelCaller::ClientStream(absl::string_view method,
                                         google::protobuf::Message& request,
                                         absl::FunctionRef<absl::StatusOr<bool>()> next,
                                         google::protobuf::Message& response) {
  CallOptions options;
  options.deadline = absl::Now() + limits_.stream;
  const std::unique_ptr<sluice::ClientStream> stream = channel_->Open(method, options);
  while (true) {
    const absl::StatusOr<bool> more = next();
    if (!more.ok()) {
      stream->Cancel();
      return more.status();
    }
    // A write that fails says that the call has ended; why, `Finish` says.
    if (!*more || !stream->Write(request)) break;
  }
  stream->CloseWrites();
  const bool answered = stream->Read(response);
  const absl::Status finished = stream->Finish();
  if (finished.ok() && !answered) return absl::InternalError("the call ended without an answer");
  return finished;
}

}  // namespace sluice
