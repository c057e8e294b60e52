// Upstream links: the list of upstreams, as it is configured and as an operator set it, and a
// channel to each.
//
// What an operator sets at run time stands above the configuration until it is cleared.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "downstream/upstream_follower.h"
#include "sluice/config/v1/daemon.pb.h"
#include "sluice/v1/upstream_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

// Where the list is kept that an operator set: Family::kSettings, a v1::ListUpstreamsResponse with
// `target`, `tls` and `set_by`.
inline constexpr absl::string_view kUpstreamsSetting = "upstreams";

// A checked configuration's upstreams, in order of preference.
std::vector<v1::UpstreamStatus> ConfiguredUpstreams(const config::v1::DownstreamDaemon& config);

// Those that an operator set, if any did, else `configured`. Errors: DATA_LOSS.
absl::StatusOr<std::vector<v1::UpstreamStatus>> UpstreamsOf(
    const CatalogReader& reader, const std::vector<v1::UpstreamStatus>& configured);

class UpstreamLinks {
 public:
  using Connect =
      std::function<absl::StatusOr<std::unique_ptr<Channel>>(const std::string& target, bool tls)>;
  explicit UpstreamLinks(Connect connect) : connect_(std::move(connect)) {}

  // The channel to it, which lives as long as this object. Errors: those of `connect`.
  absl::StatusOr<Channel*> To(const std::string& target, bool tls);
  absl::StatusOr<std::vector<UpstreamPlace>> Places(
      const std::vector<v1::UpstreamStatus>& upstreams);

 private:
  const Connect connect_;
  Mutex mutex_;
  std::map<std::pair<std::string, bool>, std::unique_ptr<Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
