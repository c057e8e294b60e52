// Debian source: maps repositories in Debian's format to categories and updates
// (docs/architecture.md says how).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "sluice/config/v1/daemon.pb.h"
#include "upstream/debian/repository.h"
#include "upstream/fetch.h"
#include "upstream/update_source.h"

namespace sluice {

// What repositories offer, as categories and updates. Pure: the same packages give the same bytes.
class DebianMapper {
 public:
  explicit DebianMapper(std::string source_name) : source_name_(std::move(source_name)) {}

  void Add(const debian::RepositoryConfig& config, const debian::Snapshot& snapshot);
  // Hands over what was added, and forgets it.
  absl::Status Finish(const FactSink& sink);

 private:
  // An update that is being put together from its binary packages.
  struct Draft {
    v1::Revision revision;
    std::map<std::string, v1::UpdateFile> files;                           // By name and digest.
    std::map<std::string, std::string> synopses;                           // By binary package.
    std::map<std::string, std::map<std::string, std::string>> translated;  // By language.
  };

  // Ends a draft: takes its revision with the origins of its files over into `facts`.
  void FinishDraft(Draft draft, SourceFacts& facts);
  void AddCategories(const std::string& vendor, const std::string& path);
  void AddPackage(const debian::RepositoryConfig& config, const debian::Snapshot& snapshot,
                  const std::string& product, const std::string& component,
                  const debian::BinaryPackage& package);

  const std::string source_name_;
  std::map<std::string, v1::Category> categories_;  // By path.
  std::map<Uuid, Draft> drafts_;
  std::map<Digest, stored::v1::ContentOrigin> origins_;
};

class DebianSource : public UpdateSource {
 public:
  // `cache_dir`: where verified indexes are kept between readings.
  DebianSource(std::string name, config::v1::DebianSource config, Clock& clock,
               std::string cache_dir);

  const std::string& name() const override { return name_; }
  absl::StatusOr<SourceReading> Read(const std::string& state, const FactSink& sink,
                                     std::stop_token stop) override;
  absl::Status ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                        const std::function<absl::Status(absl::string_view)>& sink,
                        std::stop_token stop) override;

 private:
  absl::StatusOr<std::vector<debian::RepositoryConfig>> Repositories() const;

  const std::string name_;
  const config::v1::DebianSource config_;
  Clock& clock_;
  const std::string cache_dir_;
  CurlFetcher fetcher_;
};

}  // namespace sluice
