// Directory source: in-house updates from a folder: each "*.yaml" is a manifest, with its files
// beside it.
#pragma once

#include <string>

#include "sluice/config/v1/daemon.pb.h"
#include "sluice/v1/catalog_service.pb.h"
#include "upstream/update_source.h"

namespace sluice {

class DirectorySource : public UpdateSource {
 public:
  DirectorySource(std::string name, const config::v1::DirectorySource& config);

  const std::string& name() const override { return name_; }

  // A manifest that is wrong is a problem of its own and stops no other.
  absl::StatusOr<SourceReading> Read(const std::string& state, const FactSink& sink,
                                     std::stop_token stop) override;
  absl::Status ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                        const std::function<absl::Status(absl::string_view)>& sink,
                        std::stop_token stop) override;

 private:
  absl::Status AddManifest(const std::string& file_name, SourceFacts& facts, std::stop_token stop);

  const std::string name_;
  const std::string path_;
};

}  // namespace sluice
