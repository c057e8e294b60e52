// Merge: what becomes of an incoming record when something is stored under its key. Pure, and the
// only place that decides it.
//
//   - A stored record is replaced only by a newer stamp.
//   - Equal digests are the same fact: only the stamp moves on.
//   - A policy's decisions are merged one by one by the same rule; their bytes are never rewritten.
//   - What a node above keeps (`kept_by`) and the policies that it sends are replaced by what comes
//   from above; the commit sees to that.
//   - A revision is never overwritten by another digest: it takes the next free number instead (the
//   caller chooses the key).
#pragma once

#include <optional>

#include "storage/payload.h"

namespace sluice {

enum class MergeResult {
  kNew,        // Nothing was stored: store it.
  kReplaced,   // Newer: store it.
  kRestamped,  // The same fact with a newer stamp: store the stamp.
  kIdentical,  // Nothing to do.
  kStale,      // What is stored is newer: nothing to do.
};

struct Merged {
  MergeResult result = MergeResult::kNew;
  CheckedRecord record;  // What to store, unless kIdentical or kStale.
};

// Whether `incoming` is newer than `stored`.
bool IsNewerStamp(const v1::Stamp& incoming, const v1::Stamp& stored);

Merged Merge(const std::optional<CheckedRecord>& stored, CheckedRecord incoming);

}  // namespace sluice
