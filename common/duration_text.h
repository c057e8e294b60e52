// Duration text: lengths of time as people write them in configuration files and on the command
// line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice {

// The longest length of time that can be written: ten years of 365 days.
inline constexpr absl::Duration kDurationTextMax = absl::Hours(24 * 3650);

// Reads a number and its unit, or several of them from the largest to the smallest: "500ms", "30s",
// "15 min", "2h", "1.5 h", "1d 12h". Units are ms, s, min (or m), h, d (24 hours). "0" alone needs
// no unit.
//
// Errors: INVALID_ARGUMENT not of that form, negative, or longer than `kDurationTextMax`.
absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text);

// The shortest form that `ParseDurationText` reads back to the same, to the millisecond: "1h
// 30min", "500ms", "0s".
std::string FormatDurationText(absl::Duration duration);

}  // namespace sluice
