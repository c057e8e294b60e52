// Prints revisions of the shape "packages" as rows for PostgreSQL's COPY: id, digest, shard,
// payload.
//
//   synthetic_rows SEED REVISIONS
#include <cstdint>
#include <iostream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "storage/payload.h"
#include "upstream/synthetic/packages.h"

namespace sluice {
namespace {

// "bytea" in text; the backslash is doubled for COPY.
std::string Hex(const std::string& bytes) { return "\\\\x" + absl::BytesToHexString(bytes); }

int PrintRows(uint64_t seed, uint64_t revisions) {
  for (uint64_t i = 0; i < revisions; ++i) {
    const v1::Revision revision = synthetic::PackageUpdate(seed, i);
    const absl::StatusOr<CheckedRecord> packed = PackRevision(revision, 1);
    if (!packed.ok()) {
      std::cerr << packed.status() << "\n";
      return 1;
    }
    const v1::Record& record = packed->record;
    std::cout << absl::BytesToHexString(revision.update_id()) << '\t' << Hex(record.digest())
              << '\t' << Hex(record.shard_id()) << '\t' << Hex(revision.SerializeAsString())
              << '\n';
  }
  return std::cout.flush().good() ? 0 : 1;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  uint64_t seed = 0;
  uint64_t revisions = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[1], &seed) || !absl::SimpleAtoi(argv[2], &revisions)) {
    std::cerr << "usage: synthetic_rows SEED REVISIONS\n";
    return 2;
  }
  return sluice::PrintRows(seed, revisions);
}
