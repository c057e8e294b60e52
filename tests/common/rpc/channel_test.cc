#include "common/rpc/channel.h"

#include <future>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "tests/common/rpc/served_router.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using ChannelTest = ServedRouterTest;

// Keeps the offsets of what it gets; pauses after each message if told so.
class Offsets : public StreamReceiver {
 public:
  explicit Offsets(bool pause) : pause_(pause) {}

  bool OnMessage(MessageSlices slices) override {
    v1::ReadResponse chunk;
    EXPECT_TRUE(ParseSlices(slices, chunk).ok());
    MutexLock lock(mutex_);
    offsets_.push_back(chunk.offset());
    changed_.NotifyAll();
    return !pause_;
  }
  void OnDone(const absl::Status& status) override { done_.set_value(status); }

  std::vector<int64_t> WaitForCount(size_t count) {
    MutexLock lock(mutex_);
    while (offsets_.size() < count) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(10))) break;
    }
    return offsets_;
  }
  absl::Status WaitForEnd() { return done_.get_future().get(); }

 private:
  const bool pause_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<int64_t> offsets_ ABSL_GUARDED_BY(mutex_);
  std::promise<absl::Status> done_;
};

void SayOffsets(Script& script, const std::vector<int64_t>& offsets) {
  for (const int64_t offset : offsets) {
    v1::ReadResponse chunk;
    chunk.set_offset(offset);
    script.Say(Pull::Message(chunk));
  }
}

absl::Status CallTarget(const std::string& target) {
  v1::ListNodesResponse response;
  CallOptions options;
  options.deadline = absl::Now() + absl::Seconds(20);
  return (*Channel::Create(target))->Unary(kListNodes, v1::ListNodesRequest(), response, options);
}

TEST_F(ChannelTest, GivesASubscriberEachMessageAndTheEnd) {
  Start();
  SayOffsets(*read_, {1, 2, 3});
  read_->Say(Pull::End(MakeError(v1::REASON_CONTENT_MISSING, "gone")));
  Offsets offsets(/*pause=*/false);
  const auto handle = Connect()->Subscribe(kRead, v1::ReadRequest(), offsets, Bounded());
  EXPECT_EQ(ReasonOf(offsets.WaitForEnd()), v1::REASON_CONTENT_MISSING);
  EXPECT_THAT(offsets.WaitForCount(3), ElementsAre(1, 2, 3));
}

TEST_F(ChannelTest, ReadsOnWhenAPausedSubscriberSaysSo) {
  Start();
  SayOffsets(*read_, {1, 2});
  Offsets offsets(/*pause=*/true);
  const auto handle = Connect()->Subscribe(kRead, v1::ReadRequest(), offsets, Bounded());
  EXPECT_THAT(offsets.WaitForCount(1), ElementsAre(1));
  handle->ReadMore();
  EXPECT_THAT(offsets.WaitForCount(2), ElementsAre(1, 2));
  handle->Cancel();
  EXPECT_EQ(offsets.WaitForEnd().code(), absl::StatusCode::kCancelled);
}

TEST_F(ChannelTest, CancelsASubscriptionThatIsDropped) {
  Start();
  Offsets offsets(/*pause=*/true);
  auto handle = Connect()->Subscribe(kRead, v1::ReadRequest(), offsets, Bounded());
  ASSERT_TRUE(read_->WaitForOpen(1));
  handle = nullptr;
  EXPECT_EQ(offsets.WaitForEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(read_->WaitForOpen(0));
}

TEST_F(ChannelTest, DeliversSlicesWithoutJoiningThem) {
  Start();
  const auto bytes = std::make_shared<const std::string>(1 << 20, 'x');
  read_->Say(Pull::Message(OutMessage{std::string("\x7a\x80\x80\x40", 4), bytes}));
  const auto stream = Connect()->OpenRead(kRead, v1::ReadRequest(), Bounded());
  MessageSlices slices;
  ASSERT_TRUE(stream->ReadSlices(slices));
  size_t size = 0;
  for (const absl::string_view slice : slices) size += slice.size();
  EXPECT_EQ(size, bytes->size() + 4);
  v1::ReadResponse chunk;
  EXPECT_TRUE(ParseSlices(slices, chunk).ok());
  EXPECT_EQ(chunk.data(), *bytes);
}

TEST_F(ChannelTest, EndsAStreamOnWhichNothingComes) {
  Start();
  CallOptions options = Bounded();
  options.progress_timeout = absl::Milliseconds(50);
  const auto stream = Connect()->OpenRead(kWatchSync, v1::WatchSyncRequest(), options);
  v1::WatchSyncResponse response;
  EXPECT_FALSE(stream->Read(response));
  EXPECT_EQ(ReasonOf(stream->Finish()), v1::REASON_UPSTREAM_STALLED);
}

TEST_F(ChannelTest, EndsWhatItWaitsForWhenStopIsRequested) {
  Start();
  std::stop_source stop;
  CallOptions options = Bounded();
  options.stop = stop.get_token();
  const auto channel = Connect();
  auto late = std::async(std::launch::async, [&] {
    v1::RequestResponse response;
    return channel->Unary(kRequest, v1::RequestRequest(), response, options);
  });
  const auto stream = channel->OpenRead(kWatchSync, v1::WatchSyncRequest(), options);
  ASSERT_TRUE(late_->WaitForOpen(1));
  ASSERT_TRUE(watch_->WaitForOpen(1));
  stop.request_stop();
  EXPECT_EQ(late.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kCancelled);
}

TEST_F(ChannelTest, ReachesTheServerAgainAfterItWasAway) {
  Start({}, {{UnixAddress("a.sock"), kEveryRole}});
  const auto channel = Connect();
  v1::ListNodesResponse response;
  ASSERT_TRUE(channel->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded()).ok());
  server_ = nullptr;
  EXPECT_EQ(ReasonOf(channel->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded())),
            v1::REASON_UPSTREAM_CONNECT);
  Start({}, {{UnixAddress("a.sock"), kEveryRole}});
  CallOptions options = Bounded();
  options.wait_for_ready = true;
  const absl::Status again = channel->Unary(kListNodes, v1::ListNodesRequest(), response, options);
  EXPECT_TRUE(again.ok()) << again;
}

TEST_F(ChannelTest, SaysWhyTheOtherSideWasNotReached) {
  Start();
  const std::string closed = server_->addresses()[0].address;
  server_ = nullptr;
  const absl::Status refused = CallTarget(closed);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused), v1::REASON_UPSTREAM_CONNECT);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(closed + ": Connection refused"));

  EXPECT_EQ(ReasonOf(CallTarget(UnixAddress("none.sock"))), v1::REASON_UPSTREAM_CONNECT);
  EXPECT_EQ(ReasonOf(CallTarget("no-such-host.invalid:1")), v1::REASON_UPSTREAM_DNS);
}

TEST_F(ChannelTest, RefusesAMalformedTarget) {
  EXPECT_EQ(Channel::Create("hq").status().code(), absl::StatusCode::kInvalidArgument);
}

// Whoever can set a variable must not be able to read along (as CVE-2020-1013 showed for another
// update service).
TEST_F(ChannelTest, NeverUsesTheProxiesOfTheEnvironment) {
  Start();
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy", "all_proxy"}) {
    setenv(name, "http://127.0.0.1:1", 1);
  }
  v1::ListNodesResponse response;
  EXPECT_TRUE(Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded()).ok());
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy", "all_proxy"}) unsetenv(name);
}

}  // namespace
}  // namespace sluice
