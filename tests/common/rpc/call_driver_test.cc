#include "common/rpc/call_driver.h"

#include <deque>
#include <future>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/typed_exchange.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/sync_service.pb.h"
#include "tests/common/rpc/scripted_source.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

// Notes what a driver asks for, in order.
class FakeTransport : public CallTransport {
 public:
  void Read() override { Note("read"); }
  void Write(OutMessage message) override { Note("write " + message.head); }
  void WriteAndFinish(OutMessage message) override { Note("last " + message.head); }
  void Finish(const absl::Status& status) override {
    Note(absl::StrCat("finish ", absl::StatusCodeToString(status.code())));
  }
  void SendHeaders() override { Note("headers"); }
  void Abort() override { Note("abort"); }

  // Waits for the next request that was not taken yet.
  std::string Take() {
    const absl::Time give_up = absl::Now() + absl::Seconds(10);
    MutexLock lock(mutex_);
    while (notes_.empty()) {
      if (!changed_.WaitFor(mutex_, give_up - absl::Now()) && absl::Now() >= give_up) return "";
    }
    const std::string note = notes_.front();
    notes_.pop_front();
    return note;
  }

 private:
  void Note(const std::string& note) {
    MutexLock lock(mutex_);
    notes_.push_back(note);
    changed_.NotifyAll();
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> notes_ ABSL_GUARDED_BY(mutex_);
};

// Answers each message with itself, and the end with "bye".
class Echo : public MessageExchange {
 public:
  absl::Status OnMessage(absl::string_view bytes) override {
    if (bytes == "fail") return absl::DataLossError("as asked");
    answers_.push_back(Pull::Message(OutMessage{std::string(bytes), nullptr}));
    return absl::OkStatus();
  }
  absl::Status OnHalfClose() override {
    answers_.push_back(Pull::Message(OutMessage{"bye", nullptr}));
    answers_.push_back(Pull::End());
    return absl::OkStatus();
  }
  Pull Next() override {
    if (answers_.empty()) return Pull::Wait();
    Pull pull = std::move(answers_.front());
    answers_.pop_front();
    return pull;
  }

 private:
  std::deque<Pull> answers_;
};

class CallDriverTest : public ::testing::Test {
 protected:
  std::shared_ptr<CallDriver> Start(std::unique_ptr<MessageExchange> exchange,
                                    CallDriver::Options options = CallDriver::Options()) {
    options.on_released = [this] { released_.set_value(); };
    auto driver = std::make_shared<CallDriver>(transport_, pool_, std::move(options));
    driver->Start(std::move(exchange));
    EXPECT_EQ(transport_.Take(), "read");
    return driver;
  }

  // A server stream that has got its request and waits.
  std::shared_ptr<CallDriver> StartScripted(CallDriver::Options options = CallDriver::Options()) {
    auto exchange = std::make_unique<SourceExchange<v1::WatchSyncRequest>>(
        CallContext(),
        [this](const CallContext&,
               const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
          return std::make_unique<ScriptedSource>(script_);
        });
    auto driver = Start(std::move(exchange), std::move(options));
    driver->OnRead("");
    EXPECT_EQ(transport_.Take(), "headers");
    EXPECT_EQ(transport_.Take(), "read");
    return driver;
  }

  void WaitForRelease() { released_.get_future().wait(); }
  static Pull Message(const std::string& text) { return Pull::Message(OutMessage{text, nullptr}); }

