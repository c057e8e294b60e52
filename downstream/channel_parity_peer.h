// Channel parity peer: asks the node above over a channel what a parity check wants to know.
#pragma once

#include <memory>
#include <vector>

#include "common/rpc/channel.h"
#include "downstream/parity_check.h"

namespace sluice {

class ChannelParityPeer : public ParityPeer {
 public:
  // `hello` introduces this node and carries its subscription.
  ChannelParityPeer(Channel& channel, v1::HelloRequest hello, absl::Duration timeout);

  absl::StatusOr<v1::HelloResponse> Hello() override;
  absl::StatusOr<v1::ReconcileSums> Sums() override;
  absl::StatusOr<std::vector<v1::ShardKeys>> Keys(const std::vector<ShardId>& shards) override;
  absl::Status Send(const v1::ReconcileRequest& request) override;
  absl::StatusOr<v1::ReconcileResponse> Receive() override { return ReadStep(); }
  int64_t wire_bytes() const override { return wire_bytes_; }

 private:
  absl::StatusOr<v1::ReconcileResponse> ReadStep();

  Channel& channel_;
  const v1::HelloRequest hello_;
  const absl::Duration timeout_;
  std::unique_ptr<ClientStream> exchange_;  // Open after `Sums`.
  int64_t wire_bytes_ = 0;
};

}  // namespace sluice
