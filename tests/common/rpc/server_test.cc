#include "common/rpc/server.h"

#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/rpc/listening_socket.h"
#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "tests/common/rpc/served_router.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using ServerTest = ServedRouterTest;

v1::ListNodesRequest ListRequest(const std::string& token) {
  v1::ListNodesRequest request;
  request.set_page_token(token);
  return request;
}

Pull Chunk(int64_t offset) {
  v1::ReadResponse chunk;
  chunk.set_offset(offset);
  return Pull::Message(chunk);
}

TEST_F(ServerTest, AnswersAUnaryCallOverTcp) {
  Start();
  const auto response = Connect()->Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
      kListNodes, ListRequest("here"), Bounded());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->next_page_token(), "here");
}

TEST_F(ServerTest, AnswersAUnaryCallOverAUnixSocket) {
  Start({}, {{UnixAddress("viewer.sock"), {Role::kViewer}}});
  const auto response = Connect()->Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
      kListNodes, ListRequest("here"), Bounded());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->next_page_token(), "here");
}

TEST_F(ServerTest, TellsTheHandlerWhoCalls) {
  CallContext seen;
  list_nodes_ = [&seen](const CallContext& context) {
    seen = context;
    return absl::OkStatus();
  };
  Start({}, {Role::kViewer, Role::kNode});
  v1::ListNodesResponse response;
  ASSERT_TRUE(Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded()).ok());
  EXPECT_EQ(seen.method, "/sluice.v1.TreeService/ListNodes");
  EXPECT_EQ(seen.roles, (RoleSet{Role::kViewer, Role::kNode}));
  EXPECT_THAT(seen.peer, HasSubstr("127.0.0.1"));
  EXPECT_EQ(seen.local_identity, "local:" + server_->addresses()[0].address);
  // Not the server's 60 s.
  EXPECT_LE(seen.deadline, absl::Now() + absl::Seconds(21));
}

TEST_F(ServerTest, StreamsWhatASourceSaysUntilItsEnd) {
  Start();
  for (const int64_t offset : {1, 2, 3}) read_->Say(Chunk(offset));
  read_->Say(Pull::End(MakeError(v1::REASON_CONTENT_CORRUPT, "bits rotted")));
  const auto stream = Connect()->OpenRead(kRead, v1::ReadRequest(), Bounded());
  v1::ReadResponse chunk;
  for (const int64_t offset : {1, 2, 3}) {
    ASSERT_TRUE(stream->Read(chunk));
    EXPECT_EQ(chunk.offset(), offset);
  }
  EXPECT_FALSE(stream->Read(chunk));
  const absl::Status end = stream->Finish();
  EXPECT_EQ(end.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(end), v1::REASON_CONTENT_CORRUPT);
  EXPECT_EQ(end.message(), "bits rotted");
}

TEST_F(ServerTest, SendsASharedTailAsTheLastFieldOfItsMessage) {
  Start();
  const auto bytes = std::make_shared<const std::string>(1 << 20, 'x');
  v1::ReadResponse head;
  head.set_offset(7);
  // Field 15, length-delimited, 1 MiB long.
  const std::string tag("\x7a\x80\x80\x40", 4);
  read_->Say(Pull::Message(OutMessage{head.SerializeAsString() + tag, bytes}));
  read_->Say(Pull::End());
  const auto stream = Connect()->OpenRead(kRead, v1::ReadRequest(), Bounded());
  v1::ReadResponse chunk;
  ASSERT_TRUE(stream->Read(chunk));
  EXPECT_EQ(chunk.offset(), 7);
  EXPECT_EQ(chunk.data(), *bytes);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, WakesAStreamThatWaits) {
  Start();
  const auto stream = Connect()->OpenRead(kWatchSync, v1::WatchSyncRequest(), Bounded());
  ASSERT_TRUE(watch_->WaitForWaits(1));
  v1::WatchSyncResponse said;
  said.set_phase_done(5);
  watch_->Say(Pull::Message(said));
  v1::WatchSyncResponse heard;
  ASSERT_TRUE(stream->Read(heard));
  EXPECT_EQ(heard.phase_done(), 5);
}

