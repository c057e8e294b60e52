// Header scan: the few fields of a stored header that a relay passes on, read from its bytes where
// they lie.
//
// A scan of a whole catalog looks at every header; to parse one takes several times as long as to
// look at these.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

// Views are into the header's bytes. What is not set is empty or zero, as in the message.
struct HeaderFields {
  v1::RecordState state = v1::RECORD_STATE_UNSPECIFIED;
  absl::string_view origin;  // Of the stamp.
  uint64_t epoch_counter = 0;
  uint64_t version = 0;
  absl::string_view shard_id;
  absl::string_view digest;
  v1::Codec codec = v1::CODEC_UNSPECIFIED;
  uint32_t payload_bytes = 0;
  absl::string_view dictionary_id;
  // Decisions or a statement: for those the message is parsed.
  bool has_parts = false;
};

// Reads them from a serialised RecordHeader; false when it is damaged.
bool ScanHeader(absl::string_view header, HeaderFields& fields);

}  // namespace sluice
