#include "upstream/debian/release.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/debian/deb822.h"

namespace sluice::debian {
namespace {

absl::Status Malformed(absl::string_view name, absl::string_view what) {
  return MakeError(v1::REASON_SOURCE_MALFORMED, absl::StrCat(name, ": ", what));
}

std::vector<std::string> Words(absl::string_view value) {
  return absl::StrSplit(value, absl::ByAnyChar(" \t\n"), absl::SkipWhitespace());
}

// As in "Sat, 10 Feb 2024 11:18:58 UTC" (RFC 5322, section 3.3; apt writes UTC or GMT).
absl::StatusOr<absl::Time> ParseDate(absl::string_view name, absl::string_view field,
                                     absl::string_view value) {
  absl::Time time;
  std::string error;
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S UTC", "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S %z"}) {
    if (absl::ParseTime(format, value, &time, &error)) return time;
  }
  return Malformed(name, absl::StrCat(field, ": \"", value, "\" is no date"));
}

absl::Status ParseIndexes(absl::string_view name, absl::string_view value, Release& release) {
  for (const absl::string_view line : Lines(value)) {
    const std::vector<std::string> words = Words(line);
    IndexEntry entry;
    const absl::StatusOr<Digest> digest =
        words.size() == 3 ? Digest::Parse(words[0]) : absl::InvalidArgumentError("");
    if (!digest.ok() || !absl::SimpleAtoi(words[1], &entry.size_bytes) || entry.size_bytes < 0) {
      return Malformed(name, absl::StrCat("SHA256: \"", line, "\" is no digest, size and path"));
    }
    entry.sha256 = *digest;
    release.indexes[words[2]] = entry;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Release> ParseRelease(absl::string_view text, absl::string_view name) {
  Release release;
  bool seen = false;
  RETURN_IF_ERROR(ForEachStanza(text, name, [&](const Stanza& stanza) -> absl::Status {
    if (seen) return Malformed(name, "more than one paragraph");
    seen = true;
    release.origin = std::string(stanza.Get("Origin"));
    release.label = std::string(stanza.Get("Label"));
    release.suite = std::string(stanza.Get("Suite"));
    release.codename = std::string(stanza.Get("Codename"));
    release.version = std::string(stanza.Get("Version"));
    release.acquire_by_hash = stanza.Get("Acquire-By-Hash") == "yes";
    release.components = Words(stanza.Get("Components"));
    release.architectures = Words(stanza.Get("Architectures"));
    if (const absl::string_view date = stanza.Get("Date"); !date.empty()) {
      ASSIGN_OR_RETURN(release.date, ParseDate(name, "Date", date));
    }
    if (const absl::string_view until = stanza.Get("Valid-Until"); !until.empty()) {
      ASSIGN_OR_RETURN(release.valid_until, ParseDate(name, "Valid-Until", until));
    }
    return ParseIndexes(name, stanza.Get("SHA256"), release);
  }));
  if (!seen) return Malformed(name, "is empty");
  if (release.indexes.empty()) return Malformed(name, "lists no SHA256 of any index");
  if (release.codename.empty() && release.suite.empty()) {
    return Malformed(name, "names neither Codename nor Suite");
  }
  return release;
}

}  // namespace sluice::debian
