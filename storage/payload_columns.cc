#include "storage/payload_columns.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status.h"
#include "common/uuid.h"
#include "storage/category_ids.h"
#include "storage/payload.h"
#include "storage/unknown_fields.h"

namespace sluice {
namespace {

constexpr size_t kTitleBytesMax = 512;
constexpr size_t kDescriptionBytesMax = 64 * 1024;
constexpr int kFilesMax = 10'000;
constexpr size_t kCommentBytesMax = 1024;

absl::Status Wrong(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, " ", what));
}

absl::Status CheckId(absl::string_view field, const std::string& id) {
  return Annotate(Uuid::FromBytes(id).status(), field);
}

// Ids are UUIDs in strictly ascending order.
absl::Status CheckIds(absl::string_view field,
                      const google::protobuf::RepeatedPtrField<std::string>& ids) {
  for (const std::string& id : ids) RETURN_IF_ERROR(CheckId(field, id));
  const auto unsorted = std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>());
  return unsorted == ids.end() ? absl::OkStatus() : Wrong(field, "are not sorted and unique");
}

absl::Status CheckSorted(absl::string_view field,
                         const google::protobuf::RepeatedPtrField<std::string>& values) {
  const auto unsorted = std::adjacent_find(values.begin(), values.end(), std::greater_equal<>());
  return unsorted == values.end() ? absl::OkStatus() : Wrong(field, "are not sorted and unique");
}

absl::Status CheckTexts(const v1::Revision& revision) {
  if (revision.texts().empty()) return Wrong("texts", "are empty; a title is required");
  std::string before;
  for (const v1::LocalizedText& text : revision.texts()) {
    if (text.language().empty() || text.language() <= before) {
      return Wrong("texts", "are not sorted by language");
    }
    if (text.title().empty() || text.title().size() > kTitleBytesMax) {
      return Wrong("texts", absl::StrCat("have a title of ", text.title().size(), " bytes; 1 to ",
                                         kTitleBytesMax, " are allowed"));
    }
    if (text.description().size() > kDescriptionBytesMax) {
      return Wrong("texts", "have a description of more than 64 KiB");
    }
    before = text.language();
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const v1::Revision& revision) {
  if (revision.files_size() > kFilesMax) return Wrong("files", "are more than 10,000");
  for (const v1::UpdateFile& file : revision.files()) {
    RETURN_IF_ERROR(Annotate(Digest::FromBytes(file.sha256()).status(), "files"));
    if (file.size_bytes() < 0) return Wrong("files", "have a negative size");
    if (file.name().empty() || absl::StrContains(file.name(), '/') || file.name() == "." ||
        file.name() == "..") {
      return Wrong("files", "have a name that is empty or a path");
    }
    RETURN_IF_ERROR(CheckSorted("files.languages", file.languages()));
  }
  return absl::OkStatus();
}

absl::Status CheckRevisionFields(const v1::Revision& revision) {
  RETURN_IF_ERROR(CheckId("update_id", revision.update_id()));
  RETURN_IF_ERROR(CheckTexts(revision));
  RETURN_IF_ERROR(CheckIds("product_ids", revision.product_ids()));
  RETURN_IF_ERROR(CheckId("classification_id", revision.classification_id()));
  RETURN_IF_ERROR(CheckSorted("kb_articles", revision.kb_articles()));
  RETURN_IF_ERROR(CheckSorted("cves", revision.cves()));
  RETURN_IF_ERROR(CheckIds("supersedes", revision.supersedes()));
  for (const v1::AnyOf& any_of : revision.prerequisites()) {
    RETURN_IF_ERROR(CheckIds("prerequisites", any_of.update_ids()));
  }
  RETURN_IF_ERROR(CheckIds("bundled", revision.bundled()));
  return CheckFiles(revision);
}

void FillDependencies(const v1::Revision& revision, stored::v1::RecordHeader& header) {
  if (revision.bundled().empty() && revision.prerequisites().empty()) return;
  std::set<absl::string_view> ids(revision.bundled().begin(), revision.bundled().end());
  for (const v1::AnyOf& any_of : revision.prerequisites()) {
    ids.insert(any_of.update_ids().begin(), any_of.update_ids().end());
  }
  for (const absl::string_view id : ids) header.add_depends_on(id.data(), id.size());
}

void FillSearchWords(const v1::Revision& revision, std::string& words) {
  for (const std::string& cve : revision.cves()) absl::StrAppend(&words, cve, " ");
  for (const std::string& article : revision.kb_articles()) {
    absl::StrAppend(&words, "kb", article, " ");
  }
  absl::StrAppend(&words, revision.debian().source_package());
  absl::AsciiStrToLower(&words);
}

const std::string& DefaultTitle(const v1::Revision& revision) {
  for (const v1::LocalizedText& text : revision.texts()) {
    if (text.language() == "en") return text.title();
  }
  return revision.texts(0).title();
}

}  // namespace

