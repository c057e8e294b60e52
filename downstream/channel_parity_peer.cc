#include "downstream/channel_parity_peer.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/status.h"
#include "sluice/v1/content_service.pb.h"

namespace sluice {

ChannelParityPeer::ChannelParityPeer(Channel& channel, v1::HelloRequest hello,
                                     absl::Duration timeout, std::stop_token stop)
    : channel_(channel), hello_(std::move(hello)), timeout_(timeout), stop_(std::move(stop)) {}

CallOptions ChannelParityPeer::Limits() const {
  return {.deadline = absl::Now() + timeout_, .stop = stop_};
}

absl::StatusOr<v1::HelloResponse> ChannelParityPeer::Hello() {
  return channel_.Unary<v1::HelloRequest, v1::HelloResponse>("sluice.v1.ReplicationService/Hello",
                                                             hello_, Limits());
}

absl::StatusOr<v1::ReconcileResponse> ChannelParityPeer::ReadStep() {
  v1::ReconcileResponse response;
  if (!exchange_->Read(response)) {
    const absl::Status status = exchange_->Finish();
    return status.ok() ? absl::UnavailableError("the upstream ended the comparison early") : status;
  }
  return response;
}

absl::StatusOr<v1::ReconcileSums> ChannelParityPeer::Sums() {
  exchange_ = channel_.Open("sluice.v1.ReplicationService/Reconcile",
                            {.progress_timeout = timeout_, .stop = stop_});
  v1::ReconcileRequest request;
  request.mutable_open()->set_node_id(hello_.node_id());
  *request.mutable_open()->mutable_subscription() = hello_.subscription();
  request.mutable_open()->set_mode(hello_.mode());
  RETURN_IF_ERROR(Send(request));
  v1::ReconcileSums sums;
  do {
    ASSIGN_OR_RETURN(const v1::ReconcileResponse response, ReadStep());
    sums.clear_more();
    sums.MergeFrom(response.sums());
  } while (sums.more());
  return sums;
}

absl::Status ChannelParityPeer::Send(const v1::ReconcileRequest& request) {
  // A write fails when the call has ended; reading then says why.
  exchange_->Write(request);
  return absl::OkStatus();
}

absl::StatusOr<v1::GetRecordsResponse> ChannelParityPeer::GetRecords(
    const v1::GetRecordsRequest& request) {
  return channel_.Unary<v1::GetRecordsRequest, v1::GetRecordsResponse>(
      "sluice.v1.ReplicationService/GetRecords", request, Limits());
}

absl::StatusOr<std::set<Digest>> ChannelParityPeer::FindMissing(const std::vector<Digest>& files) {
  v1::FindMissingRequest request;
  for (const Digest& file : files) request.add_digests(file.bytes());
  ASSIGN_OR_RETURN(const v1::FindMissingResponse response,
                   (channel_.Unary<v1::FindMissingRequest, v1::FindMissingResponse>(
                       "sluice.v1.ContentService/FindMissing", request, Limits())));
  std::set<Digest> missing;
  for (const std::string& bytes : response.missing()) {
    ASSIGN_OR_RETURN(const Digest file, Digest::FromBytes(bytes));
    missing.insert(file);
  }
  return missing;
}

}  // namespace sluice
