// Content server: what a node answers to those who want file bytes. Free of transport.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "sluice/v1/content_service.pb.h"
#include "storage/content_store.h"
#include "upstream/content_demand.h"

namespace sluice {

// One part of a file on its way out: the message up to its last field's bytes, and those bytes,
// shared and not copied.
struct ContentChunk {
  std::string head;
  std::shared_ptr<const std::string> data;
};

// Reads one file from an offset to its end, chunk by chunk, as fast as somebody pulls.
class ContentFeed {
 public:
  ContentFeed(ContentStore& store, ContentInfo info, int64_t offset)
      : store_(&store), info_(info), offset_(offset) {}

  // The next chunk; none at the end. Errors: DATA_LOSS the stored file is shorter than it was.
  absl::StatusOr<std::optional<ContentChunk>> Next();

 private:
  ContentStore* store_;
  ContentInfo info_;
  int64_t offset_;
};

// One request for files that may not be here yet: answered as soon as one of them is ready or
// failed, or the time is over.
class ContentWait {
 public:
  ContentWait(ContentDemand& demand, std::vector<Digest> digests, absl::Time until);

  // The answer, or none while there is nothing to say.
  std::optional<v1::RequestResponse> Poll(absl::Time now);
  absl::Time until() const { return until_; }

 private:
  ContentDemand* demand_;
  std::vector<Digest> digests_;
  absl::Time until_;
};

class ContentServer {
 public:
  ContentServer(ContentStore& store, ContentDemand& demand, Clock& clock);

  absl::StatusOr<v1::FindMissingResponse> FindMissing(const v1::FindMissingRequest& request);
  absl::StatusOr<v1::FindRepresentationsResponse> FindRepresentations(
      const v1::FindRepresentationsRequest& request);
  absl::StatusOr<ContentFeed> Read(const v1::ReadRequest& request);
  absl::StatusOr<ContentWait> Request(const v1::RequestRequest& request);
  ContentDemand& demand() { return demand_; }

 private:
  ContentStore& store_;
  ContentDemand& demand_;
  Clock& clock_;
};

}  // namespace sluice
