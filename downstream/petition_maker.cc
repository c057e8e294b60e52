#include "downstream/petition_maker.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "downstream/dangling_check.h"
#include "storage/petition_rows.h"

namespace sluice {
namespace {

constexpr size_t kIdsPerPetition = 1000;
constexpr size_t kTitlesMax = 5;
constexpr size_t kReturnsMax = 100;

// "\"openssl 3.0.15\", \"curl 7.88\" and 12 more"
std::string TitlesText(const std::vector<std::string>& titles) {
  std::vector<std::string> named;
  for (size_t i = 0; i < std::min(titles.size(), kTitlesMax); ++i) {
    named.push_back(absl::StrCat("\"", titles[i], "\""));
  }
  std::string text = absl::StrJoin(named, ", ");
  if (titles.size() > kTitlesMax)
    absl::StrAppend(&text, " and ", titles.size() - kTitlesMax, " more");
  return text;
}

std::string TitleOf(const v1::Finding& finding) {
  return finding.title().empty() ? finding.id() : finding.title();
}

// The path or name of a category; empty when it is not here.
absl::StatusOr<std::string> PathOf(const CatalogReader& reader, absl::string_view id_bytes) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(id_bytes));
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const Uuid self, Uuid::FromBytes(state.node_id()));
  for (const Uuid& keeper : {Uuid(), self}) {
    const absl::StatusOr<RecordColumns> category =
        reader.GetColumns({v1::RECORD_KIND_CATEGORY, id, 0, keeper});
    if (category.ok()) return category->header.path();
  }
  return std::string();
}

}  // namespace

absl::StatusOr<std::vector<RecordKey>> KeptRecords(const CatalogReader& reader,
                                                   const v1::Finding& finding) {
  ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(finding.id()));
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const Uuid self, Uuid::FromBytes(state.node_id()));
  std::vector<RecordKey> keys;
  if (finding.kind() == v1::RECORD_KIND_REVISION) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(id));
    for (const RecordColumns& revision : revisions) {
      const bool meant = revision.key.revision == finding.revision_here();
      if (meant && revision.key.kept_by == self) keys.push_back(revision.key);
    }
    return keys;
  }
  const RecordKey key = {finding.kind(), id, 0, self};
  if (reader.GetColumns(key).ok()) keys.push_back(key);
  return keys;
}

absl::StatusOr<std::vector<v1::Petition>> MakeWiden(const CatalogReader& reader,
                                                    const v1::Subscription& upstream,
                                                    const std::vector<v1::Finding>& findings) {
  std::set<std::string> products;
  std::set<std::string> classifications;
  std::set<std::string> languages;
  std::vector<std::string> titles;
  for (const v1::Finding& finding : findings) {
    ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(finding.id()));
    const absl::StatusOr<RecordColumns> update = reader.CurrentRevision(id);
    if (!update.ok()) continue;
    titles.push_back(TitleOf(finding));
    for (const std::string& product : update->header.product_ids()) {
      ASSIGN_OR_RETURN(const std::string path, PathOf(reader, product));
      if (!path.empty() && !upstream.products().empty()) products.insert(path);
    }
    if (!update->header.classification_id().empty() && !upstream.classifications().empty()) {
      ASSIGN_OR_RETURN(const std::string path, PathOf(reader, update->header.classification_id()));
      if (!path.empty()) classifications.insert(path);
    }
    for (const stored::v1::FileReference& file : update->header.files()) {
      if (upstream.languages().empty()) break;
      languages.insert(file.languages().begin(), file.languages().end());
    }
  }
  // What it names already it is not asked for.
  for (const std::string& name : upstream.products()) products.erase(name);
  for (const std::string& name : upstream.classifications()) classifications.erase(name);
  for (const std::string& name : upstream.languages()) languages.erase(name);
  if (products.empty() && classifications.empty() && languages.empty()) {
    return std::vector<v1::Petition>();
  }
  v1::Petition petition;
  petition.set_kind(v1::PETITION_KIND_WIDEN);
  v1::Subscription& added = *petition.mutable_subscription();
  added.mutable_products()->Add(products.begin(), products.end());
  added.mutable_classifications()->Add(classifications.begin(), classifications.end());
  added.mutable_languages()->Add(languages.begin(), languages.end());
  std::set<std::string> all = products;
  all.insert(classifications.begin(), classifications.end());
  all.insert(languages.begin(), languages.end());
  petition.set_summary(absl::StrCat("take ", TitlesText({all.begin(), all.end()}), " too, for ",
                                    TitlesText(titles)));
  return std::vector<v1::Petition>{std::move(petition)};
}

