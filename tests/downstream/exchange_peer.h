// Exchange peer: the node above of a parity check, in the same process, with its real serving
// logic.
#pragma once

#include <deque>
#include <set>
#include <vector>

#include "common/clock.h"
#include "downstream/parity_peer.h"
#include "gtest/gtest.h"
#include "upstream/replication_server.h"

namespace sluice {

class ExchangePeer : public ParityPeer {
 public:
  ExchangePeer(Catalog& upstream, const Uuid& caller, bool knows_items = true)
      : server_(upstream, clock_,
                {.node_name = "hq",
                 .draw_key =
                     [] {
                       return SipKey{1, 2};
                     }}),
        exchange_(server_.Reconcile()),
        caller_(caller),
        knows_items_(knows_items) {
    hello.set_node_id(upstream.node_id().bytes());
    hello.set_node_name("hq");
  }

  absl::StatusOr<v1::HelloResponse> Hello() override { return hello; }
  absl::StatusOr<v1::ReconcileSums> Sums() override {
    v1::ReconcileRequest open;
    open.mutable_open()->set_node_id(caller_.bytes());
    *open.mutable_open()->mutable_subscription() = subscription;
    open.mutable_open()->set_mode(mode);
    EXPECT_TRUE(Send(open).ok());
    v1::ReconcileSums sums = Receive()->sums();
    sums.set_symbols(knows_items_);
    return sums;
  }
  absl::Status Send(const v1::ReconcileRequest& request) override {
    EXPECT_TRUE(answers_.empty());
    if (request.has_keys_wanted()) ++asked_keys;
    const auto responses = exchange_.Handle(request);
    if (!responses.ok()) return responses.status();
    answers_.assign(responses->begin(), responses->end());
    return absl::OkStatus();
  }
  absl::StatusOr<v1::ReconcileResponse> Receive() override {
    if (answers_.empty()) return absl::DeadlineExceededError("nothing more comes");
    v1::ReconcileResponse response = answers_.front();
    answers_.pop_front();
    return response;
  }
  absl::StatusOr<v1::GetRecordsResponse> GetRecords(const v1::GetRecordsRequest& request) override {
    ++asked_records;
    return server_.GetRecords(request);
  }
  absl::StatusOr<std::set<Digest>> FindMissing(const std::vector<Digest>& files) override {
    return lacks_files ? std::set<Digest>(files.begin(), files.end()) : std::set<Digest>();
  }

  v1::HelloResponse hello;
  v1::Subscription subscription;  // Of the caller.
  v1::NodeMode mode = v1::NODE_MODE_REPLICA;
  bool lacks_files = false;
  int asked_keys = 0;
  int asked_records = 0;

 private:
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  ReplicationServer server_;
  ReconcileExchange exchange_;
  const Uuid caller_;
  const bool knows_items_;
  std::deque<v1::ReconcileResponse> answers_;
};

}  // namespace sluice
