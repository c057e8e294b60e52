#include "downstream/upstream_calls.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/content_fetch.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

constexpr int kCallers = 4;  // Hello or records, a report, a request for content, and one to spare.

}  // namespace

// Takes one message of a stream at a time: the next is let in when the driver asks for it.
template <typename Received, typename Ended>
class UpstreamCalls::Receiver : public StreamReceiver {
 public:
  Receiver(CallNumber call, const std::function<void(EngineEvent)>& post)
      : call_(call), post_(post) {}

  bool OnMessage(MessageSlices slices) override {
    Received received{call_, {}};
    // What cannot be read is taken as an empty message; the fingerprint will say what it was worth.
    if (!ParseSlices(slices, received.response).ok()) received.response.Clear();
    post_(std::move(received));
    return false;
  }
  void OnDone(const absl::Status& status) override { post_(Ended{call_, status}); }

 private:
  const CallNumber call_;
  const std::function<void(EngineEvent)>& post_;
};

// A comparison that is under way, with the thread that reads its answers.
struct UpstreamCalls::Exchange {
  std::unique_ptr<ClientStream> stream;
  std::thread reader;

  ~Exchange() {
    stream->Cancel();
    reader.join();
  }
};

UpstreamCalls::UpstreamCalls(Channel& channel, ContentStore& content, UpstreamCallOptions options,
                             std::function<void(EngineEvent)> post)
    : channel_(channel),
      content_(content),
      options_(options),
      post_(std::move(post)),
      callers_(std::make_unique<WorkerPool>(kCallers)),
      transfers_(std::make_unique<WorkerPool>(options.parallel_transfers)) {}

UpstreamCalls::~UpstreamCalls() {
  stop_.request_stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (ClientStream* stream : open_) stream->Cancel();
  }
  changes_.handle.reset();
  load_.handle.reset();
  exchange_.reset();
  callers_.reset();
  transfers_.reset();
}

void UpstreamCalls::Register(ClientStream* stream) {
  MutexLock lock(mutex_);
  open_.insert(stream);
  if (stopping_) stream->Cancel();
}

void UpstreamCalls::Unregister(ClientStream* stream) {
  MutexLock lock(mutex_);
  open_.erase(stream);
}

template <typename Res, typename Req>
absl::StatusOr<Res> UpstreamCalls::Call(absl::string_view method, const Req& request,
                                        absl::Duration timeout) {
  const std::unique_ptr<ClientStream> stream =
      channel_.OpenRead(method, request, {.deadline = absl::Now() + timeout});
  Register(stream.get());
  const auto done = absl::MakeCleanup([&] { Unregister(stream.get()); });
  Res response;
  const bool answered = stream->Read(response);
  RETURN_IF_ERROR(stream->Finish());
  if (!answered) return absl::InternalError(absl::StrCat(method, " ended without an answer"));
  return response;
}

void UpstreamCalls::Do(const CallHello& action) {
  callers_->Submit([this, action] {
    post_(HelloAnswered{
        action.call, Call<v1::HelloResponse>("sluice.v1.ReplicationService/Hello", action.request,
                                             options_.stall_timeout)});
  });
}

void UpstreamCalls::Do(const CallGetRecords& action) {
  callers_->Submit([this, action] {
    post_(RecordsAnswered{action.call,
                          Call<v1::GetRecordsResponse>("sluice.v1.ReplicationService/GetRecords",
                                                       action.request, options_.stall_timeout)});
  });
}

void UpstreamCalls::Do(const CallReport& action) {
  callers_->Submit([this, action] {
    absl::StatusOr<v1::ReportResponse> response = Call<v1::ReportResponse>(
        "sluice.v1.ReplicationService/Report", action.request, options_.stall_timeout);
    ReportAnswered answered{action.call, response.status()};
    if (response.ok()) answered.response = *std::move(response);
    post_(std::move(answered));
  });
}

void UpstreamCalls::Do(const CallRequestContent& action) {
  callers_->Submit([this, action] {
    const absl::Duration held = absl::Nanoseconds(
        google::protobuf::util::TimeUtil::DurationToNanoseconds(action.request.max_wait()));
    post_(ContentAnswered{
        action.call, Call<v1::RequestResponse>("sluice.v1.ContentService/Request", action.request,
                                               held + options_.stall_timeout)});
  });
}

void UpstreamCalls::Do(const FetchFile& action) {
  transfers_->Submit([this, file = action.file] {
    FileFetched fetched{file.digest, absl::OkStatus(), 0};
    fetched.status =
        FetchContent(channel_, content_, file,
                     {.stall_timeout = options_.stall_timeout,
                      .on_bytes = [&fetched](int64_t bytes) { fetched.wire_bytes += bytes; }},
                     stop_.get_token());
    post_(std::move(fetched));
  });
}

template <typename Received, typename Ended, typename Request>
void UpstreamCalls::Subscribe(OpenStream& stream, absl::string_view method, CallNumber call,
                              const Request& request) {
  stream.handle.reset();
  stream.call = call;
  stream.receiver = std::make_unique<Receiver<Received, Ended>>(call, post_);
  stream.handle = channel_.Subscribe(method, request, *stream.receiver);
}

void UpstreamCalls::Do(const OpenChanges& action) {
  Subscribe<ChangesReceived, ChangesEnded>(changes_, "sluice.v1.ReplicationService/Changes",
                                           action.call, action.request);
}

void UpstreamCalls::Do(const CloseChanges& action) {
  if (action.call == changes_.call) changes_.handle.reset();
}

void UpstreamCalls::CloseStreams() {
  changes_.handle.reset();
  load_.handle.reset();
  exchange_.reset();
}

void UpstreamCalls::ReadMoreChanges(CallNumber call) {
  if (call == changes_.call && changes_.handle != nullptr) changes_.handle->ReadMore();
}

void UpstreamCalls::Do(const OpenLoad& action) {
  Subscribe<LoadReceived, LoadEnded>(load_, "sluice.v1.ReplicationService/Load", action.call,
                                     action.request);
}

void UpstreamCalls::Do(const CloseLoad& action) {
  if (action.call == load_.call) load_.handle.reset();
}

void UpstreamCalls::ReadMoreLoad(CallNumber call) {
  if (call == load_.call && load_.handle != nullptr) load_.handle->ReadMore();
}

void UpstreamCalls::Do(const OpenReconcile& action) {
  exchange_.reset();
  exchange_ = std::make_unique<Exchange>();
  exchange_->stream = channel_.Open("sluice.v1.ReplicationService/Reconcile",
                                    {.progress_timeout = options_.stall_timeout});
  // A write fails when the call has ended; the reader then says why.
  exchange_->stream->Write(action.request);
  exchange_->reader = std::thread([this, call = action.call, stream = exchange_->stream.get()] {
    ReadExchange(call, *stream);
  });
}

void UpstreamCalls::ReadExchange(CallNumber call, ClientStream& stream) {
  ReconcileReceived received{call, {}};
  while (stream.Read(received.response)) post_(received);
  post_(ReconcileEnded{call, stream.Finish()});
}

void UpstreamCalls::Do(const SendReconcile& action) {
  if (exchange_ != nullptr) exchange_->stream->Write(action.request);
}

void UpstreamCalls::Do(const CloseReconcile& /*action*/) { exchange_.reset(); }

}  // namespace sluice
