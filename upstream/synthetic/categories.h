// Categories: the products and classifications of every made-up catalog.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/uuid.h"
#include "sluice/v1/record.pb.h"

namespace sluice::synthetic {

inline constexpr size_t kClassifications = 19;
// That updates are for; the vendors and families above them are no updates' own.
inline constexpr size_t kProducts = 150;

// Those of language packs, whose files are for one language each.
inline constexpr size_t kLanguagePacks = 5;
inline constexpr size_t kSecurityUpdates = 12;

// The ids, from 0 on.
const Uuid& ClassificationId(size_t classification);
const Uuid& ProductId(size_t product);
// As in "Alder/3/core".
const std::string& ProductPath(size_t product);

// All, parents before children.
std::vector<v1::Category> AllCategories();

}  // namespace sluice::synthetic
