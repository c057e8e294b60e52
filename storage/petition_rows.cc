#include "storage/petition_rows.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr absl::string_view kPetitions = "petition/";
constexpr absl::string_view kPetitionsEnd = "petition0";
constexpr absl::string_view kRecords = "records/";

constexpr size_t kIdBytes = 16;
constexpr size_t kTextBytesMax = 1024;
constexpr size_t kSummaryBytesMax = 4096;
constexpr size_t kNameBytesMax = 512;
constexpr int kNamesMax = 1000;
constexpr int kUpdatesMax = 1000;
constexpr int kDictionariesMax = 64;

absl::Status Wrong(absl::string_view field, absl::string_view what) {
  return InvalidRequest({{absl::StrCat("petition.", field), std::string(what)}});
}

absl::Status CheckNames(absl::string_view field,
                        const google::protobuf::RepeatedPtrField<std::string>& names) {
  if (names.size() > kNamesMax) return Wrong(field, "holds more than 1,000 names");
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kNameBytesMax) {
      return Wrong(field, "holds an empty name, or one of more than 512 bytes");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckWiden(const v1::Petition& petition) {
  const v1::Subscription& added = petition.subscription();
  RETURN_IF_ERROR(CheckNames("subscription.products", added.products()));
  RETURN_IF_ERROR(CheckNames("subscription.classifications", added.classifications()));
  RETURN_IF_ERROR(CheckNames("subscription.languages", added.languages()));
  if (!added.update_ids().empty()) return Wrong("subscription.update_ids", "is for kind PIN");
  if (added.products().empty() && added.classifications().empty() && added.languages().empty()) {
    return Wrong("subscription", "is empty");
  }
  return absl::OkStatus();
}

absl::Status CheckPin(const v1::Petition& petition) {
  if (petition.update_ids().empty() || petition.update_ids_size() > kUpdatesMax) {
    return Wrong("update_ids", "must hold 1 to 1,000 ids");
  }
  const bool ids = std::all_of(petition.update_ids().begin(), petition.update_ids().end(),
                               [](const std::string& id) { return id.size() == kIdBytes; });
  return ids ? absl::OkStatus() : Wrong("update_ids", "holds what is not 16 bytes");
}

absl::Status CheckReturn(const v1::Petition& petition) {
  if (petition.records().empty() || petition.records_size() > kReturnRecordsMax) {
    return Wrong("records", "must hold 1 to 512 records");
  }
  std::map<std::string, const v1::ShardDefinition*> shards;
  for (const v1::ShardDefinition& shard : petition.shards()) {
    shards.emplace(ShardId::Of(shard).bytes(), &shard);
  }
  for (int i = 0; i < petition.records_size(); ++i) {
    const v1::Record& record = petition.records(i);
    const std::string field = absl::StrCat("records[", i, "]");
    const auto shard = shards.find(record.shard_id());
    if (shard == shards.end()) return Wrong(field, "came without its shard's definition");
    if (!record.key().kept_by().empty()) return Wrong(field, "is somebody's kept record");
    if (record.state() != v1::RECORD_STATE_PRESENT) return Wrong(field, "is no fact that holds");
    if (record.key().kind() == v1::RECORD_KIND_SITE) return Wrong(field, "is a site's own");
    const absl::Status checked = CheckRecord(record, *shard->second).status();
    if (!checked.ok()) return Wrong(field, checked.message());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPetition(const v1::Petition& petition) {
  if (!Uuid::Parse(petition.petition_id()).ok()) return Wrong("petition_id", "is no UUID");
  if (petition.node_id().size() != kIdBytes) return Wrong("node_id", "is not 16 bytes");
  if (petition.comment().size() > kTextBytesMax) return Wrong("comment", "is longer than 1 KiB");
  if (petition.asked_by().size() > kTextBytesMax) return Wrong("asked_by", "is longer than 1 KiB");
  if (petition.node_name().size() > kNameBytesMax) {
    return Wrong("node_name", "is longer than 512 bytes");
  }
  if (petition.summary().size() > kSummaryBytesMax) {
    return Wrong("summary", "is longer than 4 KiB");
  }
  if (petition.dictionaries_size() > kDictionariesMax) {
    return Wrong("dictionaries", "holds more than 64");
  }
  constexpr int64_t kRestBytes = int64_t{1} << 18;
  if (static_cast<int64_t>(petition.ByteSizeLong()) > kReturnBytesMax + kRestBytes) {
    return Wrong("records", "are larger than 1 MiB together");
  }
  switch (petition.kind()) {
    case v1::PETITION_KIND_WIDEN:
      return CheckWiden(petition);
    case v1::PETITION_KIND_PIN:
      return CheckPin(petition);
    case v1::PETITION_KIND_RETURN:
      return CheckReturn(petition);
    default:
      return Wrong("kind", "is none that this node knows");
  }
}

bool IsOpen(const v1::Petition& petition) {
  return petition.state() == v1::PETITION_STATE_WAITING ||
         petition.state() == v1::PETITION_STATE_FORWARDED;
}

absl::StatusOr<std::vector<v1::Petition>> ReadPetitions(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(auto rows, reader.ListRows<v1::Petition>(Family::kPetitions, kPetitions,
                                                            kPetitionsEnd, 4 * kOpenPetitionsMax));
  std::vector<v1::Petition> petitions;
  for (auto& [key, petition] : rows) petitions.push_back(std::move(petition));
  std::stable_sort(
      petitions.begin(), petitions.end(),
      [](const v1::Petition& a, const v1::Petition& b) { return b.asked_at() < a.asked_at(); });
  return petitions;
}

absl::StatusOr<v1::Petition> ReadPetition(const CatalogReader& reader, absl::string_view id) {
  absl::StatusOr<v1::Petition> petition =
      reader.GetRow<v1::Petition>(Family::kPetitions, absl::StrCat(kPetitions, id));
  if (absl::IsNotFound(petition.status())) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND, absl::StrCat("there is no petition ", id));
  }
  RETURN_IF_ERROR(petition.status());
  const absl::StatusOr<v1::Petition> records =
      reader.GetRow<v1::Petition>(Family::kPetitions, absl::StrCat(kRecords, id));
  if (records.ok()) petition->MergeFrom(*records);
  return petition;
}

void PutPetition(const v1::Petition& petition, CatalogChange& change) {
  if (!petition.records().empty()) {
    v1::Petition records;
    *records.mutable_records() = petition.records();
    *records.mutable_shards() = petition.shards();
    *records.mutable_dictionaries() = petition.dictionaries();
    change.PutRow(Family::kPetitions, absl::StrCat(kRecords, petition.petition_id()), records);
  }
  PutPetitionState(petition, change);
}

void PutPetitionState(const v1::Petition& petition, CatalogChange& change) {
  v1::Petition state = petition;
  state.clear_records();
  state.clear_shards();
  state.clear_dictionaries();
  change.PutRow(Family::kPetitions, absl::StrCat(kPetitions, petition.petition_id()), state);
}

void DeletePetition(absl::string_view id, CatalogChange& change) {
  change.DeleteRow(Family::kPetitions, absl::StrCat(kPetitions, id));
  change.DeleteRow(Family::kPetitions, absl::StrCat(kRecords, id));
}

}  // namespace sluice
