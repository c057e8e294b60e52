#include "upstream/debian/repository.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/credentials.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/debian/decompress.h"
#include "upstream/debian/signature.h"

namespace sluice::debian {
namespace {

constexpr int64_t kReleaseBytesMax = int64_t{4} << 20;
constexpr int64_t kSignatureBytesMax = int64_t{1} << 20;
constexpr int64_t kIndexBytesMax = int64_t{1} << 30;
constexpr const char* kPackings[] = {".xz", ".gz", ".bz2", ""};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return file ? bytes.str() : "";
}

absl::Status Mismatch(absl::string_view url, absl::string_view what) {
  return MakeError(v1::REASON_SOURCE_MISMATCH, absl::StrCat(url, " ", what));
}

// What a state must be equal in, besides the Release.
std::string ConfigText(const RepositoryConfig& config) {
  return absl::StrCat(
      WithoutCredentials(config.uri), " ", config.suite, " ", absl::StrJoin(config.components, ","),
      " ", absl::StrJoin(config.architectures, ","), " ", absl::StrJoin(config.languages, ","));
}

}  // namespace

Repository::Repository(RepositoryConfig config, Fetcher& fetcher, Clock& clock,
                       std::string cache_dir)
    : config_(std::move(config)),
      fetcher_(fetcher),
      clock_(clock),
      cache_dir_(std::move(cache_dir)) {}

absl::StatusOr<Snapshot> Repository::Read(const std::string& state, std::stop_token stop) {
  Snapshot snapshot;
  ASSIGN_OR_RETURN(const std::string text, FetchRelease(snapshot, stop));
  ASSIGN_OR_RETURN(snapshot.release,
                   ParseRelease(text, absl::StrCat("Release of ", config_.suite)));
  RETURN_IF_ERROR(CheckRelease(snapshot.release));
  snapshot.state = Digest::Of(absl::StrCat(ConfigText(config_), "\n", text)).ToHex();
  snapshot.unchanged = snapshot.state == state;
  if (snapshot.unchanged) return snapshot;

  for (const std::string& component : config_.components) {
    for (const std::string& architecture : config_.architectures) {
      const std::string path = absl::StrCat(component, "/binary-", architecture, "/Packages");
      // Where "all" has no index of its own, its packages are in those of the architectures.
      const bool optional = architecture == "all" && config_.architectures.size() > 1;
      ASSIGN_OR_RETURN(const std::string index, ReadIndex(path, optional, snapshot, stop));
      PackageIndex packages{component, architecture, {}};
      ASSIGN_OR_RETURN(packages.packages, ParsePackages(index, path));
      snapshot.indexes.push_back(std::move(packages));
    }
    for (const std::string& language : config_.languages) {
      if (language == "en") continue;  // The Packages index says it in English.
      const std::string path = absl::StrCat(component, "/i18n/Translation-", language);
      ASSIGN_OR_RETURN(const std::string index, ReadIndex(path, true, snapshot, stop));
      RETURN_IF_ERROR(ParseTranslations(index, path, language, snapshot.translations[language]));
    }
  }
  return snapshot;
}

absl::StatusOr<std::string> Repository::FetchCapped(const std::string& url, int64_t bytes_max,
                                                    Snapshot& snapshot, std::stop_token stop) {
  ASSIGN_OR_RETURN(std::string text, fetcher_.FetchText({.url = url,
                                                         .bytes_max = bytes_max,
                                                         .proxy = config_.proxy,
                                                         .stall_timeout = config_.stall_timeout},
                                                        stop));
  snapshot.fetched_bytes += static_cast<int64_t>(text.size());
  return text;
}

