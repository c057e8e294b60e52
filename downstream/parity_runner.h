// Parity runner: compares this node with its upstream, one check at a time, and keeps what came of
// it.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "downstream/parity_check.h"
#include "sluice/v1/parity_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"

namespace sluice {

class ParityRunner {
 public:
  struct Options {
    // Introduces this node to the upstream, as the sync engine does.
    std::function<absl::StatusOr<v1::HelloRequest>()> hello;
    absl::Duration timeout = absl::Seconds(30);
    // Called after every check, whatever came of it. May be empty.
    std::function<void()> on_checked;
  };

  // All references must outlive the runner. `upstream`: the channel to whoever is followed.
  ParityRunner(Catalog& catalog, ContentStore& content, std::function<Channel&()> upstream,
               Clock& clock, Options options);

  // Compares and returns all messages of the answer, standing findings first, the summary last.
  //
  // Errors:
  //   RESOURCE_EXHAUSTED  another check is running, and has not ended within a minute;
  //   those of ParityCheck::Run.
  absl::StatusOr<std::vector<v1::CheckResponse>> Check(const ParityCheck::Options& options);

  // Breaks off what is running; nothing is compared any more.
  void Stop();

  // How many differences of each class the last check found; all of them 0 before the first.
  std::map<v1::FindingClass, int64_t> LastFindings() const;
  // When that was, and when one was last tried; InfinitePast before the first.
  absl::Time LastChecked() const;
  absl::Time LastAttempted() const;

 private:
  absl::Status WaitForTurn();
  absl::StatusOr<std::vector<v1::CheckResponse>> Compare(const ParityCheck::Options& options);
  void RememberFailure(const ParityCheck::Options& options, const absl::Status& failure);

  Catalog& catalog_;
  ContentStore& content_;
  const std::function<Channel&()> upstream_;
  Clock& clock_;
  const Options options_;
  std::stop_source stop_;
  Mutex mutex_;
  CondVar ended_;
  bool checking_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sluice