TEST_F(ServerTest, AnswersALateUnaryCallWhenItsSourceSpeaks) {
  Start();
  const auto channel = Connect();
  auto answer = std::async(std::launch::async, [&channel] {
    return channel->Unary<v1::RequestRequest, v1::RequestResponse>(kRequest, v1::RequestRequest(),
                                                                   Bounded());
  });
  ASSERT_TRUE(late_->WaitForWaits(1));
  v1::RequestResponse response;
  response.add_answers()->set_state(v1::CONTENT_STATE_READY);
  late_->Say(Pull::Message(response));
  const auto got = answer.get();
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->answers_size(), 1);
  EXPECT_TRUE(late_->WaitForOpen(0));
}

TEST_F(ServerTest, TakesAnUploadAndAnswersAtItsEnd) {
  Start();
  const auto stream = Connect()->Open(kPublish, Bounded());
  v1::PublishUpdateRequest part;
  part.set_data(std::string(1 << 20, 'x'));
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(stream->Write(part));
  stream->CloseWrites();
  v1::PublishUpdateResponse response;
  ASSERT_TRUE(stream->Read(response));
  EXPECT_EQ(response.revision(), 8u << 20);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, TakesNoUploadForCompleteWhoseCallerCancelled) {
  // Symptom: an update was published with what had come of it when its publisher was killed.
  Start();
  const auto channel = Connect();
  constexpr int kUploads = 100;
  v1::PublishUpdateRequest part;
  part.set_data("x");
  for (int i = 0; i < kUploads; ++i) {
    const auto stream = channel->Open(kPublish, Bounded());
    ASSERT_TRUE(stream->Write(part));
    stream->Cancel();
    EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kCancelled);
  }
  server_->Drain(absl::Now() + absl::Seconds(10));
  EXPECT_GT(uploads_.closed, 0);
  EXPECT_EQ(uploads_.ended, 0);
}

