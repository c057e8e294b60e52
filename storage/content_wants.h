// Content wants: which files this node should have and does not, and what is being done about each.
//
// A file is wanted by the decisions in force here, for the languages of the subscription, or by a
// node below. It is fetched from the upstream; where that does not have it yet, it is requested
// there, and fetched when it is ready. What some node suppresses is not wanted; what is held for a
// time is fetched ahead, and not ready before.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sluice/v1/content_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/selection.h"
#include "storage/site_notices.h"

namespace sluice {

// What may have come further, or fallen back, since somebody last asked.
struct TouchedUpdates {
  std::set<Uuid> updates;         // With decisions in force now or before.
  std::set<RecordKey> revisions;  // Those that came, went or were stamped anew.
  bool all = false;               // Everything was looked at; also what has no decisions any more.

  bool empty() const { return updates.empty() && !all; }
};

class ContentWants {
 public:
  // `present`: whether the store holds the file, of the right size. `parallel`: files fetched at
  // the same time.
  ContentWants(Catalog& catalog, std::function<bool(const ContentInfo&)> present, int parallel);

  // Looks at all decisions anew. Needed at the start and when the selection changes.
  absl::Status RecomputeAll(const Selection& selection, absl::Time now);

  // Looks anew at the updates that these records are about.
  absl::Status Recompute(const Selection& selection, const std::vector<RecordKey>& changed,
                         absl::Time now);

  // A node below wants the file. Errors: NOT_FOUND ITEM_NOT_FOUND no record here names it.
  absl::Status WantForBelow(const Digest& digest, absl::Time now);
  // A stored file turned out to be wrong and is gone.
  void Lost(const Digest& digest, absl::Time now);
  // No record names the file any more, and its bytes were removed.
  void Forget(const Digest& digest);

  TouchedUpdates TakeTouched();
  void PutBack(TouchedUpdates touched);
  bool touched() const { return !touched_.empty(); }

  // Files to fetch now; they count as being fetched from here on.
  std::vector<ContentInfo> TakeFetches(absl::Time now);
  // Files to request from the upstream now; they count as requested until an answer or
  // `RequestFailed`.
  std::vector<Digest> TakeRequests(absl::Time now);

  // What became of a fetch. Returns what to remember about the file.
  v1::ContentAnswer Fetched(const Digest& digest, const absl::Status& status, absl::Time now,
                            absl::BitGenRef random);
  // What the upstream says of a requested file.
  v1::ContentAnswer Answered(const v1::ContentAnswer& answer, absl::Time now,
                             absl::BitGenRef random);
  // The request is over: what it asked for and got no answer about waits for `retry_at`.
  void RequestFailed(absl::Time retry_at);

  // The updates that were held and are so no longer, each once.
  std::vector<Uuid> TakeLapsed(absl::Time now);

  // Files that were missing and are wanted no more, each time once: what was last said of them no
  // longer stands.
  std::vector<Digest> TakeDropped();

  // Nothing is queued or being fetched; files may still wait for the upstream or for another try.
  bool settled() const;
  // When something is due again by the clock.
  absl::Time next_due() const;
  // Where a file stands; NOT_WANTED when it is not wanted.
  v1::ContentState StateOf(const Digest& digest) const;

  int64_t wanted() const { return static_cast<int64_t>(present_.size() + files_.size()); }
  int64_t missing() const { return static_cast<int64_t>(files_.size()); }
  int64_t failed() const;
  int64_t approved_updates() const { return static_cast<int64_t>(by_update_.size()); }
  int64_t ready_updates() const;
  int64_t inactive_updates() const { return static_cast<int64_t>(inactive_.size()); }

  // Adds the approved updates and all that they need.
  void AddNeeded(std::set<Uuid>& updates) const;

 private:
  // One file that is not here.
  struct Missing {
    int64_t size_bytes = 0;
    v1::ContentState state = v1::CONTENT_STATE_QUEUED;
    int attempts = 0;
    absl::Time due;  // Not before.
    bool requested = false;
  };

  absl::Status Look(const CatalogReader& reader, const Selection& selection, const Uuid& update,
                    absl::Time now);
  void RememberNeeds(const Uuid& update, std::vector<Uuid> needed);
  void Need(const ContentInfo& file, absl::Time now);
  void Unneed(const Digest& digest);
  void Touch(const Digest& digest);
  void PutOff(Missing& missing, absl::Time now, absl::BitGenRef random);

  Catalog& catalog_;
  const std::function<bool(const ContentInfo&)> is_present_;
  const int parallel_;
  SiteNotices notices_;
  std::map<Uuid, std::set<Digest>> by_update_;  // Approved updates and their files.
  std::map<Uuid, absl::Time> held_;             // Those of them that are not offered until then.
  std::set<Uuid> inactive_;                     // Decided about here, and no longer here.
  // What approved updates need besides themselves, and the same the other way round. A revision
  // of what is needed changes the files that are wanted.
  std::map<Uuid, std::vector<Uuid>> needs_;
  std::map<Uuid, std::set<Uuid>> needed_by_;
  std::map<Digest, std::set<Uuid>> uses_;  // By which updates a file is wanted.
  std::set<Digest> for_below_;
  std::set<Digest> present_;         // Wanted and here.
  std::map<Digest, Missing> files_;  // Wanted and not here.
  std::vector<Digest> dropped_;
  TouchedUpdates touched_;
  int fetching_ = 0;
  bool request_open_ = false;
};

}  // namespace sluice
