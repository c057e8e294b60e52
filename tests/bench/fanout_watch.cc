// Watches one node with many streams of changes and throws away what it reads, so that the cost of
// serving them can be measured.
//
//   fanout_watch ADDRESS STREAMS SEQ [FILE]
//
// Each stream has a connection and a node id of its own. Prints "ready" when all are open and have
// nothing more to read, and ends when each has read the change with that seq. FILE: where the
// messages of the first stream are written, each behind its length as a varint.
#include <atomic>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <semaphore>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/status.h"
#include "common/uuid.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"
#include "sluice/v1/replication_service.pb.h"

namespace sluice {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// The seq of the last change in a v1::ChangesResponse, 0 where there is none; without unpacking the
// records.
uint64_t LastSeq(absl::string_view message) {
  uint64_t seq = 0;
  CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                      static_cast<int>(message.size()));
  while (const uint32_t tag = in.ReadTag()) {
    uint32_t size = 0;
    const bool batch =
        WireFormatLite::GetTagFieldNumber(tag) == v1::ChangesResponse::kBatchFieldNumber;
    if (!batch || !in.ReadVarint32(&size)) return seq;
    while (const uint32_t inner = in.ReadTag()) {
      if (!in.ReadVarint32(&size)) return seq;
      const auto limit = in.PushLimit(static_cast<int>(size));
      const bool change =
          WireFormatLite::GetTagFieldNumber(inner) == v1::ChangeBatch::kChangesFieldNumber;
      if (change &&
          WireFormatLite::GetTagFieldNumber(in.ReadTag()) == v1::Change::kSeqFieldNumber) {
        in.ReadVarint64(&seq);
      }
      in.Skip(in.BytesUntilLimit());
      in.PopLimit(limit);
    }
  }
  return seq;
}

class Watcher : public StreamReceiver {
 public:
  Watcher(uint64_t seq, std::ofstream* record, std::counting_semaphore<>& done)
      : wanted_(seq), record_(record), done_(done) {}

  bool OnMessage(MessageSlices slices) override {
    const std::string message = absl::StrJoin(slices, "");
    if (record_ != nullptr) {
      google::protobuf::io::OstreamOutputStream out(record_);
      google::protobuf::io::CodedOutputStream coded(&out);
      coded.WriteVarint32(static_cast<uint32_t>(message.size()));
      coded.WriteString(message);
    }
    if (LastSeq(message) >= wanted_ && !std::exchange(told_, true)) done_.release();
    return true;
  }

  void OnDone(const absl::Status& status) override {
    if (std::exchange(told_, true)) return;
    std::cerr << "a stream ended early: " << status << "\n";
    failed = true;
    done_.release();
  }

  static std::atomic<bool> failed;

 private:
  const uint64_t wanted_;
  std::ofstream* const record_;
  std::counting_semaphore<>& done_;
  bool told_ = false;
};

std::atomic<bool> Watcher::failed = false;

// Where the changes begin. A peer that only sends what was recorded does not know `Hello`.
absl::StatusOr<v1::ChangesRequest> RequestFor(Channel& channel, const Uuid& node_id) {
  v1::HelloRequest hello;
  hello.set_node_id(node_id.bytes());
  hello.set_node_name("watcher");
  hello.set_protocol_min(1);
  hello.set_protocol_max(1);
  hello.set_mode(v1::NODE_MODE_REPLICA);
  v1::ChangesRequest request;
  request.set_node_id(node_id.bytes());
  request.set_watch(true);
  const absl::StatusOr<v1::HelloResponse> response =
      channel.Unary<v1::HelloRequest, v1::HelloResponse>("sluice.v1.ReplicationService/Hello",
                                                         hello);
  if (absl::IsUnimplemented(response.status())) return request;
  if (!response.ok()) return response.status();
  request.mutable_cursor()->set_upstream_id(response->node_id());
  *request.mutable_cursor()->mutable_epoch() = response->epoch();
  request.mutable_cursor()->set_seq(response->head_seq());
  request.mutable_cursor()->set_selection_hash(response->selection_hash());
  return request;
}

absl::Status Watch(const std::string& address, uint64_t streams, uint64_t seq,
                   std::ofstream* record) {
  std::counting_semaphore<> done(0);
  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<std::unique_ptr<Watcher>> watchers;
  std::vector<std::unique_ptr<StreamHandle>> handles;
  for (uint64_t i = 0; i < streams; ++i) {
    ASSIGN_OR_RETURN(channels.emplace_back(), Channel::Create(address));
    ASSIGN_OR_RETURN(const v1::ChangesRequest request,
                     RequestFor(*channels.back(), Uuid::Random()));
    watchers.push_back(std::make_unique<Watcher>(seq, i == 0 ? record : nullptr, done));
    handles.push_back(channels.back()->Subscribe("sluice.v1.ReplicationService/Changes", request,
                                                 *watchers.back()));
  }
  std::cout << "ready" << std::endl;
  for (uint64_t i = 0; i < streams; ++i) done.acquire();
  return Watcher::failed ? absl::UnavailableError("not all was read") : absl::OkStatus();
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::PrepareProcess();
  uint64_t streams = 0;
  uint64_t seq = 0;
  if (argc < 4 || argc > 5 || !absl::SimpleAtoi(argv[2], &streams) ||
      !absl::SimpleAtoi(argv[3], &seq)) {
    std::cerr << "usage: fanout_watch ADDRESS STREAMS SEQ [FILE]\n";
    return 2;
  }
  std::ofstream record;
  if (argc == 5) record.open(argv[4], std::ios::binary);
  const absl::Status status = sluice::Watch(argv[1], streams, seq, argc == 5 ? &record : nullptr);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
