#include "upstream/debian/version_order.h"

#include <utility>

#include "absl/strings/ascii.h"

namespace sluice::debian {
namespace {

struct Parts {
  absl::string_view epoch;
  absl::string_view upstream;
  absl::string_view revision;
};

Parts Split(absl::string_view version) {
  Parts parts;
  if (const size_t colon = version.find(':'); colon != absl::string_view::npos) {
    parts.epoch = version.substr(0, colon);
    version.remove_prefix(colon + 1);
  }
  const size_t hyphen = version.rfind('-');
  parts.upstream = version.substr(0, hyphen);
  if (hyphen != absl::string_view::npos) parts.revision = version.substr(hyphen + 1);
  return parts;
}

// A tilde sorts before everything, even the end; letters before all else.
int Order(char c) {
  if (c == '~') return -1;
  if (absl::ascii_isdigit(static_cast<unsigned char>(c))) return 0;
  if (absl::ascii_isalpha(static_cast<unsigned char>(c))) return c;
  return static_cast<unsigned char>(c) + 256;
}

absl::string_view TakeNumber(absl::string_view& text) {
  while (!text.empty() && text.front() == '0') text.remove_prefix(1);
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits]))) {
    ++digits;
  }
  const absl::string_view number = text.substr(0, digits);
  text.remove_prefix(digits);
  return number;
}

int ComparePart(absl::string_view a, absl::string_view b) {
  const auto at_letter = [](absl::string_view text) {
    return !text.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(text.front()));
  };
  while (!a.empty() || !b.empty()) {
    while (at_letter(a) || at_letter(b)) {
      const int left = a.empty() ? 0 : Order(a.front());
      const int right = b.empty() ? 0 : Order(b.front());
      if (left != right) return left - right;
      if (!a.empty()) a.remove_prefix(1);
      if (!b.empty()) b.remove_prefix(1);
    }
    const absl::string_view left = TakeNumber(a);
    const absl::string_view right = TakeNumber(b);
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    if (const int order = left.compare(right); order != 0) return order;
  }
  return 0;
}

}  // namespace

int CompareVersions(absl::string_view a, absl::string_view b) {
  const Parts left = Split(a);
  const Parts right = Split(b);
  if (const int order = ComparePart(left.epoch, right.epoch); order != 0) return order;
  if (const int order = ComparePart(left.upstream, right.upstream); order != 0) return order;
  return ComparePart(left.revision, right.revision);
}

}  // namespace sluice::debian
