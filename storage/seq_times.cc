#include "storage/seq_times.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

// Family::kSettings: the time of the last note; and behind the prefix the notes by seq.
constexpr absl::string_view kLastNote = "seq_time";
constexpr absl::string_view kNotePrefix = "seq_time/";
constexpr absl::Duration kBetweenNotes = absl::Hours(6);
constexpr int kNotesMax = 100'000;

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(time));
}

}  // namespace

absl::Status NoteSeqTime(const CatalogReader& reader, absl::Time now, CatalogChange& change) {
  const auto last = reader.GetRow<google::protobuf::Timestamp>(Family::kSettings, kLastNote);
  if (!last.ok() && !absl::IsNotFound(last.status())) return last.status();
  // A clock that was set back begins anew.
  const bool fresh = last.ok() && ToTime(*last) <= now && now - ToTime(*last) < kBetweenNotes;
  if (fresh) return absl::OkStatus();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  const google::protobuf::Timestamp at =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  change.PutRow(Family::kSettings, kLastNote, at);
  change.PutRow(Family::kSettings, absl::StrCat(kNotePrefix, EncodeSeq(state.head_seq())), at);
  return absl::OkStatus();
}

absl::StatusOr<SeqTimes> SeqTimes::Read(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const auto rows,
                   reader.ListRows<google::protobuf::Timestamp>(Family::kSettings, kNotePrefix,
                                                                PrefixEnd(kNotePrefix), kNotesMax));
  SeqTimes times;
  for (const auto& [key, at] : rows) {
    Note note;
    ASSIGN_OR_RETURN(note.seq, DecodeSeq(absl::string_view(key).substr(kNotePrefix.size())));
    note.at = ToTime(at);
    times.notes_.push_back(note);
  }
  return times;
}

absl::Time SeqTimes::MadeBy(uint64_t seq) const {
  const auto note =
      std::lower_bound(notes_.begin(), notes_.end(), seq,
                       [](const Note& before, uint64_t wanted) { return before.seq < wanted; });
  return note == notes_.end() ? absl::InfiniteFuture() : note->at;
}

}  // namespace sluice
