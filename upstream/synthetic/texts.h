// Texts: made-up names and sentences that compress like real ones.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "upstream/synthetic/draws.h"

namespace sluice::synthetic {

// BCP 47, sorted.
inline constexpr std::array<absl::string_view, 10> kLanguages = {
    "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt-BR", "zh-CN"};
inline constexpr size_t kEnglish = 1;

// As in "libkarsto-tools".
std::string PackageName(Draws& draws);

// Words of `kLanguages[language]`, at least one and at least `bytes_min` bytes of them.
std::string Sentence(Draws& draws, size_t language, size_t bytes_min);

}  // namespace sluice::synthetic
