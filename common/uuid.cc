#include "common/uuid.h"

#include <uuid/uuid.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sluice {

Uuid Uuid::Random() {
  Uuid id;
  uuid_generate_random(id.bytes_.data());
  return id;
}

Uuid Uuid::FromName(const Uuid& name_space, absl::string_view name) {
  Uuid id;
  uuid_generate_sha1(id.bytes_.data(), name_space.bytes_.data(), name.data(), name.size());
  return id;
}

absl::StatusOr<Uuid> Uuid::Parse(absl::string_view text) {
  Uuid id;
  if (text.size() != 36 || uuid_parse(std::string(text).c_str(), id.bytes_.data()) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CEscape(text.substr(0, 64)),
                     "\" is not a UUID (8-4-4-4-12 hexadecimal digits)"));
  }
  return id;
}

absl::StatusOr<Uuid> Uuid::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kSizeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a UUID has 16 bytes, this one has ", bytes.size()));
  }
  Uuid id;
  std::copy(bytes.begin(), bytes.end(), id.bytes_.begin());
  return id;
}

std::string Uuid::ToString() const {
  char text[37];
  uuid_unparse_lower(bytes_.data(), text);
  return text;
}

std::string Uuid::bytes() const { return std::string(view().data(), view().size()); }

}  // namespace sluice
