// Pick fetch: reads all that the upstream has about single updates, in as many calls as it takes.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "downstream/record_applier.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/record_key.h"

namespace sluice {

class PickFetch {
 public:
  PickFetch(RecordApplier& applier, v1::NodeMode mode) : applier_(applier), mode_(mode) {}

  // Asks for an update, once.
  void Want(const Uuid& update);

  // The next request; none when there is nothing more to ask.
  std::optional<v1::GetRecordsRequest> Next();

  // Takes what was answered into the catalog.
  //
  // Errors:
  //   UNAVAILABLE  the upstream answers nothing of what it was asked.
  //   those of RecordApplier::Commit.
  absl::Status Take(v1::GetRecordsResponse response, absl::Time now);

  // All that was asked for, sorted.
  std::vector<Uuid> wanted() const;

  // Updates that the upstream has nothing about.
  int64_t absent() const { return absent_; }

 private:
  RecordApplier& applier_;
  const v1::NodeMode mode_;
  absl::flat_hash_set<Uuid> wanted_;  // Ever.
  std::deque<Uuid> to_ask_;
  std::deque<RecordKey> keys_to_ask_;  // Records that an answer had no room for.
  std::deque<RecordKey> keys_asked_;   // Answered first, in this order.
  int64_t absent_ = 0;
};

}  // namespace sluice
