// Change feed: what one child still has to be told, as a source of messages that somebody pulls.
//
// Nothing is queued for a child: the feed holds a position in the shared log and reads on from
// there when it is asked, so a slow child costs no memory and its reading speed is the
// back-pressure. At the head a watching feed waits for the next commit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/picked_records.h"
#include "storage/selection.h"
#include "storage/selection_sums.h"
#include "upstream/shared_messages.h"

namespace sluice {

class ChangeFeed {
 public:
  // What the feeds of one node have in common; must outlive them.
  struct Shared {
    const SelectionSums* sums;
    SharedMessages* messages;
  };

  // What `Next` has to say.
  struct Step {
    enum class Kind { kMessage, kAtHead, kEnd };
    Kind kind = Kind::kEnd;
    v1::ChangesResponse message;  // With kMessage.
    // Instead of it: a message that was serialised before. Null: there is none.
    std::shared_ptr<const std::string> bytes;
    absl::Status status;  // With kEnd.
  };

  // Checks the cursor against this node's history.
  //
  // Errors:
  //   INVALID_ARGUMENT          malformed ids.
  //   ABORTED EPOCH_CHANGED     the cursor is of another history.
  //   ABORTED SEQ_AHEAD         it lies ahead of the durable head.
  //   ABORTED SELECTION_CHANGED it was taken for another expanded selection.
  static absl::StatusOr<ChangeFeed> Open(const Catalog& catalog, const v1::ChangesRequest& request,
                                         Shared shared);

  // The next message; kAtHead when there is none now (a watching caller asks again after a commit);
  // kEnd when all was said to one who does not watch, or after a failure.
  Step Next();

 private:
  struct Wish {
    bool wants = false;
    std::string owner;  // Of a shard that is some node's own: its id.
  };

  ChangeFeed(const Catalog& catalog, const v1::ChangesRequest& request, Uuid child,
             Selection selection, Shared shared);

  // Whether others may stand at the same place: the child watches and has been at the head.
  bool Shares() const;

  absl::StatusOr<std::optional<v1::ChangesResponse>> Advance();
  absl::StatusOr<v1::ChangesResponse> MakeBatch(const CatalogReader& reader,
                                                std::vector<LoggedChange> changes);
  absl::StatusOr<v1::ChangesResponse> MakeMark(const CatalogReader& reader, bool at_head);
  // Whether this node has followed the root further than the last mark said.
  absl::StatusOr<bool> RootMoved(const CatalogReader& reader) const;
  // The message that the expansion changed, if it did since it was last looked at.
  absl::StatusOr<std::optional<v1::ChangesResponse>> Reexpand(const CatalogReader& reader);
  // Whether the child takes such an entry; notes what it says about picks.
  absl::StatusOr<bool> Wants(const CatalogReader& reader, const ShardId& shard,
                             absl::string_view record_key);
  absl::StatusOr<bool> WantsShard(const CatalogReader& reader, const ShardId& shard);
  absl::Status LookAtPicks(const CatalogReader& reader);

  const Catalog* catalog_;
  Shared shared_;
  Uuid child_;
  v1::Subscription subscription_;
  v1::NodeMode mode_;
  bool watch_;
  bool marks_only_;
  Selection selection_;
  uint64_t position_;               // Everything up to here was said.
  std::optional<uint64_t> marked_;  // The last mark's seq, and what else it said.
  v1::Fingerprint marked_fingerprint_;
  v1::Cursor marked_root_;
  absl::flat_hash_map<ShardId, Wish> wants_;  // By shard, under the present selection.
  std::vector<std::string> owners_;           // Of shards that the last reading came across.
  absl::flat_hash_set<ShardId> defined_;      // Shards whose definitions were sent.
  // Sums of what is picked; none: not looked at yet. And of which picks the log has spoken since.
  std::optional<PickedSums> picked_;
  absl::flat_hash_set<Uuid> picks_changed_;
};

}  // namespace sluice
