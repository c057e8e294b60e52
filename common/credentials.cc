#include "common/credentials.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

constexpr absl::string_view kWordEnds = " \t\r\n\"";

// Where user and password would begin; npos: there is no place for them.
size_t BeginOfCredentials(absl::string_view url) {
  const size_t colon = url.find(':');
  const size_t scheme = url.find("://");
  if (scheme == absl::string_view::npos) {
    // "unix:/path" has none; "http:/user..." was meant to.
    const bool is_path = url.substr(std::min(colon, url.size())).substr(0, 2) == ":/";
    if (is_path && !absl::StartsWith(url, "http")) return absl::string_view::npos;
    return colon < url.rfind('@') ? 0 : absl::string_view::npos;
  }
  const size_t begin = scheme + 3;
  const absl::string_view authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const bool possible = authority.find_first_of(":@") != absl::string_view::npos;
  return possible ? begin : absl::string_view::npos;
}

}  // namespace

std::string WithoutCredentials(absl::string_view url) {
  const size_t begin = BeginOfCredentials(url);
  const size_t at = url.rfind('@');
  if (begin == absl::string_view::npos || at == absl::string_view::npos || at < begin) {
    return std::string(url);
  }
  return absl::StrCat(url.substr(0, begin), url.substr(at + 1));
}

std::string TextWithoutCredentials(absl::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const size_t size = std::min(text.find_first_of(kWordEnds), text.size());
    absl::StrAppend(&shown, WithoutCredentials(text.substr(0, size)), text.substr(size, 1));
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return shown;
}

}  // namespace sluice
