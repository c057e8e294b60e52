#include "storage/unknown_fields.h"

#include <string>

#include "google/protobuf/unknown_field_set.h"

namespace sluice {
namespace {

// Reserved in stored.v1.RecordHeader.
constexpr int kField = 21;

}  // namespace

void KeepUnknownFields(const v1::Record& record, stored::v1::RecordHeader& header) {
  const google::protobuf::UnknownFieldSet& unknown =
      record.GetReflection()->GetUnknownFields(record);
  google::protobuf::UnknownFieldSet& kept = *header.GetReflection()->MutableUnknownFields(&header);
  kept.DeleteByNumber(kField);
  if (!unknown.empty()) unknown.SerializeToString(kept.AddLengthDelimited(kField));
}

bool RestoreUnknownFields(const stored::v1::RecordHeader& header, v1::Record& record) {
  const google::protobuf::UnknownFieldSet& kept = header.GetReflection()->GetUnknownFields(header);
  for (int i = 0; i < kept.field_count(); ++i) {
    const google::protobuf::UnknownField& field = kept.field(i);
    if (field.number() != kField) continue;
    return field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED &&
           record.GetReflection()->MutableUnknownFields(&record)->ParseFromString(
               field.length_delimited());
  }
  return true;
}

}  // namespace sluice
