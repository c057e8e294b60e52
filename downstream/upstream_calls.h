// Upstream calls: carries out what the sync engine wants of the node above, and posts what came of
// it.
//
// Calls run on threads of its own; every one of them can be broken off, so that a stop never waits
// for the network.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <thread>

#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "common/worker_pool.h"
#include "downstream/engine_events.h"
#include "storage/content_store.h"

namespace sluice {

struct UpstreamCallOptions {
  absl::Duration stall_timeout = absl::Seconds(30);
  // Between two looks at an upstream that would be preferred.
  absl::Duration probe_interval = absl::Minutes(1);
  int parallel_transfers = 4;
};

class UpstreamCalls {
 public:
  // `post` may be called from any thread until the destructor returns.
  UpstreamCalls(Channel& channel, ContentStore& content, UpstreamCallOptions options,
                std::function<void(EngineEvent)> post);
  // Breaks off all that is under way and waits for its end.
  ~UpstreamCalls();
  UpstreamCalls(const UpstreamCalls&) = delete;
  UpstreamCalls& operator=(const UpstreamCalls&) = delete;

  // Each of these returns at once. Called by one thread.
  void Do(const CallHello& action);
  void Do(const OpenChanges& action);
  void Do(const CloseChanges& action);
  void Do(const OpenLoad& action);
  void Do(const CloseLoad& action);
  void Do(const OpenReconcile& action);
  void Do(const SendReconcile& action);
  void Do(const CloseReconcile& action);
  void Do(const CallGetRecords& action);
  void Do(const FetchFile& action);
  void Do(const CallRequestContent& action);
  void Do(const CallReport& action);

  // Ends the change stream and the comparison, if they are open; files go on.
  void CloseStreams();

  // The last message of the change stream is being taken in; the next may come.
  void ReadMoreChanges(CallNumber call);
  // The same for the load.
  void ReadMoreLoad(CallNumber call);

 private:
  template <typename Received, typename Ended>
  class Receiver;
  // A server stream that is read message by message.
  struct OpenStream {
    CallNumber call = 0;
    std::unique_ptr<StreamReceiver> receiver;
    std::unique_ptr<StreamHandle> handle;  // Gone before its receiver.
  };
  struct Exchange;

  template <typename Res, typename Req>
  absl::StatusOr<Res> Call(absl::string_view method, const Req& request, absl::Duration timeout);
  template <typename Received, typename Ended, typename Request>
  void Subscribe(OpenStream& stream, absl::string_view method, CallNumber call,
                 const Request& request);
  // Remembers an open stream so that a stop can cancel it.
  void Register(ClientStream* stream);
  void Unregister(ClientStream* stream);
  void ReadExchange(CallNumber call, ClientStream& stream);

  Channel& channel_;
  ContentStore& content_;
  const UpstreamCallOptions options_;
  const std::function<void(EngineEvent)> post_;

  Mutex mutex_;
  std::set<ClientStream*> open_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::stop_source stop_;  // Of transfers.

  OpenStream changes_;
  OpenStream load_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<WorkerPool> callers_;
  std::unique_ptr<WorkerPool> transfers_;
};

}  // namespace sluice