TEST_F(ServerTest, AnswersEachMessageOfAnExchange) {
  Start();
  const auto stream = Connect()->Open(kReconcile, Bounded());
  v1::ReconcileRequest request;
  v1::ReconcileResponse response;
  request.mutable_keys_wanted()->add_shard_ids("a");
  request.mutable_keys_wanted()->add_shard_ids("b");
  for (const uint64_t first : {1u, 3u}) {
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(response));
    EXPECT_EQ(response.sums().at_seq(), first);
    ASSERT_TRUE(stream->Read(response));
    EXPECT_EQ(response.sums().at_seq(), first + 1);
  }
  stream->CloseWrites();
  ASSERT_TRUE(stream->Read(response));
  EXPECT_EQ(response.sums().at_seq(), 1004u);
  EXPECT_FALSE(stream->Read(response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, EndsAnExchangeWithTheFailureOfAMessage) {
  Start();
  const auto stream = Connect()->Open(kReconcile, Bounded());
  v1::ReconcileRequest request;
  request.mutable_open();
  ASSERT_TRUE(stream->Write(request));
  v1::ReconcileResponse response;
  EXPECT_FALSE(stream->Read(response));
  EXPECT_EQ(stream->Finish(), absl::AbortedError("opened twice"));
}

TEST_F(ServerTest, RefusesWhoLacksTheRoleAndNamesWhoMay) {
  Start({}, {Role::kViewer});
  v1::HelloResponse hello;
  const absl::Status unary = Connect()->Unary(kHello, v1::HelloRequest(), hello, Bounded());
  EXPECT_EQ(unary.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(unary), v1::REASON_ROLE_REQUIRED);
  EXPECT_THAT(std::string(unary.message()), AllOf(HasSubstr("node"), HasSubstr("viewer")));

  const auto exchange = Connect()->Open(kReconcile, Bounded());
  EXPECT_EQ(ReasonOf(exchange->Finish()), v1::REASON_ROLE_REQUIRED);
  const auto upload = Connect()->Open(kPublish, Bounded());
  EXPECT_EQ(ReasonOf(upload->Finish()), v1::REASON_ROLE_REQUIRED);
}

TEST_F(ServerTest, GrantsEachListenerItsOwnRoles) {
  Start({}, {{UnixAddress("node.sock"), {Role::kNode}}, {"127.0.0.1:0", {Role::kViewer}}});
  v1::HelloResponse hello;
  v1::ListNodesResponse nodes;
  EXPECT_TRUE(Connect(0)->Unary(kHello, v1::HelloRequest(), hello, Bounded()).ok());
  EXPECT_FALSE(Connect(0)->Unary(kListNodes, v1::ListNodesRequest(), nodes, Bounded()).ok());
  EXPECT_FALSE(Connect(1)->Unary(kHello, v1::HelloRequest(), hello, Bounded()).ok());
  EXPECT_TRUE(Connect(1)->Unary(kListNodes, v1::ListNodesRequest(), nodes, Bounded()).ok());
}

TEST_F(ServerTest, SaysWhatIsUnknown) {
  Start();
  v1::HelloResponse hello;
  EXPECT_EQ(Connect()->Unary("a.Nobody/Get", v1::HelloRequest(), hello, Bounded()),
            absl::UnimplementedError("unknown service a.Nobody"));
  EXPECT_EQ(Connect()->Unary("sluice.v1.TreeService/Fell", v1::HelloRequest(), hello, Bounded()),
            absl::UnimplementedError("unknown method Fell of service sluice.v1.TreeService"));
}

TEST_F(ServerTest, RefusesBytesThatAreNoRequest) {
  Start();
  // Field 1 is a message in what the method takes.
  google::protobuf::BytesValue wrong;
  wrong.set_value("\xff");
  const auto stream = Connect()->Open(kReconcile, Bounded());
  ASSERT_TRUE(stream->Write(wrong));
  EXPECT_EQ(ReasonOf(stream->Finish()), v1::REASON_INVALID_REQUEST);
}

TEST_F(ServerTest, RefusesAMessageAboveTheLimit) {
  Start();
  v1::ListNodesResponse response;
  const absl::Status status =
      Connect()->Unary(kListNodes, ListRequest(std::string(5 << 20, 'x')), response, Bounded());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST_F(ServerTest, EndsAUnaryCallAtTheServersDeadlineThoughItsHandlerRuns) {
  std::promise<void> release;
  list_nodes_ = [released = release.get_future().share()](const CallContext&) {
    released.wait();
    return absl::OkStatus();
  };
  ServerOptions options;
  options.unary_deadline = absl::Milliseconds(50);
  Start(options);
  v1::ListNodesResponse response;
  const absl::Status status =
      Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  EXPECT_EQ(status, absl::DeadlineExceededError("the call took too long"));
  release.set_value();
}

TEST_F(ServerTest, EndsTheSourceWhenItsCallerCancels) {
  Start();
  const auto stream = Connect()->OpenRead(kWatchSync, v1::WatchSyncRequest(), Bounded());
  ASSERT_TRUE(watch_->WaitForOpen(1));
  stream->Cancel();
  EXPECT_TRUE(watch_->WaitForOpen(0));
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kCancelled);
}

TEST_F(ServerTest, RequestsTheStopOfAHandlerWhoseCallerIsGone) {
  std::promise<bool> stopped;
  list_nodes_ = [&stopped](const CallContext& context) {
    std::promise<void> asked;
    const std::stop_callback on_stop(context.cancelled, [&asked] { asked.set_value(); });
    stopped.set_value(asked.get_future().wait_for(std::chrono::seconds(10)) ==
                      std::future_status::ready);
    return absl::OkStatus();
  };
  Start();
  CallOptions options;
  options.deadline = absl::Now() + absl::Milliseconds(100);
  v1::ListNodesResponse response;
  EXPECT_EQ(Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, options).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(stopped.get_future().get());
}

TEST_F(ServerTest, LimitsTheCallsOfOneConnectionAndSaysWhenToTryAgain) {
  ServerOptions options;
  options.calls_per_peer_max = 2;
  Start(options);
  const auto channel = Connect();
  const auto first = channel->OpenRead(kWatchSync, v1::WatchSyncRequest(), Bounded());
  const auto second = channel->OpenRead(kWatchSync, v1::WatchSyncRequest(), Bounded());
  ASSERT_TRUE(watch_->WaitForOpen(2));
  v1::ListNodesResponse response;
  const absl::Status third =
      channel->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryDelayOf(third), absl::Seconds(1));
  EXPECT_TRUE(Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded()).ok());
  first->Cancel();
  ASSERT_TRUE(watch_->WaitForOpen(1));
}

