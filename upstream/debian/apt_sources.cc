#include "upstream/debian/apt_sources.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/credentials.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/debian/deb822.h"
#include "upstream/debian/run_program.h"
#include "upstream/debian/signature.h"

namespace sluice::debian {
namespace {

constexpr absl::string_view kApt = "/usr/bin/apt-get";
constexpr absl::string_view kAptConfig = "/usr/bin/apt-config";
constexpr absl::string_view kTargetFormat =
    "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ARCHITECTURE)";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::string WithoutSlash(absl::string_view uri) {
  while (absl::EndsWith(uri, "/")) uri.remove_suffix(1);
  return std::string(uri);
}

std::vector<std::filesystem::path> FilesIn(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What Signed-By says, by URI and suite.
using SignedBy = std::map<std::pair<std::string, std::string>, std::string>;

// deb [signed-by=/path arch=amd64] URI SUITE COMPONENT...
void ReadOneLine(const std::filesystem::path& path, SignedBy& keys) {
  for (absl::string_view line : absl::StrSplit(ReadFile(path), '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&line, "deb ") && !absl::ConsumePrefix(&line, "deb\t")) continue;
    std::string signed_by;
    const size_t open = line.find('[');
    const size_t close = line.find(']');
    if (open != absl::string_view::npos && close != absl::string_view::npos && open < close) {
      for (absl::string_view option :
           absl::StrSplit(line.substr(open + 1, close - open - 1), ' ', absl::SkipEmpty())) {
        if (absl::ConsumePrefix(&option, "signed-by=")) signed_by = std::string(option);
      }
      line.remove_prefix(close + 1);
    }
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() >= 2) keys[{WithoutSlash(words[0]), words[1]}] = signed_by;
  }
}

absl::Status ReadDeb822(const std::filesystem::path& path, SignedBy& keys) {
  const std::string text = ReadFile(path);
  return ForEachStanza(text, path.string(), [&](const Stanza& stanza) {
    // What apt does not read must not say who signs.
    const std::string enabled = absl::AsciiStrToLower(stanza.Get("Enabled"));
    if (enabled == "no" || enabled == "false" || enabled == "0") return absl::OkStatus();
    const std::vector<absl::string_view> types =
        absl::StrSplit(stanza.Get("Types"), absl::ByAnyChar(" \n\t"), absl::SkipWhitespace());
    if (std::find(types.begin(), types.end(), "deb") == types.end()) return absl::OkStatus();
    for (const absl::string_view uri :
         absl::StrSplit(stanza.Get("URIs"), absl::ByAnyChar(" \n"), absl::SkipWhitespace())) {
      for (const absl::string_view suite :
           absl::StrSplit(stanza.Get("Suites"), absl::ByAnyChar(" \n"), absl::SkipWhitespace())) {
        keys[{WithoutSlash(uri), std::string(suite)}] = std::string(stanza.Get("Signed-By"));
      }
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<SignedBy> ReadSignedBy(const std::string& apt_dir) {
  SignedBy keys;
  ReadOneLine(apt_dir + "/sources.list", keys);
  for (const std::filesystem::path& path : FilesIn(apt_dir + "/sources.list.d")) {
    if (path.extension() == ".list") ReadOneLine(path, keys);
    if (path.extension() == ".sources") RETURN_IF_ERROR(ReadDeb822(path, keys));
  }
  return keys;
}

// All keys that apt trusts for every repository, as one keyring file below `directory`.
absl::StatusOr<std::string> TrustedKeys(const std::string& apt_dir) {
  std::string armored;
  std::vector<std::filesystem::path> files = FilesIn(apt_dir + "/trusted.gpg.d");
  files.emplace_back(apt_dir + "/trusted.gpg");
  for (const std::filesystem::path& path : files) {
    if (path.extension() == ".asc") absl::StrAppend(&armored, ReadFile(path), "\n");
  }
  if (!armored.empty()) return armored;
  for (const std::filesystem::path& path : files) {
    if (path.extension() == ".gpg" && std::filesystem::exists(path)) return path.string();
  }
  return absl::NotFoundError("apt trusts no key");
}

// apt's own proxy for a URI's scheme; DIRECT and nothing are none.
absl::StatusOr<std::string> ProxyFor(const std::string& uri) {
  const std::string scheme = uri.substr(0, uri.find(':'));
  ASSIGN_OR_RETURN(const ProgramResult result,
                   RunProgram({std::string(kAptConfig), "dump", "--format", "%f %v%n",
                               absl::StrCat("Acquire::", scheme, "::Proxy")}));
  for (const absl::string_view line : absl::StrSplit(result.output, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (absl::EndsWithIgnoreCase(parts.first, "::Proxy") && parts.second != "DIRECT") {
      return std::string(parts.second);
    }
  }
  return std::string();
}

// A list of mirrors stands for its first line that can be used.
std::string ResolveList(const std::string& uri) {
  absl::string_view path = uri;
  if (!absl::ConsumePrefix(&path, "mirror+file:")) return uri;
  while (absl::StartsWith(path, "//")) path.remove_prefix(1);
  for (const absl::string_view line : absl::StrSplit(ReadFile(std::string(path)), '\n')) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipWhitespace());
    if (!words.empty() && !absl::StartsWith(words[0], "#")) return WithoutSlash(words[0]);
  }
  return uri;
}

bool IsSupported(absl::string_view uri) {
  return absl::StartsWith(uri, "http://") || absl::StartsWith(uri, "https://") ||
         absl::StartsWith(uri, "file:");
}

void AddOnce(const std::string& value, std::vector<std::string>& values) {
  if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
}

// apt's targets, one a line. It leaves out what it has not updated yet; where that is all, it is
// asked for what it would update.
absl::StatusOr<std::string> ReadTargets(const std::string& apt_dir) {
  std::vector<std::string> command = {std::string(kApt),
                                      "indextargets",
                                      "-o",
                                      absl::StrCat("Dir::Etc=", apt_dir),
                                      "--format",
                                      std::string(kTargetFormat)};
  for (const bool again : {false, true}) {
    if (again) command.push_back("--no-release-info");
    ASSIGN_OR_RETURN(ProgramResult targets, RunProgram(command));
    if (targets.exit_code != 0) {
      return MakeError(
          v1::REASON_SOURCE_UNAVAILABLE,
          absl::StrCat("apt-get indextargets: ", TextWithoutCredentials(targets.errors)));
    }
    if (again || absl::StrContains(targets.output, "Packages|")) return std::move(targets.output);
  }
  return std::string();
}

}  // namespace

absl::StatusOr<AptSources> ReadAptSources(const std::string& apt_dir,
                                          const std::string& suite_pattern,
                                          const std::vector<std::string>& languages) {
  ASSIGN_OR_RETURN(const std::string targets, ReadTargets(apt_dir));
  ASSIGN_OR_RETURN(const SignedBy keys, ReadSignedBy(apt_dir));
  std::map<std::pair<std::string, std::string>, RepositoryConfig> found;
  AptSources sources;
  for (const absl::string_view line : absl::StrSplit(targets, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, '|');
    if (fields.size() != 5 || fields[0] != "Packages") continue;
    const std::string uri = WithoutSlash(fields[1]);
    const std::string& suite = fields[2];
    if (!suite_pattern.empty() && fnmatch(suite_pattern.c_str(), suite.c_str(), 0) != 0) continue;
    const std::string resolved = ResolveList(uri);
    if (!IsSupported(resolved)) {
      AddOnce(WithoutCredentials(uri), sources.skipped);
      continue;
    }
    RepositoryConfig& config = found[{uri, suite}];
    config.uri = resolved;
    config.suite = suite;
    config.languages = languages;
    AddOnce(fields[3], config.components);
    AddOnce(fields[4], config.architectures);
  }
  for (auto& [place, config] : found) {
    const auto key = keys.find(place);
    config.keyring = key == keys.end() ? "" : key->second;
    if (config.keyring.empty()) {
      ASSIGN_OR_RETURN(config.keyring, TrustedKeys(apt_dir));
    }
    ASSIGN_OR_RETURN(config.proxy, ProxyFor(config.uri));
    sources.repositories.push_back(std::move(config));
  }
  if (sources.repositories.empty()) {
    return MakeError(v1::REASON_SOURCE_UNAVAILABLE,
                     absl::StrCat("apt is configured with no suite that matches \"", suite_pattern,
                                  "\"", sources.skipped.empty() ? "" : "; skipped: ",
                                  absl::StrJoin(sources.skipped, ", ")));
  }
  return sources;
}

}  // namespace sluice::debian