absl::Status FillColumns(const v1::Category& category, stored::v1::RecordHeader& header) {
  RETURN_IF_ERROR(CheckId("category_id", category.category_id()));
  if (!category.parent_id().empty()) RETURN_IF_ERROR(CheckId("parent_id", category.parent_id()));
  if (category.path().empty() || category.name().empty()) return Wrong("path", "or name is empty");
  header.set_title(category.name());
  header.set_path(category.path());
  header.set_category_kind(category.kind());
  header.set_parent_id(category.parent_id());
  return absl::OkStatus();
}

absl::Status FillColumns(const v1::Revision& revision, stored::v1::RecordHeader& header) {
  RETURN_IF_ERROR(CheckRevisionFields(revision));
  header.set_title(DefaultTitle(revision));
  *header.mutable_product_ids() = revision.product_ids();
  header.set_classification_id(revision.classification_id());
  header.set_severity(revision.severity());
  for (const v1::UpdateFile& file : revision.files()) {
    stored::v1::FileReference& reference = *header.add_files();
    reference.set_sha256(file.sha256());
    reference.set_size_bytes(file.size_bytes());
    *reference.mutable_languages() = file.languages();
  }
  FillDependencies(revision, header);
  FillSearchWords(revision, *header.mutable_search_words());
  return absl::OkStatus();
}

absl::Status FillColumns(const v1::Expiry& expiry, stored::v1::RecordHeader& header) {
  RETURN_IF_ERROR(CheckId("update_id", expiry.update_id()));
  if (!expiry.successor_id().empty())
    RETURN_IF_ERROR(CheckId("successor_id", expiry.successor_id()));
  header.set_title(expiry.reason());
  return absl::OkStatus();
}

absl::Status FillColumns(const v1::TargetGroup& group, stored::v1::RecordHeader& header) {
  RETURN_IF_ERROR(CheckId("group_id", group.group_id()));
  if (!group.parent_id().empty()) RETURN_IF_ERROR(CheckId("parent_id", group.parent_id()));
  if (group.name().empty()) return Wrong("name", "is empty");
  header.set_title(group.name());
  header.set_parent_id(group.parent_id());
  return absl::OkStatus();
}

absl::Status FillColumns(const v1::SiteNotice& notice, stored::v1::RecordHeader& header) {
  RETURN_IF_ERROR(CheckId("node_id", notice.node_id()));
  RETURN_IF_ERROR(CheckId("update_id", notice.update_id()));
  if (!notice.suppressed() && !notice.has_held_until()) {
    return Wrong("suppressed", "and held_until are both unset; it holds nothing back");
  }
  if (notice.comment().size() > kCommentBytesMax) return Wrong("comment", "is over 1 KiB");
  header.add_depends_on(notice.update_id());
  return absl::OkStatus();
}

void CopyClearFields(const v1::Record& record, stored::v1::RecordHeader& header) {
  header.set_state(record.state());
  *header.mutable_stamp() = record.stamp();
  header.set_shard_id(record.shard_id());
  header.set_digest(record.digest());
  header.set_codec(record.codec());
  header.set_payload_bytes(record.payload_bytes());
  if (record.has_statement()) *header.mutable_statement() = record.statement();
  KeepUnknownFields(record, header);
}

v1::StreamKind StreamOf(v1::RecordKind kind) {
  switch (kind) {
    case v1::RECORD_KIND_CATEGORY:
    case v1::RECORD_KIND_REVISION:
    case v1::RECORD_KIND_EXPIRY:
      return v1::STREAM_KIND_CATALOG;
    case v1::RECORD_KIND_POLICY:
    case v1::RECORD_KIND_TARGET_GROUP:
    case v1::RECORD_KIND_RULE:
      return v1::STREAM_KIND_POLICY;
    case v1::RECORD_KIND_SITE:
      return v1::STREAM_KIND_SITE;
    default:
      return v1::STREAM_KIND_UNSPECIFIED;
  }
}

v1::ShardDefinition ShardOfRevision(const v1::Revision& revision) {
  v1::ShardDefinition shard;
  shard.set_stream(v1::STREAM_KIND_CATALOG);
  *shard.mutable_product_ids() = revision.product_ids();
  shard.set_classification_id(revision.classification_id());
  std::set<std::string> languages;
  for (const v1::UpdateFile& file : revision.files()) {
    // One file for everybody makes the payload of interest to everybody.
    if (file.languages().empty()) return shard;
    languages.insert(file.languages().begin(), file.languages().end());
  }
  shard.mutable_languages()->Add(languages.begin(), languages.end());
  return shard;
}

v1::ShardDefinition AlwaysShard(v1::StreamKind stream) {
  v1::ShardDefinition shard;
  shard.set_stream(stream);
  shard.set_always(true);
  return shard;
}

Uuid SiteNoticeId(const Uuid& node, const Uuid& update) {
  return Uuid::FromName(IdNamespace(), absl::StrCat("site:", node.ToString(), update.ToString()));
}

v1::ShardDefinition SiteShard(const Uuid& node) {
  v1::ShardDefinition shard;
  shard.set_stream(v1::STREAM_KIND_SITE);
  shard.set_site_node_id(node.bytes());
  return shard;
}

v1::ShardDefinition ShardInStream(v1::ShardDefinition shard_of_revision, v1::StreamKind stream) {
  shard_of_revision.set_stream(stream);
  return shard_of_revision;
}

}  // namespace sluice