  FakeTransport transport_;
  const std::shared_ptr<Script> script_ = std::make_shared<Script>();
  std::promise<void> released_;
  WorkerPool pool_{2};
};

TEST_F(CallDriverTest, ReadsOnOnlyWhenAllAnswersAreSaid) {
  const auto driver = Start(std::make_unique<Echo>());
  driver->OnRead("a");
  EXPECT_EQ(transport_.Take(), "write a");
  driver->OnWritten(true);
  EXPECT_EQ(transport_.Take(), "read");
  driver->OnReadEnd();
  EXPECT_EQ(transport_.Take(), "write bye");
  driver->OnWritten(true);
  EXPECT_EQ(transport_.Take(), "finish OK");
  WaitForRelease();
}

TEST_F(CallDriverTest, SendsASingleAnswerTogetherWithTheEnd) {
  CallDriver::Options options;
  options.single_answer = true;
  const auto driver = Start(std::make_unique<Echo>(), options);
  driver->OnRead("a");
  EXPECT_EQ(transport_.Take(), "last a");
  WaitForRelease();
}

TEST_F(CallDriverTest, TakesNoLostCallerForOneThatIsDone) {
  CallDriver::Options options;
  options.end_grace = absl::Hours(1);
  const auto driver = Start(std::make_unique<Echo>(), options);
  driver->OnReadEnd();
  driver->OnCancelled();
  EXPECT_EQ(transport_.Take(), "finish CANCELLED");
  WaitForRelease();
}

TEST_F(CallDriverTest, TellsTheEndAfterTheGrace) {
  CallDriver::Options options;
  options.end_grace = absl::Milliseconds(5);
  options.single_answer = true;
  const auto driver = Start(std::make_unique<Echo>(), options);
  driver->OnReadEnd();
  EXPECT_EQ(transport_.Take(), "last bye");
  WaitForRelease();
}

TEST_F(CallDriverTest, EndsWithTheFailureOfAMessage) {
  const auto driver = Start(std::make_unique<Echo>());
  driver->OnRead("fail");
  EXPECT_EQ(transport_.Take(), "finish DATA_LOSS");
  WaitForRelease();
}

TEST_F(CallDriverTest, AsksAgainWhenASourceIsWoken) {
  const auto driver = StartScripted();
  script_->Say(Message("one"));
  EXPECT_EQ(transport_.Take(), "write one");
  // Said while the write is under way: neither lost nor sent beside it.
  script_->Say(Message("two"));
  driver->OnWritten(true);
  EXPECT_EQ(transport_.Take(), "write two");
  driver->OnWritten(true);
  script_->Say(Pull::End());
  EXPECT_EQ(transport_.Take(), "finish OK");
  WaitForRelease();
}

TEST_F(CallDriverTest, AsksAgainAtTheTimeThatASourceNamed) {
  const auto driver = StartScripted();
  script_->Say(Pull::Wait(absl::Now() + absl::Milliseconds(5)));
  // No wake follows.
  EXPECT_TRUE(script_->WaitForWaits(2));
  driver->OnCancelled();
  EXPECT_EQ(transport_.Take(), "finish CANCELLED");
  WaitForRelease();
}

TEST_F(CallDriverTest, DestroysTheSourceWhenTheCallerIsGone) {
  const auto driver = StartScripted();
  EXPECT_TRUE(script_->WaitForOpen(1));
  driver->OnCancelled();
  EXPECT_EQ(transport_.Take(), "finish CANCELLED");
  WaitForRelease();
  EXPECT_TRUE(script_->WaitForOpen(0));
  script_->Say(Message("to nobody"));  // Wakes a call that is over.
}

TEST_F(CallDriverTest, EndsBeforeAHandlerThatRunsButReleasesAfterIt) {
  std::promise<void> entered;
  std::promise<void> release;
  auto exchange = std::make_unique<UnaryExchange<v1::GetSessionRequest, v1::GetSessionResponse>>(
      CallContext(),
      [&](const CallContext&,
          const v1::GetSessionRequest&) -> absl::StatusOr<v1::GetSessionResponse> {
        entered.set_value();
        release.get_future().wait();
        return v1::GetSessionResponse();
      });
  const auto driver = Start(std::move(exchange));
  driver->OnRead("");
  entered.get_future().wait();
  driver->End(absl::DeadlineExceededError("too long"));
  EXPECT_EQ(transport_.Take(), "finish DEADLINE_EXCEEDED");
  auto released = released_.get_future();
  EXPECT_EQ(released.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  release.set_value();
  released.wait();
}

TEST_F(CallDriverTest, EndsAtItsDeadline) {
  CallDriver::Options options;
  options.deadline = absl::Now() + absl::Milliseconds(5);
  const auto driver = Start(std::make_unique<Echo>(), options);
  EXPECT_EQ(transport_.Take(), "finish DEADLINE_EXCEEDED");
  WaitForRelease();
}

TEST_F(CallDriverTest, BreaksOffAWriteThatNobodyTakes) {
  CallDriver::Options options;
  options.stalled_write_timeout = absl::Milliseconds(5);
  const auto driver = StartScripted(options);
  script_->Say(Message("one"));
  EXPECT_EQ(transport_.Take(), "write one");
  EXPECT_EQ(transport_.Take(), "abort");
  driver->OnCancelled();
  EXPECT_EQ(transport_.Take(), "finish CANCELLED");
  WaitForRelease();
}

TEST_F(CallDriverTest, SaysOneThingMoreWhileClosing) {
  const auto driver = StartScripted();
  script_->Say(Message("one"));
  EXPECT_EQ(transport_.Take(), "write one");
  for (const char* text : {"two", "three", "four"}) script_->Say(Message(text));
  driver->Close(absl::UnavailableError("draining"));
  driver->OnWritten(true);
  EXPECT_EQ(transport_.Take(), "write two");
  driver->OnWritten(true);
  EXPECT_EQ(transport_.Take(), "finish UNAVAILABLE");
  WaitForRelease();
}

TEST_F(CallDriverTest, ClosesAtOnceWhoWaits) {
  const auto driver = StartScripted();
  driver->Close(absl::UnavailableError("draining"));
  EXPECT_EQ(transport_.Take(), "finish UNAVAILABLE");
  WaitForRelease();
}

TEST_F(CallDriverTest, RequestsTheStopAtTheEnd) {
  CallDriver::Options options;
  const std::stop_token stop = options.stop.get_token();
  const auto driver = Start(std::make_unique<Echo>(), options);
  EXPECT_FALSE(stop.stop_requested());
  driver->OnCancelled();
  EXPECT_TRUE(stop.stop_requested());
  WaitForRelease();
}

TEST_F(CallDriverTest, EndsOnceUnderWakesMessagesAndCancelsFromManyThreads) {
  for (int round = 0; round < 200; ++round) {
    FakeTransport transport;
    const auto script = std::make_shared<Script>();
    std::promise<void> released;
    CallDriver::Options options;
    int finishes = 0;
    options.on_finished = [&finishes](const absl::Status&) { ++finishes; };
    options.on_released = [&released] { released.set_value(); };
    const auto driver = std::make_shared<CallDriver>(transport, pool_, options);
    driver->Start(std::make_unique<SourceExchange<v1::WatchSyncRequest>>(
        CallContext(),
        [&script](const CallContext&,
                  const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
          return std::make_unique<ScriptedSource>(script);
        }));
    driver->OnRead("");
    std::thread waker([&script] {
      for (int i = 0; i < 20; ++i) script->Say(Pull::Wait());
    });
    std::thread ender([&driver] { driver->OnReadEnd(); });
    driver->OnCancelled();
    waker.join();
    ender.join();
    released.get_future().wait();
    EXPECT_EQ(finishes, 1);
    EXPECT_TRUE(script->WaitForOpen(0));
  }
}

}  // namespace
}  // namespace sluice
