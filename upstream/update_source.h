// Update source: where the root gets updates from. A repository, a folder; whatever can say what it
// offers and hand out files.
#pragma once

#include <cstddef>
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

// A part of what a source offers. A catalog is handed over in many of these, so that nobody holds
// all of it.
struct SourceFacts {
  // Parents before children, and before the revisions that name them.
  std::vector<v1::Category> categories;
  // One for each update, over all parts.
  std::vector<v1::Revision> revisions;
  // Of these revisions.
  std::vector<FileOrigin> files;
  std::vector<SourceProblem> problems;
};

// A good size of one part.
inline constexpr size_t kRevisionsPerPart = 512;

// Takes a part in. A failure ends the reading and is what it returns.
using FactSink = std::function<absl::Status(SourceFacts facts)>;

// What a reading came to.
struct SourceReading {
  // Nothing changed since the state that was given; nothing was handed over.
  bool unchanged = false;
  // Something that may describe an update could not be read; so what was not handed over may be
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

  // Reads, verifies and maps all that the source offers, and hands it to `sink` part by part, from
  // this thread. `state` is that of the last successful reading; empty: none.
  //
  // Errors: the source is refused as a whole, by one of the reasons SOURCE_... or PROXY_...,
  // before anything was handed over. What the sink returned.
  virtual absl::StatusOr<SourceReading> Read(const std::string& state, const FactSink& sink,
                                             std::stop_token stop) = 0;

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
