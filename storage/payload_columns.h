// Payload columns: from a payload to the clear columns of its header, and to its shard. Pure;
// refuses what is malformed.
#pragma once

#include "absl/status/status.h"
#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

// Checks the payload's ids, sizes and orders, and fills the columns that lists filter on.
//
// Errors:
//   INVALID_ARGUMENT  names what is wrong.
absl::Status FillColumns(const v1::Category& category, stored::v1::RecordHeader& header);
absl::Status FillColumns(const v1::Revision& revision, stored::v1::RecordHeader& header);
absl::Status FillColumns(const v1::Expiry& expiry, stored::v1::RecordHeader& header);
absl::Status FillColumns(const v1::TargetGroup& group, stored::v1::RecordHeader& header);
// `depends_on` is the update that it is about.
absl::Status FillColumns(const v1::SiteNotice& notice, stored::v1::RecordHeader& header);

// Copies to the header what it has in common with the record: state, stamp, shard, digest, codec,
// size, statement.
void CopyClearFields(const v1::Record& record, stored::v1::RecordHeader& header);

}  // namespace sluice
