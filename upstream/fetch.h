// Fetch: bytes from a URL, over http, https or file. Proxies come from the configuration alone; the
// environment is never asked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice {

struct FetchRequest {
  std::string url;
  // Nothing beyond so many bytes is taken; an answer that has more is refused.
  int64_t bytes_max = 0;
  // First byte wanted.
  int64_t offset = 0;
  std::string proxy;  // "http://host:port"; empty: none.
  // Broken off when hardly anything comes for this long (under 1,000 bytes a second); at least 1 s.
  absl::Duration stall_timeout = absl::Seconds(30);
};

class Fetcher {
 public:
  virtual ~Fetcher() = default;

  // Gives what comes on to `sink`, piece by piece; a failure of the sink ends it with that failure.
  //
  // Errors:
  //   NOT_FOUND                      there is no such file (HTTP 404 or 410).
  //   UNAVAILABLE SOURCE_UNAVAILABLE not reached, broken off, another answer than success.
  //   DATA_LOSS SOURCE_MISMATCH      more than `bytes_max`.
  //   UNAVAILABLE PROXY_AUTH, PROXY_OTHER
  //   CANCELLED                      `stop` was requested.
  virtual absl::Status Fetch(const FetchRequest& request,
                             const std::function<absl::Status(absl::string_view)>& sink,
                             std::stop_token stop) = 0;

  // All of it as text.
  absl::StatusOr<std::string> FetchText(const FetchRequest& request, std::stop_token stop);
};

// By libcurl. May be used by several threads.
class CurlFetcher : public Fetcher {
 public:
  CurlFetcher();
  ~CurlFetcher() override;
  absl::Status Fetch(const FetchRequest& request,
                     const std::function<absl::Status(absl::string_view)>& sink,
                     std::stop_token stop) override;

 private:
  struct Handles;
  const std::unique_ptr<Handles> idle_;  // Connections that can be used again.
};

}  // namespace sluice
