// Update source: where the root gets updates from. A repository, a folder; whatever can say what it
// offers and hand out files.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"
#include "sluice/stored/v1/stored.pb.h"
#include "sluice/v1/record.pb.h"

namespace sluice {

// Where one file can be had.
struct FileOrigin {
  Digest digest;
  stored::v1::ContentOrigin origin;
};

// Something that the source offers and that could not be taken.
struct SourceProblem {
  std::string item;  // As in "agent.yaml".
  absl::Status status;
};

// All that a source offers at one time.
struct SourceCatalog {
  // Nothing changed since the state that was given; everything else is empty.
  bool unchanged = false;
  // Parents before children.
  std::vector<v1::Category> categories;
  // One for each update.
  std::vector<v1::Revision> revisions;
  std::vector<FileOrigin> files;
  std::vector<SourceProblem> problems;
  // Something that may describe an update could not be read; so what is not listed here may be
  // offered all the same, and nothing counts as vanished.
  bool incomplete = false;
  // To be given to the next reading.
  std::string state;
  // What was fetched for it.
  int64_t fetched_bytes = 0;
};

class UpdateSource {
 public:
  virtual ~UpdateSource() = default;

  // As configured.
  virtual const std::string& name() const = 0;

  // Reads, verifies and maps all that the source offers. `state` is that of the last successful
  // reading; empty: none.
  //
  // Errors: the source is refused as a whole, by one of the reasons SOURCE_... or PROXY_...;
  // nothing of it counts then.
  virtual absl::StatusOr<SourceCatalog> Read(const std::string& state, std::stop_token stop) = 0;

  // Gives the bytes of a file from `offset` on to `sink`, piece by piece; a failure of the sink
  // ends it.
  //
  // Errors:
  //   NOT_FOUND CONTENT_SOURCE_GONE  the source no longer has it.
  virtual absl::Status ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                                const std::function<absl::Status(absl::string_view)>& sink,
                                std::stop_token stop) = 0;
};

}  // namespace sluice
