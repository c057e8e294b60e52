// Unknown fields: what a newer release says in a record, on its way through this node.
//
// They are kept as bytes in a field of the stored header that has no name, so that a release which
// knows them finds them in the record again.
#pragma once

#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

void KeepUnknownFields(const v1::Record& record, stored::v1::RecordHeader& header);

// False when the header holds what cannot be read.
bool RestoreUnknownFields(const stored::v1::RecordHeader& header, v1::Record& record);

}  // namespace sluice
