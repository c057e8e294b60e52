#include "common/rpc/endpoint.h"

#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sluice {
namespace {

constexpr int kPortMax = 65535;
// The kernel's limit, with the zero at the end.
constexpr size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;

absl::Status Malformed(absl::string_view text, absl::string_view fault) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text, "\" ", fault, "; an address is \"host:port\", \"[::1]:port\" or \"unix:/path\""));
}

absl::StatusOr<Endpoint> ParseUnix(absl::string_view text, absl::string_view path) {
  absl::ConsumePrefix(&path, "//");
  if (!absl::StartsWith(path, "/")) return Malformed(text, "names no absolute path");
  if (path.size() > kUnixPathMax) {
    return Malformed(text, absl::StrCat("has a path of more than ", kUnixPathMax, " bytes"));
  }
  Endpoint endpoint;
  endpoint.unix_path = std::string(path);
  return endpoint;
}

}  // namespace

std::string Endpoint::Text() const {
  if (is_unix()) return absl::StrCat("unix:", unix_path);
  if (absl::StrContains(host, ":")) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text) {
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) return ParseUnix(text, rest);
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(text, "has no port");
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  if (host.empty()) return Malformed(text, "has no host");
  if (!bracketed && absl::StrContains(host, ":")) return Malformed(text, "has too many colons");
  Endpoint endpoint;
  endpoint.host = std::string(host);
  if (!absl::SimpleAtoi(text.substr(colon + 1), &endpoint.port) || endpoint.port < 0 ||
      endpoint.port > kPortMax) {
    return Malformed(text, "has no valid port");
  }
  return endpoint;
}

}  // namespace sluice
