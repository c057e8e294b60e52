#include "upstream/synthetic/categories.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/category_ids.h"

namespace sluice::synthetic {
namespace {

constexpr std::array<absl::string_view, kClassifications> kClassificationNames = {
    "Applications",     "Connectors",     "Critical Updates", "Definition Updates",
    "Developer Kits",   "Language Packs", "Drivers",          "Driver Sets",
    "Feature Packs",    "Firmware",       "Guidance",         "Packages",
    "Security Updates", "Service Packs",  "Templates",        "Tools",
    "Update Rollups",   "Updates",        "Upgrades"};

constexpr std::array<absl::string_view, 5> kVendors = {"Alder", "Birch", "Cedar", "Larch", "Maple"};
constexpr size_t kReleases = 6;
constexpr std::array<absl::string_view, 5> kParts = {"core", "desktop", "drivers", "extra",
                                                     "server"};
static_assert(kVendors.size() * kReleases * kParts.size() == kProducts);

std::string ReleasePath(size_t product) {
  const size_t release = product / kParts.size();
  return absl::StrCat(kVendors[release / kReleases], "/", release % kReleases + 1);
}

v1::Category MakeProduct(const std::string& path) {
  v1::Category category;
  const size_t slash = path.rfind('/');
  category.set_category_id(ProductIdOfPath(path).bytes());
  category.set_path(path);
  if (slash == std::string::npos) {
    category.set_kind(v1::CATEGORY_KIND_VENDOR);
    category.set_name(path);
  } else {
    category.set_kind(v1::CATEGORY_KIND_PRODUCT);
    category.set_parent_id(ProductIdOfPath(path.substr(0, slash)).bytes());
    category.set_name(path.substr(slash + 1));
  }
  return category;
}

struct Product {
  std::string path;
  Uuid id;
};

const std::array<Product, kProducts>& Products() {
  static const auto* const kAll = [] {
    auto* all = new std::array<Product, kProducts>;
    for (size_t i = 0; i < kProducts; ++i) {
      const std::string path = absl::StrCat(ReleasePath(i), "/", kParts[i % kParts.size()]);
      (*all)[i] = {path, ProductIdOfPath(path)};
    }
    return all;
  }();
  return *kAll;
}

}  // namespace

const Uuid& ClassificationId(size_t classification) {
  static const auto* const kIds = [] {
    auto* ids = new std::array<Uuid, kClassifications>;
    for (size_t i = 0; i < kClassifications; ++i) {
      (*ids)[i] = ClassificationIdOfName(kClassificationNames[i]);
    }
    return ids;
  }();
  return (*kIds)[classification];
}

const Uuid& ProductId(size_t product) { return Products()[product].id; }
const std::string& ProductPath(size_t product) { return Products()[product].path; }

std::vector<v1::Category> AllCategories() {
  std::vector<v1::Category> categories;
  for (const absl::string_view vendor : kVendors) {
    categories.push_back(MakeProduct(std::string(vendor)));
  }
  for (size_t i = 0; i < kProducts; ++i) {
    if (i % kParts.size() == 0) categories.push_back(MakeProduct(ReleasePath(i)));
    categories.push_back(MakeProduct(ProductPath(i)));
  }
  for (const absl::string_view name : kClassificationNames) {
    v1::Category& category = categories.emplace_back();
    category.set_category_id(ClassificationIdOfName(name).bytes());
    category.set_kind(v1::CATEGORY_KIND_CLASSIFICATION);
    category.set_path(std::string(name));
    category.set_name(std::string(name));
  }
  return categories;
}

}  // namespace sluice::synthetic
