// Channel parity peer: asks the node above over a channel what a parity check wants to know.
#pragma once

#include <memory>
#include <set>
#include <stop_token>
#include <vector>

#include "common/rpc/channel.h"
#include "downstream/parity_peer.h"

namespace sluice {

class ChannelParityPeer : public ParityPeer {
 public:
  // `hello` introduces this node and carries its subscription. A stop breaks off every call.
  ChannelParityPeer(Channel& channel, v1::HelloRequest hello, absl::Duration timeout,
                    std::stop_token stop = {});

  absl::StatusOr<v1::HelloResponse> Hello() override;
  absl::StatusOr<v1::ReconcileSums> Sums() override;
  absl::Status Send(const v1::ReconcileRequest& request) override;
  absl::StatusOr<v1::ReconcileResponse> Receive() override { return ReadStep(); }
  absl::StatusOr<v1::GetRecordsResponse> GetRecords(const v1::GetRecordsRequest& request) override;
  absl::StatusOr<std::set<Digest>> FindMissing(const std::vector<Digest>& files) override;

 private:
  absl::StatusOr<v1::ReconcileResponse> ReadStep();
  CallOptions Limits() const;

  Channel& channel_;
  const v1::HelloRequest hello_;
  const absl::Duration timeout_;
  const std::stop_token stop_;
  std::unique_ptr<ClientStream> exchange_;  // Open after `Sums`.
};

}  // namespace sluice
