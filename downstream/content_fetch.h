// Content fetch: brings one file from the node above into the content store, going on where an
// earlier attempt ended.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/digest.h"
#include "common/rpc/channel.h"
#include "storage/content_store.h"

namespace sluice {

struct ContentFetchOptions {
  // Broken off with UPSTREAM_STALLED when nothing comes for this long.
  absl::Duration stall_timeout = absl::Seconds(30);
  // Told of the bytes that came over the wire, as they come.
  std::function<void(int64_t bytes)> on_bytes;
};

// Returns OK when the file is verified and in the store, also when it was there already.
//
// Errors:
//   NOT_FOUND CONTENT_MISSING    the upstream does not have it yet.
//   DATA_LOSS CONTENT_CORRUPT    what came has another digest; nothing of it is kept.
//   CANCELLED                    `stop` was requested; what came is kept for the next time.
//   those of the link and of ContentWriter.
absl::Status FetchContent(Channel& upstream, ContentStore& store, const ContentInfo& file,
                          const ContentFetchOptions& options, std::stop_token stop);

}  // namespace sluice
