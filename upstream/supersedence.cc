#include "upstream/supersedence.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/payload.h"
#include "upstream/debian/version_order.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;

absl::StatusOr<v1::Revision> BodyOf(const CatalogReader& reader, const RecordKey& key) {
  ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(key));
  return UnpackRevision(record);
}

// The word of a Debian source package in a header's search words: the last one.
absl::string_view LastWord(absl::string_view words) {
  const size_t blank = words.rfind(' ');
  return blank == absl::string_view::npos ? words : words.substr(blank + 1);
}

// The newest approved version of each Debian source package, and what is older than it.
class DebianOrder {
 public:
  void AddApproved(const Uuid& update, const v1::Revision& revision) {
    std::string source = DebianSourceOf(revision);
    if (source.empty()) return;
    words_.insert(absl::AsciiStrToLower(revision.debian().source_package()));
    const auto [found, is_first] = newest_.try_emplace(std::move(source));
    const std::string& version = revision.debian().source_version();
    if (!is_first && debian::CompareVersions(found->second.version, version) >= 0) return;
    found->second = {version, update};
  }

  bool empty() const { return newest_.empty(); }

  // By its header alone.
  bool MayConcern(const stored::v1::RecordHeader& header) const {
    return words_.contains(LastWord(header.search_words()));
  }

  std::optional<Uuid> NewerThan(const v1::Revision& revision) const {
    const auto found = newest_.find(DebianSourceOf(revision));
    if (found == newest_.end()) return std::nullopt;
    const int order =
        debian::CompareVersions(revision.debian().source_version(), found->second.version);
    return order < 0 ? std::optional(found->second.update) : std::nullopt;
  }

 private:
  struct Newest {
    std::string version;
    Uuid update;
  };
  absl::flat_hash_set<std::string> words_;
  absl::flat_hash_map<std::string, Newest> newest_;
};

absl::Status AddOlder(const CatalogReader& reader, const DebianOrder& order,
                      std::map<Uuid, Uuid>& superseded) {
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows,
                     reader.List(v1::RECORD_KIND_REVISION, after, kPage));
    for (const RecordColumns& row : rows) {
      if (!order.MayConcern(row.header)) continue;
      ASSIGN_OR_RETURN(const v1::Revision revision, BodyOf(reader, row.key));
      const std::optional<Uuid> newer = order.NewerThan(revision);
      if (newer.has_value()) superseded.emplace(row.key.id, *newer);
    }
    if (rows.size() < kPage) return absl::OkStatus();
    after = rows.back().key.Encode();
  }
}

}  // namespace

std::string DebianSourceOf(const v1::Revision& revision) {
  const v1::DebianDetails& debian = revision.debian();
  if (debian.source_package().empty()) return "";
  return absl::StrCat(debian.origin(), "/", debian.codename(), "/", debian.source_package());
}

absl::StatusOr<std::map<Uuid, Uuid>> SupersededBy(const CatalogReader& reader,
                                                  const std::set<Uuid>& approved) {
  std::map<Uuid, Uuid> superseded;
  DebianOrder order;
  for (const Uuid& update : approved) {
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
    if (absl::IsNotFound(current.status())) continue;
    RETURN_IF_ERROR(current.status());
    ASSIGN_OR_RETURN(const v1::Revision revision, BodyOf(reader, current->key));
    for (const std::string& bytes : revision.supersedes()) {
      ASSIGN_OR_RETURN(const Uuid older, Uuid::FromBytes(bytes));
      if (older != update) superseded.emplace(older, update);
    }
    order.AddApproved(update, revision);
  }
  if (!order.empty()) RETURN_IF_ERROR(AddOlder(reader, order, superseded));
  return superseded;
}

}  // namespace sluice
