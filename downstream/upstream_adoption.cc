#include "downstream/upstream_adoption.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "common/status.h"
#include "storage/record_items.h"

namespace sluice {
namespace {

constexpr int kTitlesMax = 100;
constexpr size_t kRecordsPerCommit = 500;

struct KeptRecord {
  RecordKey key;
  ShardId shard;
};

absl::StatusOr<std::vector<KeptRecord>> KeptRecords(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  std::vector<ShardId> ours;
  for (const ShardInfo& shard : shards) {
    if (shard.definition.kept_by() == state.node_id()) ours.push_back(shard.id);
  }
  std::vector<KeptRecord> kept;
  RETURN_IF_ERROR(ForEachMember(reader, ours, [&](const ShardId& shard, const ShardMember& member) {
    kept.push_back({member.key, shard});
  }));
  return kept;
}

// The files that only kept records name.
absl::StatusOr<std::set<std::string>> FilesFreed(const CatalogReader& reader,
                                                 const std::vector<KeptRecord>& kept) {
  std::set<RecordKey> keys;
  for (const KeptRecord& record : kept) keys.insert(record.key);
  std::set<std::string> freed;
  for (const KeptRecord& record : kept) {
    if (record.key.kind != v1::RECORD_KIND_REVISION) continue;
    ASSIGN_OR_RETURN(const RecordColumns columns, reader.GetColumns(record.key));
    for (const stored::v1::FileReference& file : columns.header.files()) {
      ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
      ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, reader.FileUses(digest));
      const bool only_kept = std::all_of(
          uses.begin(), uses.end(), [&keys](const RecordKey& use) { return keys.contains(use); });
      if (only_kept) freed.insert(file.sha256());
    }
  }
  return freed;
}

absl::Status Describe(const CatalogReader& reader, const std::vector<KeptRecord>& kept,
                      v1::AdoptUpstreamResponse& response) {
  std::set<Uuid> updates;
  for (const KeptRecord& record : kept) {
    ASSIGN_OR_RETURN(const RecordColumns columns, reader.GetColumns(record.key));
    if (record.key.kind == v1::RECORD_KIND_POLICY) {
      response.set_decisions_removed(response.decisions_removed() +
                                     columns.header.decisions_size());
    }
    if (record.key.kind != v1::RECORD_KIND_REVISION) continue;
    if (!updates.insert(record.key.id).second) continue;
    if (response.titles_size() < kTitlesMax) response.add_titles(columns.header.title());
  }
  response.set_records_removed(static_cast<int64_t>(kept.size()));
  response.set_updates_removed(static_cast<int64_t>(updates.size()));
  return absl::OkStatus();
}

absl::StatusOr<v1::AdoptUpstreamResponse> Preview(const CatalogReader& reader,
                                                  ContentStore& content,
                                                  const std::vector<KeptRecord>& kept,
                                                  const std::set<std::string>& freed) {
  v1::AdoptUpstreamResponse response;
  RETURN_IF_ERROR(Describe(reader, kept, response));
  int64_t bytes = 0;
  for (const std::string& file : freed) {
    const absl::StatusOr<ContentInfo> info = content.Stat(*Digest::FromBytes(file));
    if (info.ok()) bytes += info->size_bytes;
  }
  response.set_bytes_to_free(bytes);
  return response;
}

}  // namespace

absl::StatusOr<KeptCount> CountKept(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  KeptCount kept;
  for (const ShardInfo& shard : shards) {
    const auto records = static_cast<int64_t>(shard.fingerprint.count());
    kept.records_here += records;
    if (shard.definition.kept_by() != state.node_id()) continue;
    kept.records += records;
    const bool updates =
        shard.definition.stream() == v1::STREAM_KIND_CATALOG && !shard.definition.always();
    if (updates) kept.updates += records;
  }
  return kept;
}

absl::StatusOr<v1::AdoptUpstreamResponse> PreviewAdoption(const CatalogReader& reader,
                                                          ContentStore& content) {
  ASSIGN_OR_RETURN(const std::vector<KeptRecord> kept, KeptRecords(reader));
  ASSIGN_OR_RETURN(const std::set<std::string> freed, FilesFreed(reader, kept));
  return Preview(reader, content, kept, freed);
}

absl::StatusOr<v1::AdoptUpstreamResponse> AdoptUpstream(
    Catalog& catalog, ContentStore& content,
    const std::function<void(CatalogChange&)>& first_commit) {
  const CatalogReader reader = catalog.Read();
  ASSIGN_OR_RETURN(const std::vector<KeptRecord> kept, KeptRecords(reader));
  ASSIGN_OR_RETURN(const std::set<std::string> freed, FilesFreed(reader, kept));
  ASSIGN_OR_RETURN(v1::AdoptUpstreamResponse response, Preview(reader, content, kept, freed));
  for (size_t begin = 0; begin < kept.size(); begin += kRecordsPerCommit) {
    CatalogChange change;
    if (begin == 0) first_commit(change);
    const size_t end = std::min(begin + kRecordsPerCommit, kept.size());
    for (size_t i = begin; i < end; ++i) change.Leave(kept[i].key, kept[i].shard);
    change.FreeFiles();
    RETURN_IF_ERROR(catalog.Commit(change).status());
  }
  return response;
}

}  // namespace sluice