TEST_F(ServerTest, BreaksOffAStreamWhoseCallerTakesNothing) {
  ServerOptions options;
  options.stalled_write_timeout = absl::Milliseconds(100);
  Start(options);
  const auto bytes = std::make_shared<const std::string>(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) {
    read_->Say(Pull::Message(OutMessage{std::string("\x7a\x80\x80\x40", 4), bytes}));
  }
  const auto stream = Connect()->OpenRead(kRead, v1::ReadRequest(), Bounded());
  ASSERT_TRUE(read_->WaitForOpen(1));
  EXPECT_TRUE(read_->WaitForOpen(0));
  EXPECT_FALSE(stream->Finish().ok());
}

// Notes what it is told, as words.
class NotingObserver : public CallObserver {
 public:
  void OnStart(const Method* method) override { Note("start", method); }
  void OnMessageIn(const Method* method) override { Note("in", method); }
  void OnMessageOut(const Method* method) override { Note("out", method); }
  void OnEnd(const Method* method, absl::StatusCode code, absl::Duration duration) override {
    EXPECT_GE(duration, absl::ZeroDuration());
    Note(absl::StatusCodeToString(code), method);
    ended_.set_value();
  }

  // Of one call, when it has ended.
  std::vector<std::string> Notes() {
    ended_.get_future().wait();
    MutexLock lock(mutex_);
    return notes_;
  }

 private:
  void Note(const std::string& what, const Method* method) {
    MutexLock lock(mutex_);
    notes_.push_back(method == nullptr ? what : what + " " + method->path);
  }

  std::promise<void> ended_;
  Mutex mutex_;
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(ServerTest, TellsAnObserverOfRefusedCalls) {
  NotingObserver observer;
  ServerOptions options;
  options.observer = &observer;
  Start(options, {Role::kNode});
  v1::ListNodesResponse response;
  EXPECT_FALSE(Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded()).ok());
  EXPECT_THAT(observer.Notes(), ElementsAre("start /sluice.v1.TreeService/ListNodes",
                                            "PERMISSION_DENIED /sluice.v1.TreeService/ListNodes"));
}

TEST_F(ServerTest, TellsAnObserverOfEveryMessage) {
  NotingObserver observer;
  ServerOptions options;
  options.observer = &observer;
  Start(options);
  for (const int64_t offset : {1, 2}) read_->Say(Chunk(offset));
  read_->Say(Pull::End());
  const auto stream = Connect()->OpenRead(kRead, v1::ReadRequest(), Bounded());
  v1::ReadResponse chunk;
  while (stream->Read(chunk)) {
  }
  const std::string read = " /sluice.v1.ContentService/Read";
  EXPECT_THAT(observer.Notes(),
              ElementsAre("start" + read, "in" + read, "out" + read, "out" + read, "OK" + read));
}

TEST_F(ServerTest, TellsAnObserverNoNameOfAMethodThatDoesNotExist) {
  NotingObserver observer;
  ServerOptions options;
  options.observer = &observer;
  Start(options);
  v1::ListNodesResponse response;
  EXPECT_FALSE(Connect()->Unary("a.B/C", v1::ListNodesRequest(), response, Bounded()).ok());
  EXPECT_THAT(observer.Notes(), ElementsAre("start", "UNIMPLEMENTED"));
}

