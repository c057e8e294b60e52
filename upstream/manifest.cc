#include "upstream/manifest.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/category_ids.h"

namespace sluice {
namespace {

// An update that is named by its UUID, or by the name that its publisher gave it.
Uuid IdOfName(const std::string& name_or_id) {
  const absl::StatusOr<Uuid> id = Uuid::Parse(name_or_id);
  return id.ok() ? *id : Uuid::FromName(IdNamespace(), absl::StrCat("update:", name_or_id));
}

void AddSortedIds(const google::protobuf::RepeatedPtrField<std::string>& names,
                  google::protobuf::RepeatedPtrField<std::string>& ids) {
  std::set<std::string> sorted;
  for (const std::string& name : names) sorted.insert(IdOfName(name).bytes());
  ids.Add(sorted.begin(), sorted.end());
}

void AddSorted(const google::protobuf::RepeatedPtrField<std::string>& values,
               google::protobuf::RepeatedPtrField<std::string>& out) {
  const std::set<std::string> sorted(values.begin(), values.end());
  out.Add(sorted.begin(), sorted.end());
}

void CheckFiles(const v1::UpdateManifest& manifest, std::vector<FieldViolation>& violations) {
  std::set<std::string> paths;
  for (int i = 0; i < manifest.files_size(); ++i) {
    const v1::ManifestFile& file = manifest.files(i);
    const std::string field = absl::StrCat("files[", i, "]");
    const std::vector<absl::string_view> parts = absl::StrSplit(file.path(), '/');
    const bool leads_out = std::any_of(parts.begin(), parts.end(), [](absl::string_view part) {
      return part.empty() || part == "." || part == "..";
    });
    if (leads_out) {
      violations.push_back({field + ".path", absl::StrCat("\"", file.path(),
                                                          "\" must be relative, without \"..\"")});
    }
    if (!paths.insert(file.path()).second) {
      violations.push_back({field + ".path", absl::StrCat("\"", file.path(), "\" is named twice")});
    }
    if (!file.sha256().empty() && !Digest::Parse(file.sha256()).ok()) {
      violations.push_back({field + ".sha256", "must be 64 hexadecimal digits"});
    }
  }
}

}  // namespace

absl::Status CheckManifest(const v1::UpdateManifest& manifest) {
  std::vector<FieldViolation> violations;
  if (manifest.name().empty()) violations.push_back({"name", "is required"});
  if (!manifest.update_id().empty() && !Uuid::Parse(manifest.update_id()).ok()) {
    violations.push_back({"update_id", "must be a UUID"});
  }
  if (manifest.texts().empty()) violations.push_back({"texts", "at least one title is required"});
  std::set<std::string> languages;
  for (int i = 0; i < manifest.texts_size(); ++i) {
    const v1::LocalizedText& text = manifest.texts(i);
    const std::string field = absl::StrCat("texts[", i, "]");
    if (text.language().empty()) violations.push_back({field + ".language", "is required"});
    if (text.title().empty()) violations.push_back({field + ".title", "is required"});
    if (!languages.insert(text.language()).second) {
      violations.push_back({field + ".language", "is named twice"});
    }
  }
  if (manifest.products().empty()) violations.push_back({"products", "at least one is required"});
  for (int i = 0; i < manifest.products_size(); ++i) {
    const std::string& path = manifest.products(i);
    if (path.empty() || absl::StartsWith(path, "/") || absl::EndsWith(path, "/") ||
        absl::StrContains(path, "//")) {
      violations.push_back({absl::StrCat("products[", i, "]"),
                            absl::StrCat("\"", path, "\" must be a path such as Contoso/Agent")});
    }
  }
  if (manifest.classification().empty()) violations.push_back({"classification", "is required"});
  CheckFiles(manifest, violations);
  return violations.empty() ? absl::OkStatus() : InvalidRequest(violations);
}

absl::StatusOr<Uuid> UpdateIdOf(const v1::UpdateManifest& manifest) {
  return manifest.update_id().empty() ? IdOfName(manifest.name())
                                      : Uuid::Parse(manifest.update_id());
}

absl::StatusOr<v1::Revision> RevisionOf(const v1::UpdateManifest& manifest,
                                        const std::vector<MeasuredFile>& files) {
  v1::Revision revision;
  ASSIGN_OR_RETURN(const Uuid id, UpdateIdOf(manifest));
  revision.set_update_id(id.bytes());
  std::map<std::string, v1::LocalizedText> texts;
  for (const v1::LocalizedText& text : manifest.texts()) texts[text.language()] = text;
  for (const auto& [language, text] : texts) *revision.add_texts() = text;
  std::set<std::string> products;
  for (const std::string& path : manifest.products())
    products.insert(ProductIdOfPath(path).bytes());
  revision.mutable_product_ids()->Add(products.begin(), products.end());
  revision.set_classification_id(ClassificationIdOfName(manifest.classification()).bytes());
  revision.set_severity(manifest.severity());
  AddSorted(manifest.kb_articles(), *revision.mutable_kb_articles());
  AddSorted(manifest.cves(), *revision.mutable_cves());
  AddSortedIds(manifest.supersedes(), *revision.mutable_supersedes());
  for (const v1::ManifestAnyOf& any_of : manifest.prerequisites()) {
    AddSortedIds(any_of.any_of(), *revision.add_prerequisites()->mutable_update_ids());
  }
  AddSortedIds(manifest.bundled(), *revision.mutable_bundled());
  revision.set_licence(manifest.licence());
  revision.set_homepage(manifest.homepage());
  std::map<std::string, v1::UpdateFile> sorted;
  for (int i = 0; i < manifest.files_size(); ++i) {
    const v1::ManifestFile& named = manifest.files(i);
    const MeasuredFile& measured = files[static_cast<size_t>(i)];
    v1::UpdateFile file;
    file.set_sha256(measured.digest.bytes());
    file.set_size_bytes(measured.size_bytes);
    file.set_name(FileNameOf(named.path()));
    AddSorted(named.languages(), *file.mutable_languages());
    file.set_architecture(named.architecture());
    sorted[absl::StrCat(file.name(), "\n", file.sha256())] = std::move(file);
  }
  for (auto& [key, file] : sorted) *revision.add_files() = std::move(file);
  return revision;
}

std::vector<v1::Category> CategoriesOf(const v1::UpdateManifest& manifest) {
  std::map<std::string, v1::Category> categories;
  for (const std::string& path : manifest.products()) {
    std::string above;
    for (const absl::string_view name : absl::StrSplit(path, '/')) {
      const std::string here = above.empty() ? std::string(name) : absl::StrCat(above, "/", name);
      v1::Category& category = categories[here];
      category.set_category_id(ProductIdOfPath(here).bytes());
      category.set_kind(above.empty() ? v1::CATEGORY_KIND_VENDOR : v1::CATEGORY_KIND_PRODUCT);
      if (!above.empty()) category.set_parent_id(ProductIdOfPath(above).bytes());
      category.set_path(here);
      category.set_name(std::string(name));
      above = here;
    }
  }
  std::vector<v1::Category> sorted;
  for (auto& [path, category] : categories) sorted.push_back(std::move(category));
  v1::Category& classification = sorted.emplace_back();
  classification.set_category_id(ClassificationIdOfName(manifest.classification()).bytes());
  classification.set_kind(v1::CATEGORY_KIND_CLASSIFICATION);
  classification.set_path(manifest.classification());
  classification.set_name(manifest.classification());
  return sorted;
}

std::string FileNameOf(absl::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace sluice
