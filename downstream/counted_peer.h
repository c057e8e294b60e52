// Counted peer: a parity peer that counts the bytes of what is said.
#pragma once

#include <set>
#include <vector>

#include "downstream/parity_peer.h"

namespace sluice {

class CountedPeer : public ParityPeer {
 public:
  explicit CountedPeer(ParityPeer& peer) : peer_(peer) {}

  absl::StatusOr<v1::HelloResponse> Hello() override { return Count(peer_.Hello()); }
  absl::StatusOr<v1::ReconcileSums> Sums() override { return Count(peer_.Sums()); }
  absl::Status Send(const v1::ReconcileRequest& request) override {
    bytes_ += static_cast<int64_t>(request.ByteSizeLong());
    return peer_.Send(request);
  }
  absl::StatusOr<v1::ReconcileResponse> Receive() override { return Count(peer_.Receive()); }
  absl::StatusOr<v1::GetRecordsResponse> GetRecords(const v1::GetRecordsRequest& request) override {
    bytes_ += static_cast<int64_t>(request.ByteSizeLong());
    return Count(peer_.GetRecords(request));
  }
  absl::StatusOr<std::set<Digest>> FindMissing(const std::vector<Digest>& files) override {
    bytes_ += static_cast<int64_t>(files.size() * sizeof(Digest));
    return peer_.FindMissing(files);
  }

  int64_t bytes() const { return bytes_; }

 private:
  template <typename Message>
  absl::StatusOr<Message> Count(absl::StatusOr<Message> message) {
    if (message.ok()) bytes_ += static_cast<int64_t>(message->ByteSizeLong());
    return message;
  }

  ParityPeer& peer_;
  int64_t bytes_ = 0;
};

}  // namespace sluice
