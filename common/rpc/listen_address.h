// Listen address: where a server listens, and what callers may do there.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/gate.h"

namespace sluice {

struct ListenAddress {
  // "127.0.0.1:8530", "[::1]:8530" or "unix:/run/sluice/admin.sock". Port 0 lets the kernel choose.
  std::string address;
  RoleSet roles;
  int unix_mode = 0660;  // Of the socket's file.
  // Only callers with a certificate; `roles` bound what theirs allow. Needed where the address is
  // not on this machine alone.
  bool tls = false;
};

}  // namespace sluice
