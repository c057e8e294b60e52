// Call context: what a handler may know about the call that it answers.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "common/tls/spiffe_id.h"

namespace sluice {

struct CallContext {
  std::string method;  // "/sluice.v1.TreeService/ListNodes"
  std::string peer;    // The caller's address, for messages: "ipv4:127.0.0.1:40312" or "unix:".
  RoleSet roles;       // Granted by the listener, or by the certificate within what it grants.
  // Who calls, by certificate; none on listeners without TLS.
  std::optional<SpiffeId> identity;
  // Without one: "local:127.0.0.1:8530" or "local:unix:/run/sluice/admin.sock", by the listener.
  // Such callers are unverified.
  std::string local_identity;
  absl::Time deadline = absl::InfiniteFuture();  // The caller's, or the server's if that is sooner.
  std::stop_token cancelled;  // Requested when the caller is gone or the server drains.
};

}  // namespace sluice
