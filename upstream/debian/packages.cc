#include "upstream/debian/packages.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/debian/deb822.h"

namespace sluice::debian {
namespace {

absl::Status Malformed(absl::string_view name, absl::string_view package, absl::string_view what) {
  return MakeError(v1::REASON_SOURCE_MALFORMED,
                   absl::StrCat(name, ": package \"", package, "\": ", what));
}

// Whether the path stays inside of the repository.
bool StaysInside(absl::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "..") return false;
  }
  return true;
}

std::string FirstLine(absl::string_view value) {
  return std::string(value.substr(0, value.find('\n')));
}

// "name (version)", where either differs from the binary package's.
void SetSource(absl::string_view field, BinaryPackage& package) {
  package.source = package.package;
  package.source_version = package.version;
  if (field.empty()) return;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(field, absl::MaxSplits(" (", 1));
  package.source = std::string(parts.first);
  absl::string_view version = parts.second;
  if (absl::ConsumeSuffix(&version, ")")) package.source_version = std::string(version);
}

absl::StatusOr<BinaryPackage> ParsePackage(const Stanza& stanza, absl::string_view name) {
  BinaryPackage package;
  package.package = std::string(stanza.Get("Package"));
  package.version = std::string(stanza.Get("Version"));
  if (package.package.empty() || package.version.empty()) {
    return Malformed(name, package.package, "Package or Version is missing");
  }
  SetSource(stanza.Get("Source"), package);
  package.architecture = std::string(stanza.Get("Architecture"));
  package.filename = std::string(stanza.Get("Filename"));
  if (!StaysInside(package.filename)) {
    return Malformed(name, package.package, "Filename is missing or leads out of the repository");
  }
  if (!absl::SimpleAtoi(stanza.Get("Size"), &package.size_bytes) || package.size_bytes < 0) {
    return Malformed(name, package.package, "Size is no number");
  }
  const absl::StatusOr<Digest> digest = Digest::Parse(stanza.Get("SHA256"));
  if (!digest.ok()) return Malformed(name, package.package, "SHA256 is missing or malformed");
  package.sha256 = *digest;
  package.section = std::string(stanza.Get("Section"));
  package.priority = std::string(stanza.Get("Priority"));
  package.homepage = std::string(stanza.Get("Homepage"));
  package.synopsis = FirstLine(stanza.Get("Description"));
  package.description_md5 = std::string(stanza.Get("Description-md5"));
  return package;
}

}  // namespace

absl::StatusOr<std::vector<BinaryPackage>> ParsePackages(absl::string_view text,
                                                         absl::string_view name) {
  std::vector<BinaryPackage> packages;
  RETURN_IF_ERROR(ForEachStanza(text, name, [&](const Stanza& stanza) -> absl::Status {
    ASSIGN_OR_RETURN(BinaryPackage package, ParsePackage(stanza, name));
    packages.push_back(std::move(package));
    return absl::OkStatus();
  }));
  return packages;
}

absl::Status ParseTranslations(absl::string_view text, absl::string_view name,
                               absl::string_view language, Translations& translations) {
  const std::string field = absl::StrCat("Description-", language);
  return ForEachStanza(text, name, [&](const Stanza& stanza) -> absl::Status {
    const absl::string_view package = stanza.Get("Package");
    const absl::string_view md5 = stanza.Get("Description-md5");
    const absl::string_view description = stanza.Get(field);
    if (package.empty() || md5.empty() || description.empty()) return absl::OkStatus();
    translations.emplace(std::make_pair(std::string(package), std::string(md5)),
                         FirstLine(description));
    return absl::OkStatus();
  });
}

}  // namespace sluice::debian
