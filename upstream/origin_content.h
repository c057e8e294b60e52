// Origin content: at the root, gets the files that decisions here or nodes below ask for from the
// updates' sources.
//
// The root fetches a file as soon as it is approved: an archive may drop it any day.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <thread>

#include "absl/random/random.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/worker_pool.h"
#include "sluice/v1/tree.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/content_wants.h"
#include "storage/selection.h"
#include "upstream/content_demand.h"
#include "upstream/update_source.h"

namespace sluice {

class OriginContent : public ContentDemand {
 public:
  // `find_source`: the source of that name, null when there is none any more.
  OriginContent(Catalog& catalog, ContentStore& content, Clock& clock, Log& log,
                std::function<UpdateSource*(absl::string_view)> find_source);
  ~OriginContent() override;

  void Start();
  void Stop();

  v1::ContentAnswer Want(const Digest& digest) override;
  int64_t Watch(std::function<void()> wake) override;
  void Unwatch(int64_t handle) override;

  // A stored file was found wrong and set aside. Returns whether it is wanted, and so got again.
  bool Refetch(const Digest& digest);

  // Counts for this node's own status.
  void FillStatus(v1::NodeStatus& status) const;

 private:
  void Run();
  absl::Status AcknowledgeTouchedHere() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fetch(const ContentInfo& file);
  absl::Status FetchFromSource(const ContentInfo& file);
  void Settle(const Digest& digest, const absl::Status& status);

  Catalog& catalog_;
  ContentStore& content_;
  Clock& clock_;
  Log& log_;
  const std::function<UpdateSource*(absl::string_view)> find_source_;
  std::stop_source stop_;
  std::thread thread_;
  std::unique_ptr<WorkerPool> transfers_;
  int64_t catalog_watch_ = 0;

  mutable Mutex mutex_;
  CondVar changed_;
  absl::BitGen random_ ABSL_GUARDED_BY(mutex_);
  ContentWants wants_ ABSL_GUARDED_BY(mutex_);
  std::vector<RecordKey> touched_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, v1::ContentAnswer> failures_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  Mutex watch_mutex_;
  int64_t next_watch_ ABSL_GUARDED_BY(watch_mutex_) = 1;
  std::map<int64_t, std::function<void()>> watches_ ABSL_GUARDED_BY(watch_mutex_);
};

}  // namespace sluice
