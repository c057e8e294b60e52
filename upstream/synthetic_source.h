// Synthetic source: made-up updates, for tests and benchmarks.
//
// A catalog is a function of its shape, its seed and its size: two roots that are configured alike
// offer the same digests. One with more revisions begins with the same ones.
#pragma once

#include <string>

#include "sluice/config/v1/daemon.pb.h"
#include "upstream/update_source.h"

namespace sluice {

class SyntheticSource : public UpdateSource {
 public:
  // `config` is complete.
  SyntheticSource(std::string name, const config::v1::SyntheticSource& config);

  const std::string& name() const override { return name_; }
  absl::StatusOr<SourceReading> Read(const std::string& state, const FactSink& sink,
                                     std::stop_token stop) override;
  // Files of the shape "packages" have no bytes, nor have those that are called "kb...cab".
  absl::Status ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                        const std::function<absl::Status(absl::string_view)>& sink,
                        std::stop_token stop) override;

 private:
  void AddUpdate(uint64_t index, SourceFacts& facts) const;

  const std::string name_;
  const config::v1::SyntheticSource config_;
  const bool documents_;
};

}  // namespace sluice
