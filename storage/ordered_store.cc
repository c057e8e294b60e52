#include "storage/ordered_store.h"

namespace sluice {

absl::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kState:
      return "state";
    case Family::kRecords:
      return "records";
    case Family::kLog:
      return "log";
    case Family::kLogPosition:
      return "log_position";
    case Family::kShards:
      return "shards";
    case Family::kShardMembers:
      return "shard_members";
    case Family::kFileUses:
      return "file_uses";
    case Family::kDependents:
      return "dependents";
    case Family::kContent:
      return "content";
    case Family::kContentOrigins:
      return "content_origins";
    case Family::kCursors:
      return "cursors";
    case Family::kSessions:
      return "sessions";
    case Family::kMissing:
      return "missing";
    case Family::kFindings:
      return "findings";
    case Family::kAudit:
      return "audit";
    case Family::kNodes:
      return "nodes";
    case Family::kSettings:
      return "settings";
    case Family::kSources:
      return "sources";
    case Family::kAcknowledgements:
      return "acknowledgements";
    case Family::kLeases:
      return "leases";
    case Family::kPetitions:
      return "petitions";
    case Family::kDictionaries:
      return "dictionaries";
  }
  return "";
}

void WriteSet::Put(Family family, absl::string_view key, absl::string_view value) {
  changes_.push_back({family, std::string(key), std::string(value)});
}

void WriteSet::Delete(Family family, absl::string_view key) {
  changes_.push_back({family, std::string(key), std::nullopt});
}

}  // namespace sluice
