#include "common/upstream_target.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/address_check.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr int kFallbacksMax = 7;

}  // namespace

absl::StatusOr<bool> CheckUpstreamTarget(absl::string_view target, std::optional<bool> tls) {
  if (target.empty()) {
    return absl::InvalidArgumentError(
        "is missing; as in \"127.0.0.1:8530\" or \"unix:/run/sluice/node.sock\"");
  }
  const bool unix_socket = absl::StartsWith(target, "unix:");
  const absl::Status local = CheckLocalAddress(target, /*for_listening=*/false);
  const bool with_tls = tls.value_or(!unix_socket && !local.ok());
  if (!with_tls) {
    RETURN_IF_ERROR(local);
    return false;
  }
  if (unix_socket) {
    return absl::InvalidArgumentError("a Unix socket has no TLS; leave tls out");
  }
  RETURN_IF_ERROR(CheckTlsAddress(target, /*for_listening=*/false));
  return true;
}

void CompleteFallbacks(config::v1::DownstreamDaemon& config,
                       absl::FunctionRef<void(absl::string_view, absl::string_view)> mistake) {
  if (config.fallback_upstreams_size() > kFallbacksMax) {
    return mistake("fallback_upstreams", absl::StrCat("at most ", kFallbacksMax, " are possible"));
  }
  absl::flat_hash_map<std::string, std::string> seen = {{config.upstream().target(), "upstream"}};
  for (const config::v1::Listener& listener : config.node().listeners()) {
    if (!listener.address().empty()) seen.emplace(listener.address(), "this node's own listener");
  }
  for (int i = 0; i < config.fallback_upstreams_size(); ++i) {
    config::v1::FallbackUpstream& fallback = *config.mutable_fallback_upstreams(i);
    const std::string path = absl::StrCat("fallback_upstreams[", i, "]");
    const std::string field = absl::StrCat(path, ".target");
    const absl::StatusOr<bool> tls = CheckUpstreamTarget(
        fallback.target(), fallback.has_tls() ? std::optional<bool>(fallback.tls()) : std::nullopt);
    if (!tls.ok()) {
      mistake(field, tls.status().message());
      continue;
    }
    fallback.set_tls(*tls);
    const auto [first, is_new] = seen.emplace(fallback.target(), path);
    if (!is_new)
      mistake(field, absl::StrCat(fallback.target(), " is named already: ", first->second));
  }
}

}  // namespace sluice
