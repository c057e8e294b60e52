// Sends prepared messages over many raw gRPC streams, and nothing else: what serving changes to
// many nodes is measured against.
//
//   fanout_peer FILE STREAMS
//
// FILE: messages as fanout_watch wrote them. Listens on a free port of loopback, which it prints,
// and sends when STREAMS streams are open; whoever reads ends them.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "common/mutex.h"
#include "common/rpc/server.h"
#include "google/protobuf/io/coded_stream.h"

namespace sluice {
namespace {

std::vector<grpc::ByteBuffer> ReadMessages(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  std::vector<grpc::ByteBuffer> messages;
  uint32_t size = 0;
  std::string message;
  while (in.ReadVarint32(&size) && in.ReadString(&message, static_cast<int>(size))) {
    const grpc::Slice slice(message);
    messages.emplace_back(&slice, 1);
  }
  return messages;
}

class Stream;

// Lets all streams begin together.
class Gate {
 public:
  explicit Gate(uint64_t streams) : streams_(streams) {}
  void Arrive(Stream* stream);

 private:
  const uint64_t streams_;
  Mutex mutex_;
  std::vector<Stream*> waiting_ ABSL_GUARDED_BY(mutex_);
};

class Stream : public grpc::ServerGenericBidiReactor {
 public:
  Stream(const std::vector<grpc::ByteBuffer>& messages, Gate& gate)
      : messages_(messages), gate_(gate) {
    StartRead(&request_);
  }

  void Begin() { SendNext(); }

  void OnReadDone(bool ok) override {
    if (ok) gate_.Arrive(this);
  }
  void OnWriteDone(bool ok) override {
    if (ok) SendNext();
  }
  // The reader has what it wants.
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  // Behind the last one the stream stays open, as that of a node does.
  void SendNext() {
    if (next_ == messages_.size()) return;
    current_ = messages_[next_++];
    StartWrite(&current_);
  }

  const std::vector<grpc::ByteBuffer>& messages_;
  Gate& gate_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer current_;
  size_t next_ = 0;
};

void Gate::Arrive(Stream* stream) {
  std::vector<Stream*> all;
  {
    MutexLock lock(mutex_);
    waiting_.push_back(stream);
    if (waiting_.size() < streams_) return;
    all = std::exchange(waiting_, {});
  }
  for (Stream* each : all) each->Begin();
}

// Whoever asks for anything but the changes is told that it does not exist.
class Refusal : public grpc::ServerGenericBidiReactor {
 public:
  Refusal() { Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "changes only")); }
  void OnDone() override { delete this; }
};

class Service : public grpc::CallbackGenericService {
 public:
  Service(std::vector<grpc::ByteBuffer> messages, uint64_t streams)
      : messages_(std::move(messages)), gate_(streams) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    if (context->method() != "/sluice.v1.ReplicationService/Changes") return new Refusal();
    return new Stream(messages_, gate_);
  }

 private:
  const std::vector<grpc::ByteBuffer> messages_;
  Gate gate_;
};

int Serve(const std::string& path, uint64_t streams) {
  Service service(ReadMessages(path), streams);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "127.0.0.1:" << port << std::endl;
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::PrepareProcess();
  uint64_t streams = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[2], &streams)) {
    std::cerr << "usage: fanout_peer FILE STREAMS\n";
    return 2;
  }
  return sluice::Serve(argv[1], streams);
}
