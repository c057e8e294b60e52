#include "storage/category_ids.h"

#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

// Drawn once at random.
constexpr absl::string_view kIdNamespaceBytes(
    "\x8f\x3c\x51\xd2\x6e\x0b\x4a\x77\x93\x1d\x5a\xe4\x0c\x29\xb6\x18", 16);

}  // namespace

Uuid IdNamespace() { return *Uuid::FromBytes(kIdNamespaceBytes); }

Uuid ProductIdOfPath(absl::string_view path) {
  return Uuid::FromName(IdNamespace(), absl::StrCat("product:", path));
}

Uuid ClassificationIdOfName(absl::string_view name) {
  return Uuid::FromName(IdNamespace(), absl::StrCat("classification:", name));
}

Uuid GroupIdOfName(absl::string_view name) {
  return Uuid::FromName(IdNamespace(), absl::StrCat("group:", name));
}

}  // namespace sluice
