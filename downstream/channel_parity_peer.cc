#include "downstream/channel_parity_peer.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr size_t kShardsPerRequest = 1024;

}  // namespace

ChannelParityPeer::ChannelParityPeer(Channel& channel, v1::HelloRequest hello,
                                     absl::Duration timeout)
    : channel_(channel), hello_(std::move(hello)), timeout_(timeout) {}

absl::StatusOr<v1::HelloResponse> ChannelParityPeer::Hello() {
  return channel_.Unary<v1::HelloRequest, v1::HelloResponse>(
      "sluice.v1.ReplicationService/Hello", hello_, {.deadline = absl::Now() + timeout_});
}

absl::StatusOr<v1::ReconcileResponse> ChannelParityPeer::ReadStep() {
  v1::ReconcileResponse response;
  if (!exchange_->Read(response)) {
    const absl::Status status = exchange_->Finish();
    return status.ok() ? absl::UnavailableError("the upstream ended the comparison early") : status;
  }
  wire_bytes_ += static_cast<int64_t>(response.ByteSizeLong());
  return response;
}

absl::StatusOr<v1::ReconcileSums> ChannelParityPeer::Sums() {
  exchange_ =
      channel_.Open("sluice.v1.ReplicationService/Reconcile", {.progress_timeout = timeout_});
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
  wire_bytes_ += static_cast<int64_t>(request.ByteSizeLong());
  // A write fails when the call has ended; reading then says why.
  exchange_->Write(request);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::ShardKeys>> ChannelParityPeer::Keys(
    const std::vector<ShardId>& shards) {
  std::vector<v1::ShardKeys> keys;
  for (size_t begin = 0; begin < shards.size(); begin += kShardsPerRequest) {
    const size_t end = std::min(begin + kShardsPerRequest, shards.size());
    v1::ReconcileRequest request;
    for (size_t i = begin; i < end; ++i) {
      request.mutable_keys_wanted()->add_shard_ids(shards[i].bytes());
    }
    RETURN_IF_ERROR(Send(request));
    for (size_t open = end - begin; open > 0;) {
      ASSIGN_OR_RETURN(v1::ReconcileResponse response, ReadStep());
      if (!response.keys().more()) --open;
      keys.push_back(std::move(*response.mutable_keys()));
    }
  }
  return keys;
}

}  // namespace sluice
