#include "upstream/debian_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/credentials.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/debian/apt_sources.h"

namespace sluice {

DebianSource::DebianSource(std::string name, config::v1::DebianSource config, Clock& clock,
                           std::string cache_dir)
    : name_(std::move(name)),
      config_(std::move(config)),
      clock_(clock),
      cache_dir_(std::move(cache_dir)) {}

absl::StatusOr<std::vector<debian::RepositoryConfig>> DebianSource::Repositories() const {
  const std::vector<std::string> languages(config_.languages().begin(), config_.languages().end());
  if (config_.from_apt_sources()) {
    ASSIGN_OR_RETURN(debian::AptSources sources,
                     debian::ReadAptSources("/etc/apt", config_.suite_pattern(), languages));
    for (debian::RepositoryConfig& repository : sources.repositories) {
      if (!config_.proxy().empty()) repository.proxy = config_.proxy();
    }
    return std::move(sources.repositories);
  }
  debian::RepositoryConfig repository;
  absl::string_view uri = config_.uri();
  while (!uri.empty() && uri.back() == '/') uri.remove_suffix(1);
  repository.uri = std::string(uri);
  repository.suite = config_.suite();
  repository.components.assign(config_.components().begin(), config_.components().end());
  repository.architectures.assign(config_.architectures().begin(), config_.architectures().end());
  repository.languages = languages;
  repository.keyring = config_.signed_by();
  repository.proxy = config_.proxy();
  return std::vector<debian::RepositoryConfig>{std::move(repository)};
}

absl::StatusOr<SourceReading> DebianSource::Read(const std::string& state, const FactSink& sink,
                                                 std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::vector<debian::RepositoryConfig> configs, Repositories());
  const std::vector<std::string> states = absl::StrSplit(state, '\n');
  const bool comparable = states.size() == configs.size();
  std::vector<debian::Repository> repositories;
  for (const debian::RepositoryConfig& config : configs) {
    repositories.emplace_back(config, fetcher_, clock_, cache_dir_);
  }
  SourceReading reading;
  std::vector<debian::Snapshot> snapshots;
  reading.unchanged = true;
  for (size_t i = 0; i < repositories.size(); ++i) {
    ASSIGN_OR_RETURN(debian::Snapshot snapshot,
                     repositories[i].Read(comparable ? states[i] : "", stop));
    reading.unchanged &= snapshot.unchanged;
    reading.fetched_bytes += snapshot.fetched_bytes;
    snapshots.push_back(std::move(snapshot));
  }
  if (reading.unchanged) return reading;

  std::vector<std::string> new_states;
  DebianMapper mapper(name_);
  for (size_t i = 0; i < repositories.size(); ++i) {
    if (snapshots[i].unchanged) {
      ASSIGN_OR_RETURN(snapshots[i], repositories[i].ReadAll(stop));
      reading.fetched_bytes += snapshots[i].fetched_bytes;
    }
    new_states.push_back(snapshots[i].state);
    mapper.Add(repositories[i].config(), snapshots[i]);
  }
  snapshots.clear();
  RETURN_IF_ERROR(mapper.Finish(sink));
  reading.state = absl::StrJoin(new_states, "\n");
  return reading;
}

absl::Status DebianSource::ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                                    const std::function<absl::Status(absl::string_view)>& sink,
                                    std::stop_token stop) {
  std::string base = origin.base();
  std::string proxy = config_.proxy();
  // The credentials are those of now; none are stored.
  ASSIGN_OR_RETURN(const std::vector<debian::RepositoryConfig> configs, Repositories());
  for (const debian::RepositoryConfig& config : configs) {
    if (WithoutCredentials(config.uri) != WithoutCredentials(base)) continue;
    base = config.uri;
    proxy = config.proxy;
    break;
  }
  const absl::Status status = fetcher_.Fetch({.url = absl::StrCat(base, "/", origin.path()),
                                              .bytes_max = origin.size_bytes() - offset,
                                              .offset = offset,
                                              .proxy = proxy},
                                             sink, stop);
  if (!absl::IsNotFound(status) || ReasonOf(status) != v1::REASON_UNSPECIFIED) return status;
  return MakeError(v1::REASON_CONTENT_SOURCE_GONE, status.message());
}

}  // namespace sluice
