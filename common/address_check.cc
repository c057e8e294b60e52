#include "common/address_check.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <array>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace sluice {
namespace {

bool IsLoopback(absl::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  if (!absl::StartsWith(host, "127.")) return false;
  for (const char c : host) {
    if (c != '.' && !absl::ascii_isdigit(static_cast<uint8_t>(c))) return false;
  }
  return true;
}

bool IsNumeric(const std::string& host) {
  std::array<uint8_t, sizeof(in6_addr)> bytes{};
  return host == "localhost" || inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

absl::Status CheckUnixPath(absl::string_view path) {
  if (path.empty() || path.front() != '/') {
    return absl::InvalidArgumentError("a Unix socket needs an absolute path, as in \"unix:/path\"");
  }
  constexpr size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kPathBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the socket's path has ", path.size(),
                                                   " bytes; the system allows ", kPathBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostPort> SplitHostPort(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", address, "\" has no port; write it as \"127.0.0.1:8530\" or \"unix:/path\""));
  }
  absl::string_view host = address.substr(0, colon);
  const absl::string_view digits = address.substr(colon + 1);
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) {
      return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" lacks a \"]\""));
    }
  } else if (absl::StrContains(host, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("an IPv6 address needs brackets, as in \"[", host, "]:", digits, "\""));
  }
  int port = 0;
  bool decimal = !digits.empty();
  for (const char c : digits) decimal = decimal && absl::ascii_isdigit(static_cast<uint8_t>(c));
  if (!decimal || !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("port \"", digits, "\" is not a number from 0 to 65535"));
  }
  return HostPort{std::string(host), port};
}

bool IsLocal(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const absl::StatusOr<HostPort> parts = SplitHostPort(address);
  return parts.ok() && IsLoopback(parts->host);
}

absl::Status CheckAddress(absl::string_view address, bool tls, bool for_listening) {
  if (!tls) return CheckLocalAddress(address, for_listening);
  if (absl::StartsWith(address, "unix:")) {
    return absl::InvalidArgumentError("a Unix socket has no TLS; leave tls out");
  }
  return CheckTlsAddress(address, for_listening);
}

absl::Status CheckLocalAddress(absl::string_view address, bool for_listening) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) return CheckUnixPath(path);
  RETURN_IF_ERROR(CheckTlsAddress(address, for_listening));
  if (IsLocal(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", address,
      "\" is not local, which needs TLS; without it there are 127.0.0.1, [::1] and unix:/path"));
}

absl::Status CheckTlsAddress(absl::string_view address, bool for_listening) {
  ASSIGN_OR_RETURN(const HostPort parts, SplitHostPort(address));
  if (parts.port == 0 && !for_listening) {
    return absl::InvalidArgumentError("port 0 cannot be called; only a listener may use it");
  }
  if (parts.host.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" has no host"));
  }
  if (for_listening && !IsNumeric(parts.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", address, "\" names a host; a listener needs its address, as in \"0.0.0.0:8531\""));
  }
  return absl::OkStatus();
}

}  // namespace sluice
