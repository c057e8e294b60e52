#include "common/duration_text.h"

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

struct Unit {
  absl::string_view name;
  int64_t milliseconds;
};

// From the largest to the smallest.
constexpr std::array<Unit, 6> kUnits = {
    {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"m", 60000}, {"s", 1000}, {"ms", 1}}};

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not a length of time, as in \"500ms\", \"30s\", \"15 min\", ",
                   "\"2h\" or \"1d 12h\""));
}

// Takes leading characters that satisfy `accept` off `rest`.
template <typename Accept>
absl::string_view TakeWhile(absl::string_view& rest, Accept accept) {
  size_t length = 0;
  while (length < rest.size() && accept(static_cast<unsigned char>(rest[length]))) ++length;
  const absl::string_view taken = rest.substr(0, length);
  rest.remove_prefix(length);
  return taken;
}

int64_t UnitMilliseconds(absl::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return unit.milliseconds;
  }
  return 0;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  if (rest == "0") return absl::ZeroDuration();
  if (rest.empty()) return Malformed(text);
  absl::Duration total = absl::ZeroDuration();
  int64_t previous = INT64_MAX;
  while (!rest.empty()) {
    const absl::string_view number =
        TakeWhile(rest, [](unsigned char c) { return absl::ascii_isdigit(c) || c == '.'; });
    rest = absl::StripLeadingAsciiWhitespace(rest);
    const absl::string_view unit = TakeWhile(rest, absl::ascii_isalpha);
    rest = absl::StripLeadingAsciiWhitespace(rest);
    const int64_t milliseconds = UnitMilliseconds(unit);
    double count = 0;
    if (!number.empty() && unit.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" needs a unit: ms, s, min, h or d"));
    }
    if (!absl::SimpleAtod(number, &count) || milliseconds == 0 || milliseconds >= previous) {
      return Malformed(text);
    }
    previous = milliseconds;
    total += count * absl::Milliseconds(milliseconds);
    if (total > kDurationTextMax) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is longer than ten years"));
    }
  }
  return total;
}

std::string FormatDurationText(absl::Duration duration) {
  int64_t rest = absl::ToInt64Milliseconds(duration);
  std::string text;
  for (const Unit& unit : kUnits) {
    if (unit.name == "m" || rest < unit.milliseconds) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", rest / unit.milliseconds, unit.name);
    rest %= unit.milliseconds;
  }
  return text.empty() ? "0s" : text;
}

}  // namespace sluice
