// From Debian's packages to updates: one for each (Origin, Codename, source package, source
// version).
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/credentials.h"
#include "common/status.h"
#include "storage/category_ids.h"
#include "upstream/debian_source.h"

namespace sluice {
namespace {

constexpr size_t kDescriptionBytesMax = 60 * 1024;
constexpr absl::string_view kEnglish = "en";

// The Version up to its first dot or hyphen: "12.11" and "12-updates" are of release "12".
std::string ReleaseNumber(const debian::Release& release) {
  const std::string number = release.version.substr(0, release.version.find_first_of(".-"));
  return number.empty() ? "rolling" : number;
}

std::string CodenameOf(const debian::Release& release) {
  return release.codename.empty() ? release.suite : release.codename;
}

absl::string_view ClassificationOf(const debian::Release& release) {
  for (const std::string& name : {release.codename, release.suite}) {
    if (absl::EndsWith(name, "-security")) return "Security Updates";
    if (absl::EndsWith(name, "-updates")) return "Updates";
  }
  return "Packages";
}

std::string Describe(const std::map<std::string, std::string>& synopses) {
  std::string description;
  for (const auto& [package, synopsis] : synopses) {
    const std::string line = absl::StrCat(package, ": ", synopsis, "\n");
    if (description.size() + line.size() > kDescriptionBytesMax) break;
    description += line;
  }
  if (!description.empty()) description.pop_back();
  return description;
}

}  // namespace

void DebianMapper::AddCategories(const std::string& vendor, const std::string& path) {
  std::string above;
  for (const absl::string_view name : absl::StrSplit(path, '/')) {
    const std::string here = above.empty() ? std::string(name) : absl::StrCat(above, "/", name);
    v1::Category& category = categories_[here];
    category.set_category_id(ProductIdOfPath(here).bytes());
    category.set_kind(here == vendor ? v1::CATEGORY_KIND_VENDOR : v1::CATEGORY_KIND_PRODUCT);
    if (!above.empty()) category.set_parent_id(ProductIdOfPath(above).bytes());
    category.set_path(here);
    category.set_name(std::string(name));
    above = here;
  }
}

void DebianMapper::Add(const debian::RepositoryConfig& config, const debian::Snapshot& snapshot) {
  const debian::Release& release = snapshot.release;
  const std::string vendor = release.origin.empty() ? "Unknown" : release.origin;
  const std::string classification(ClassificationOf(release));
  v1::Category& category = categories_[classification];
  category.set_category_id(ClassificationIdOfName(classification).bytes());
  category.set_kind(v1::CATEGORY_KIND_CLASSIFICATION);
  category.set_path(classification);
  category.set_name(classification);
  for (const debian::PackageIndex& index : snapshot.indexes) {
    const std::string product =
        absl::StrCat(vendor, "/", ReleaseNumber(release), "/", CodenameOf(release), "/",
                     index.component, "/", index.architecture);
    AddCategories(vendor, product);
    for (const debian::BinaryPackage& package : index.packages) {
      AddPackage(config, snapshot, product, index.component, package);
    }
  }
}

void DebianMapper::AddPackage(const debian::RepositoryConfig& config,
                              const debian::Snapshot& snapshot, const std::string& product,
                              const std::string& component, const debian::BinaryPackage& package) {
  const debian::Release& release = snapshot.release;
  const Uuid id = Uuid::FromName(
      IdNamespace(), absl::StrCat("debian:", release.origin, "/", CodenameOf(release), "/",
                                  package.source, "/", package.source_version));
  Draft& draft = drafts_[id];
  v1::Revision& revision = draft.revision;
  if (revision.update_id().empty()) {
    revision.set_update_id(id.bytes());
    revision.set_classification_id(ClassificationIdOfName(ClassificationOf(release)).bytes());
    revision.set_homepage(package.homepage);
    v1::DebianDetails& details = *revision.mutable_debian();
    details.set_source_package(package.source);
    details.set_source_version(package.source_version);
    details.set_section(package.section);
    details.set_priority(package.priority);
    details.set_origin(release.origin);
    details.set_codename(CodenameOf(release));
    details.set_component(component);
  }
  const std::string product_id = ProductIdOfPath(product).bytes();
  auto& products = *revision.mutable_product_ids();
  if (std::find(products.begin(), products.end(), product_id) == products.end()) {
    *products.Add() = product_id;
  }
  v1::UpdateFile file;
  file.set_sha256(package.sha256.bytes());
  file.set_size_bytes(package.size_bytes);
  file.set_name(package.filename.substr(package.filename.rfind('/') + 1));
  file.set_architecture(package.architecture);
  file.set_source_path(package.filename);
  draft.files[absl::StrCat(file.name(), "\n", file.sha256())] = file;
  draft.synopses[package.package] = package.synopsis;
  for (const auto& [language, translations] : snapshot.translations) {
    const auto translated = translations.find({package.package, package.description_md5});
    if (translated != translations.end()) {
      draft.translated[language][package.package] = translated->second;
    }
  }
  stored::v1::ContentOrigin& origin = origins_[package.sha256];
  origin.set_source(source_name_);
  origin.set_base(WithoutCredentials(config.uri));
  origin.set_path(package.filename);
  origin.set_size_bytes(package.size_bytes);
}

absl::Status DebianMapper::Finish(const FactSink& sink) {
  SourceFacts facts;
  for (auto& [path, category] : categories_) facts.categories.push_back(std::move(category));
  categories_.clear();
  while (!drafts_.empty()) {
    FinishDraft(std::move(drafts_.extract(drafts_.begin()).mapped()), facts);
    if (facts.revisions.size() < kRevisionsPerPart) continue;
    RETURN_IF_ERROR(sink(std::exchange(facts, SourceFacts())));
  }
  return sink(std::move(facts));
}

void DebianMapper::FinishDraft(Draft draft, SourceFacts& facts) {
  v1::Revision& revision = draft.revision;
  std::sort(revision.mutable_product_ids()->begin(), revision.mutable_product_ids()->end());
  for (auto& [key, file] : draft.files) {
    // Whichever update names a file first brings its origin.
    const absl::StatusOr<Digest> digest = Digest::FromBytes(file.sha256());
    auto origin = digest.ok() ? origins_.extract(*digest) : decltype(origins_)::node_type();
    if (origin) facts.files.push_back({origin.key(), std::move(origin.mapped())});
    *revision.add_files() = std::move(file);
  }
  const std::string title =
      absl::StrCat(revision.debian().source_package(), " ", revision.debian().source_version());
  std::map<std::string, std::string> descriptions = {
      {std::string(kEnglish), Describe(draft.synopses)}};
  for (const auto& [language, synopses] : draft.translated) {
    // What is not translated is said in English.
    std::map<std::string, std::string> complete = synopses;
    complete.insert(draft.synopses.begin(), draft.synopses.end());
    if (language != kEnglish) descriptions[language] = Describe(complete);
  }
  for (auto& [language, description] : descriptions) {
    v1::LocalizedText& text = *revision.add_texts();
    text.set_language(language);
    text.set_title(title);
    text.set_description(std::move(description));
  }
  facts.revisions.push_back(std::move(revision));
}

}  // namespace sluice