TEST_F(ServerTest, DrainsWithOpenStreams) {
  Start();
  const auto channel = Connect();
  std::vector<std::unique_ptr<ClientStream>> streams;
  for (int i = 0; i < 50; ++i) {
    streams.push_back(channel->OpenRead(kWatchSync, v1::WatchSyncRequest(), Bounded()));
  }
  grpc::health::v1::HealthCheckRequest any;
  const auto watch = channel->OpenRead("grpc.health.v1.Health/Watch", any, Bounded());
  grpc::health::v1::HealthCheckResponse health;
  ASSERT_TRUE(watch->Read(health));
  EXPECT_EQ(health.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  ASSERT_TRUE(watch_->WaitForOpen(50));

  const absl::Time began = absl::Now();
  server_->Drain(began + absl::Seconds(10));
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
  ASSERT_TRUE(watch->Read(health));
  EXPECT_EQ(health.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(watch->Finish().code(), absl::StatusCode::kUnavailable);
  for (const auto& stream : streams) {
    EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(ServerTest, LetsAUnaryCallEndWhileDraining) {
  std::promise<void> entered;
  std::promise<void> release;
  list_nodes_ = [&entered, released = release.get_future().share()](const CallContext&) {
    entered.set_value();
    released.wait();
    return absl::OkStatus();
  };
  Start();
  const auto channel = Connect();
  auto answer = std::async(std::launch::async, [&channel] {
    v1::ListNodesResponse response;
    return channel->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
  });
  entered.get_future().wait();
  auto drained =
      std::async(std::launch::async, [this] { server_->Drain(absl::Now() + absl::Seconds(10)); });
  // The listener closes first thing.
  EXPECT_EQ(drained.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  release.set_value();
  EXPECT_TRUE(answer.get().ok());
  drained.wait();
}

TEST_F(ServerTest, HoldsAThousandIdleWatchesOnFewThreads) {
  ServerOptions options;
  options.worker_threads = 2;
  Start(options);
  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<std::unique_ptr<ClientStream>> streams;
  constexpr int kChannels = 20;
  constexpr int kStreamsEach = 50;
  for (int i = 0; i < kChannels; ++i) {
    channels.push_back(Connect());
    for (int j = 0; j < kStreamsEach; ++j) {
      streams.push_back(channels.back()->OpenRead(kWatchSync, v1::WatchSyncRequest(), Bounded()));
    }
  }
  ASSERT_TRUE(watch_->WaitForOpen(kChannels * kStreamsEach));
  const auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                                     std::filesystem::directory_iterator());
  EXPECT_LT(threads, 64);
  server_->Drain(absl::Now() + absl::Seconds(10));
  EXPECT_TRUE(watch_->WaitForOpen(0));
}

TEST_F(ServerTest, SaysWhichAddressIsTaken) {
  Start();
  const std::string taken = server_->addresses()[0].address;
  const auto second = Server::Start(router_, {}, {{taken, kEveryRole}});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(taken));
}

TEST_F(ServerTest, ListensWithoutTlsOnThisMachineAlone) {
  for (const std::string address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    const auto server = Server::Start(router_, {}, {{address, kEveryRole}});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("TLS is needed on " + address));
  }
}

TEST_F(ServerTest, DescribesItsServicesToTools) {
  Start({}, RoleSet());
  grpc::reflection::v1::ServerReflectionRequest request;
  request.set_list_services("");
  const auto stream =
      Connect()->Open("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Bounded());
  ASSERT_TRUE(stream->Write(request));
  grpc::reflection::v1::ServerReflectionResponse response;
  ASSERT_TRUE(stream->Read(response));
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, Contains("sluice.v1.TreeService"));
  EXPECT_THAT(names, Contains("grpc.health.v1.Health"));
}

}  // namespace
}  // namespace sluice