absl::StatusOr<std::vector<v1::Petition>> MakePins(const CatalogReader& reader,
                                                   const std::vector<v1::Finding>& findings) {
  std::set<std::string> ids;
  std::vector<std::string> titles;
  for (const v1::Finding& finding : findings) {
    ASSIGN_OR_RETURN(const Uuid id, Uuid::Parse(finding.id()));
    titles.push_back(TitleOf(finding));
    if (finding.finding_class() != v1::FINDING_CLASS_DANGLING) {
      ids.insert(id.bytes());
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<Uuid> lacked, LackedBy(reader, id));
    for (const Uuid& lack : lacked) ids.insert(lack.bytes());
  }
  std::vector<v1::Petition> petitions;
  for (const std::string& id : ids) {
    const bool full = petitions.empty() ||
                      petitions.back().update_ids_size() == static_cast<int>(kIdsPerPetition);
    if (full) {
      v1::Petition& petition = petitions.emplace_back();
      petition.set_kind(v1::PETITION_KIND_PIN);
    }
    petitions.back().add_update_ids(id);
  }
  for (v1::Petition& petition : petitions) {
    petition.set_summary(absl::StrCat("take ", petition.update_ids_size(),
                                      petition.update_ids_size() == 1 ? " update" : " updates",
                                      " one by one, for ", TitlesText(titles)));
  }
  return petitions;
}

namespace {

// Fills petitions with records, each within its limits.
class ReturnPacker {
 public:
  void Add(v1::Record record, const v1::ShardDefinition& shard, const v1::Finding& finding) {
    const auto bytes = static_cast<int64_t>(record.ByteSizeLong());
    const bool full = petitions_.empty() || petitions_.back().records_size() == kReturnRecordsMax ||
                      bytes_ + bytes > kReturnBytesMax;
    if (full) {
      Close();
      petitions_.emplace_back().set_kind(v1::PETITION_KIND_RETURN);
    }
    v1::Petition& petition = petitions_.back();
    if (shards_.insert(record.shard_id()).second) *petition.add_shards() = shard;
    *petition.add_records() = std::move(record);
    titles_.push_back(TitleOf(finding));
    bytes_ += bytes;
  }

  std::vector<v1::Petition> Finish() {
    Close();
    return std::move(petitions_);
  }
  size_t petitions() const { return petitions_.size(); }

 private:
  void Close() {
    if (petitions_.empty()) return;
    v1::Petition& petition = petitions_.back();
    petition.set_summary(absl::StrCat("take back ", petition.records_size(),
                                      petition.records_size() == 1 ? " record" : " records",
                                      " that your history lost, about ", TitlesText(titles_)));
    shards_.clear();
    titles_.clear();
    bytes_ = 0;
  }

  std::vector<v1::Petition> petitions_;
  std::set<std::string> shards_;
  std::vector<std::string> titles_;
  int64_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<v1::Petition>> MakeReturns(const CatalogReader& reader,
                                                      const std::vector<v1::Finding>& findings) {
  ReturnPacker packer;
  for (const v1::Finding& finding : findings) {
    ASSIGN_OR_RETURN(const std::vector<RecordKey> kept, KeptRecords(reader, finding));
    for (const RecordKey& key : kept) {
      if (packer.petitions() == kReturnsMax) return packer.Finish();
      ASSIGN_OR_RETURN(v1::Record record, reader.GetRecord(key));
      ASSIGN_OR_RETURN(const ShardId id, ShardId::FromBytes(record.shard_id()));
      ASSIGN_OR_RETURN(ShardInfo shard, reader.Shard(id));
      shard.definition.clear_kept_by();
      record.mutable_key()->clear_kept_by();
      record.set_shard_id(ShardId::Of(shard.definition).bytes());
      packer.Add(std::move(record), shard.definition, finding);
    }
  }
  return packer.Finish();
}

}  // namespace sluice
