#include "downstream/upstream_links.h"

#include "common/status.h"

namespace sluice {

std::vector<v1::UpstreamStatus> ConfiguredUpstreams(const config::v1::DownstreamDaemon& config) {
  std::vector<v1::UpstreamStatus> upstreams;
  const auto add = [&upstreams](const std::string& target, bool tls) {
    v1::UpstreamStatus& upstream = upstreams.emplace_back();
    upstream.set_target(target);
    upstream.set_tls(tls);
    upstream.set_set_by("configuration file");
  };
  add(config.upstream().target(), config.upstream().tls());
  for (const config::v1::FallbackUpstream& fallback : config.fallback_upstreams()) {
    add(fallback.target(), fallback.tls());
  }
  return upstreams;
}

absl::StatusOr<std::vector<v1::UpstreamStatus>> UpstreamsOf(
    const CatalogReader& reader, const std::vector<v1::UpstreamStatus>& configured) {
  const absl::StatusOr<v1::ListUpstreamsResponse> set =
      reader.GetRow<v1::ListUpstreamsResponse>(Family::kSettings, kUpstreamsSetting);
  if (absl::IsNotFound(set.status())) return configured;
  if (!set.ok()) return set.status();
  return std::vector<v1::UpstreamStatus>(set->upstreams().begin(), set->upstreams().end());
}

absl::StatusOr<Channel*> UpstreamLinks::To(const std::string& target, bool tls) {
  MutexLock lock(mutex_);
  std::unique_ptr<Channel>& channel = channels_[{target, tls}];
  if (channel == nullptr) {
    ASSIGN_OR_RETURN(channel, connect_(target, tls));
  }
  return channel.get();
}

absl::StatusOr<std::vector<UpstreamPlace>> UpstreamLinks::Places(
    const std::vector<v1::UpstreamStatus>& upstreams) {
  std::vector<UpstreamPlace> places;
  for (const v1::UpstreamStatus& upstream : upstreams) {
    ASSIGN_OR_RETURN(Channel* const channel, To(upstream.target(), upstream.tls()));
    places.push_back({upstream.target(), upstream.tls(), upstream.set_by(), channel});
  }
  return places;
}

}  // namespace sluice
