#include "upstream/synthetic/packages.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "upstream/synthetic/categories.h"
#include "upstream/synthetic/draws.h"
#include "upstream/synthetic/texts.h"
#include "upstream/synthetic/update_parts.h"

namespace sluice::synthetic {
namespace {

constexpr uint64_t kVersionsPerPackage = 20;
constexpr std::array<absl::string_view, 4> kSections = {"admin", "libs", "net", "utils"};
constexpr std::array<absl::string_view, 4> kArchitectures = {"all", "amd64", "arm64", "armhf"};
constexpr uint64_t kFileBytesMin = 4 << 10;
constexpr uint64_t kFileBytesMax = 256 << 20;

// What all versions of a package share.
struct Package {
  std::string name;
  size_t product;
  bool in_two_products;
  size_t binaries;
  std::string synopsis;
};

Package DrawPackage(uint64_t seed, uint64_t number) {
  Draws draws(seed, Subject::kPackage, number);
  Package package;
  package.name = absl::StrCat(PackageName(draws), number);
  // The first ones are for one product each, so that also a small catalog has all.
  package.product = number < kProducts ? number : DrawProduct(draws);
  package.in_two_products = draws.Percent(10);
  package.binaries = draws.Percent(25) ? 1 : draws.Between(2, 3);
  package.synopsis = Sentence(draws, kEnglish, draws.Between(120, 200));
  return package;
}

void AddFiles(const Package& package, const std::string& version, bool is_language_pack,
              Draws& draws, v1::Revision& revision) {
  const absl::string_view architecture = kArchitectures[draws.Below(kArchitectures.size())];
  const absl::string_view language = kLanguages[draws.Below(kLanguages.size())];
  for (size_t i = 0; i < package.binaries; ++i) {
    v1::UpdateFile& file = *revision.add_files();
    file.set_sha256(DrawDigest(draws));
    file.set_size_bytes(static_cast<int64_t>(draws.LogBetween(kFileBytesMin, kFileBytesMax)));
    file.set_name(absl::StrCat(package.name,
                               i == 0   ? ""
                               : i == 1 ? "-common"
                                        : "-dev",
                               "_", version, "_", architecture, ".deb"));
    if (is_language_pack) file.add_languages(std::string(language));
    file.set_architecture(std::string(architecture));
    file.set_source_path(
        absl::StrCat("pool/", package.name.substr(0, 1), "/", package.name, "/", file.name()));
  }
}

void AddTexts(const Package& package, const std::string& version, Draws& draws,
              v1::Revision& revision) {
  const std::string title = absl::StrCat(package.name, " ", version);
  // One in five is translated, into one or two further languages.
  const uint64_t translated = draws.Percent(20) ? draws.Between(1, 2) : 0;
  const size_t first = draws.Below(kLanguages.size());
  const size_t second = draws.Below(kLanguages.size());
  for (size_t language = 0; language < kLanguages.size(); ++language) {
    const bool is_translated =
        (translated > 0 && language == first) || (translated > 1 && language == second);
    if (language == kEnglish) {
      AddText(language, title, absl::StrCat(package.name, ": ", package.synopsis), revision);
    } else if (is_translated) {
      AddText(language, title, absl::StrCat(package.name, ": ", Sentence(draws, language, 60)),
              revision);
    }
  }
}

}  // namespace

v1::Revision PackageUpdate(uint64_t seed, uint64_t index) {
  const uint64_t number = index / kVersionsPerPackage;
  const Package package = DrawPackage(seed, number);
  Draws draws(seed, Subject::kUpdate, index);
  const size_t classification = DrawClassification(draws);
  // One after another, for compilers evaluate arguments in different orders.
  const uint64_t major = draws.Between(0, 9);
  const uint64_t patch = draws.Between(0, 30);
  const uint64_t packaging = draws.Between(1, 6);
  const std::string version =
      absl::StrCat(major, ".", index % kVersionsPerPackage, ".", patch, "-", packaging);
  v1::Revision revision;
  revision.set_update_id(UpdateId("packages", seed, index).bytes());
  AddTexts(package, version, draws, revision);
  std::vector<Uuid> products = {ProductId(package.product)};
  if (package.in_two_products) products.push_back(ProductId((package.product + 1) % kProducts));
  AddIds(std::move(products), *revision.mutable_product_ids());
  revision.set_classification_id(ClassificationId(classification).bytes());
  AddAdvisory(classification, draws, revision);
  AddFiles(package, version, classification == kLanguagePacks, draws, revision);
  revision.set_homepage(absl::StrCat("https://", package.name, ".example/"));
  v1::DebianDetails& details = *revision.mutable_debian();
  const std::string& path = ProductPath(package.product);
  const size_t first_slash = path.find('/');
  const size_t last_slash = path.rfind('/');
  details.set_source_package(package.name);
  details.set_source_version(version);
  details.set_section(std::string(kSections[number % kSections.size()]));
  details.set_priority("optional");
  details.set_origin(path.substr(0, first_slash));
  details.set_codename(absl::AsciiStrToLower(path.substr(0, last_slash)));
  details.set_component(path.substr(last_slash + 1));
  return revision;
}

}  // namespace sluice::synthetic
