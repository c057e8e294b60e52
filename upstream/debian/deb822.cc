#include "upstream/debian/deb822.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "common/status.h"

namespace sluice::debian {
namespace {

constexpr size_t kFieldsMax = 1000;

absl::Status Malformed(absl::string_view name, int64_t line, absl::string_view what) {
  return MakeError(v1::REASON_SOURCE_MALFORMED, absl::StrCat(name, ":", line, ": ", what));
}

}  // namespace

absl::string_view Stanza::Get(absl::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (absl::EqualsIgnoreCase(field, name)) return value;
  }
  return "";
}

absl::Status ForEachStanza(absl::string_view text, absl::string_view name,
                           const std::function<absl::Status(const Stanza&)>& visit) {
  Stanza stanza;
  int64_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    absl::string_view line = text.substr(0, end);
    const char* const line_begin = line.data();
    text.remove_prefix(std::min(end + 1, text.size()));
    if (absl::EndsWith(line, "\r")) line.remove_suffix(1);
    if (absl::StripAsciiWhitespace(line).empty()) {
      if (!stanza.empty()) RETURN_IF_ERROR(visit(stanza));
      stanza.fields_.clear();
      continue;
    }
    if (line.front() == '#') continue;
    if (line.front() == ' ' || line.front() == '\t') {
      if (stanza.empty()) return Malformed(name, number, "a continuation line of no field");
      // The value grows over this line: all of it is one piece of the text.
      absl::string_view& value = stanza.fields_.back().second;
      value = absl::string_view(value.data(),
                                static_cast<size_t>(line_begin - value.data()) + line.size());
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || colon == 0) {
      return Malformed(name, number, "a line that is no field");
    }
    if (stanza.fields_.size() == kFieldsMax) return Malformed(name, number, "too many fields");
    absl::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
      value.remove_prefix(1);
    }
    stanza.fields_.emplace_back(line.substr(0, colon), value);
  }
  return stanza.empty() ? absl::OkStatus() : visit(stanza);
}

std::vector<absl::string_view> Lines(absl::string_view value) {
  std::vector<absl::string_view> lines;
  for (absl::string_view line : absl::StrSplit(value, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

}  // namespace sluice::debian
