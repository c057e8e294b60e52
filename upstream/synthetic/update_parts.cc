#include "upstream/synthetic/update_parts.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/digest.h"
#include "storage/category_ids.h"
#include "upstream/synthetic/categories.h"
#include "upstream/synthetic/texts.h"

namespace sluice::synthetic {
namespace {

constexpr size_t kPackagesClassification = 11;
constexpr size_t kUpdatesClassification = 17;

}  // namespace

Uuid UpdateId(absl::string_view shape, uint64_t seed, uint64_t index) {
  return Uuid::FromName(IdNamespace(), absl::StrCat("synthetic:", shape, ":", seed, ":", index));
}

void AddIds(std::vector<Uuid> ids, google::protobuf::RepeatedPtrField<std::string>& field) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const Uuid& id : ids) *field.Add() = id.bytes();
}

std::string DrawDigest(Draws& draws) {
  std::string digest;
  while (digest.size() < Digest::kSizeBytes) {
    const uint64_t bits = draws.Bits();
    for (int shift = 0; shift < 64; shift += 8) digest.push_back(static_cast<char>(bits >> shift));
  }
  return digest;
}

void AddText(size_t language, std::string title, std::string description, v1::Revision& revision) {
  v1::LocalizedText& text = *revision.add_texts();
  text.set_language(std::string(kLanguages[language]));
  text.set_title(std::move(title));
  text.set_description(std::move(description));
}

void AddAdvisory(size_t classification, Draws& draws, v1::Revision& revision) {
  if (classification != kSecurityUpdates) return;
  revision.set_severity(static_cast<v1::Severity>(draws.Between(1, 4)));
  revision.add_kb_articles(absl::StrCat(draws.Between(5'000'000, 5'099'999)));
  std::set<std::string> cves;
  for (uint64_t left = draws.Between(0, 4); left > 0; --left) {
    // One after another, for compilers evaluate arguments in different orders.
    const uint64_t year = draws.Between(2019, 2026);
    const uint64_t number = draws.Between(1, 49'999);
    cves.insert(absl::StrFormat("CVE-%d-%04d", year, number));
  }
  revision.mutable_cves()->Add(cves.begin(), cves.end());
}

size_t DrawClassification(Draws& draws) {
  const uint64_t percent = draws.Below(100);
  if (percent < 25) return kSecurityUpdates;
  if (percent < 40) return kUpdatesClassification;
  if (percent < 55) return kPackagesClassification;
  return draws.Below(kClassifications);
}

size_t DrawProduct(Draws& draws) {
  const double fraction = draws.Fraction();
  return static_cast<size_t>(fraction * fraction * static_cast<double>(kProducts));
}

}  // namespace sluice::synthetic