absl::StatusOr<std::string> Repository::FetchRelease(Snapshot& snapshot, std::stop_token stop) {
  const std::string base = absl::StrCat(config_.uri, "/dists/", config_.suite);
  const std::string shown = WithoutCredentials(base);
  const absl::StatusOr<std::string> signed_text =
      FetchCapped(base + "/InRelease", kReleaseBytesMax, snapshot, stop);
  if (signed_text.ok()) {
    return VerifyClearSigned(*signed_text, config_.keyring, shown + "/InRelease");
  }
  if (!absl::IsNotFound(signed_text.status())) return signed_text.status();
  absl::StatusOr<std::string> text =
      FetchCapped(base + "/Release", kReleaseBytesMax, snapshot, stop);
  if (absl::IsNotFound(text.status())) {
    return MakeError(v1::REASON_SOURCE_UNAVAILABLE,
                     absl::StrCat("there is neither InRelease nor Release in ", shown));
  }
  RETURN_IF_ERROR(text.status());
  const absl::StatusOr<std::string> signature =
      FetchCapped(base + "/Release.gpg", kSignatureBytesMax, snapshot, stop);
  if (absl::IsNotFound(signature.status())) {
    return MakeError(v1::REASON_SOURCE_SIGNATURE, absl::StrCat(shown, "/Release is not signed"));
  }
  RETURN_IF_ERROR(signature.status());
  return VerifyDetached(*text, *signature, config_.keyring, shown + "/Release");
}

absl::Status Repository::CheckRelease(const Release& release) const {
  if (config_.suite != release.suite && config_.suite != release.codename) {
    return Mismatch(WithoutCredentials(config_.uri),
                    absl::StrCat("was asked for suite ", config_.suite, " and signs suite ",
                                 release.suite, ", codename ", release.codename));
  }
  if (clock_.Now() > release.valid_until) {
    return MakeError(
        v1::REASON_SOURCE_EXPIRED,
        absl::StrCat("the Release of ", config_.suite, " at ", WithoutCredentials(config_.uri),
                     " was valid until ", absl::FormatTime(release.valid_until)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Repository::ReadIndex(const std::string& path, bool optional,
                                                  Snapshot& snapshot, std::stop_token stop) {
  const std::map<std::string, IndexEntry>& indexes = snapshot.release.indexes;
  const auto plain = indexes.find(path);
  absl::Status missing =
      Mismatch(WithoutCredentials(config_.uri), absl::StrCat("lists no index ", path));
  for (const char* packing : kPackings) {
    const auto entry = indexes.find(path + packing);
    if (entry == indexes.end()) continue;
    const absl::StatusOr<std::string> packed =
        FetchIndex(entry->first, entry->second, snapshot, stop);
    if (absl::IsNotFound(packed.status())) {
      missing = MakeError(v1::REASON_SOURCE_UNAVAILABLE, packed.status().message());
      continue;
    }
    RETURN_IF_ERROR(packed.status());
    const int64_t bytes_max = plain == indexes.end() ? kIndexBytesMax : plain->second.size_bytes;
    ASSIGN_OR_RETURN(std::string text, Decompress(*packed, entry->first, bytes_max));
    if (plain != indexes.end() && Digest::Of(text) != plain->second.sha256) {
      return Mismatch(entry->first, "unpacks to other bytes than the Release says");
    }
    return text;
  }
  if (optional) return std::string();
  return missing;
}

absl::StatusOr<std::string> Repository::FetchIndex(const std::string& path, const IndexEntry& entry,
                                                   Snapshot& snapshot, std::stop_token stop) {
  const std::string cached = absl::StrCat(cache_dir_, "/", entry.sha256.ToHex());
  if (std::string bytes = ReadFile(cached); !bytes.empty() && Digest::Of(bytes) == entry.sha256) {
    return bytes;
  }
  std::string place = path;
  if (snapshot.release.acquire_by_hash) {
    const size_t slash = path.rfind('/');
    place = absl::StrCat(path.substr(0, slash), "/by-hash/SHA256/", entry.sha256.ToHex());
  }
  const std::string url = absl::StrCat(config_.uri, "/dists/", config_.suite, "/", place);
  ASSIGN_OR_RETURN(std::string bytes, FetchCapped(url, entry.size_bytes, snapshot, stop));
  const std::string shown = WithoutCredentials(url);
  if (static_cast<int64_t>(bytes.size()) != entry.size_bytes) {
    return Mismatch(shown, absl::StrCat("has ", bytes.size(), " bytes and not the ",
                                        entry.size_bytes, " that the Release says"));
  }
  if (Digest::Of(bytes) != entry.sha256) {
    return Mismatch(shown, "has another SHA-256 than the Release says");
  }
  // What cannot be kept is fetched again another time.
  std::error_code ignored;
  std::filesystem::create_directories(cache_dir_, ignored);
  std::ofstream(cached, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

}  // namespace sluice::debian
