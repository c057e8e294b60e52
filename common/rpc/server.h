// Server: serves a router's methods over gRPC: in plaintext on loopback and Unix sockets, with
// mutual TLS everywhere.
//
// The one place where the gate, deadlines, limits, error mapping and the observer are applied;
// handlers know nothing of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/call_context.h"
#include "common/rpc/call_observer.h"
#include "common/rpc/gate.h"
#include "common/rpc/health.h"
#include "common/rpc/listen_address.h"
#include "common/rpc/router.h"
#include "common/tls/certificate.h"
#include "common/tls/spiffe_id.h"

namespace sluice {

// To be called first in `main`, of callers too, before any thread exists: chooses gRPC's
// experiments, starts gRPC for as long as the process lives, and ignores SIGPIPE.
void PrepareProcess();

// What listeners with TLS need.
struct ServerTls {
  CertificatePaths certificate;
  std::string trust_domain;  // Of the certificate; callers must be of the same.
  // What a caller's identity allows. Called for each call, from any thread.
  std::function<RoleSet(const SpiffeId&)> roles_of;
  // How often the files are looked at for new ones; whole seconds.
  absl::Duration look_again = absl::Seconds(5);
};

struct ServerOptions {
  int worker_threads = 8;
  // By identity with TLS, by connection on other TCP; Unix sockets do not tell peers apart.
  int calls_per_peer_max = 64;
  int streams_per_connection_max = 256;
  int connections_max = 1024;
  int connections_per_address_max = 256;
  absl::Duration handshake_timeout = absl::Seconds(10);
  int64_t received_message_bytes_max = int64_t{4} << 20;
  absl::Duration unary_deadline = absl::Seconds(60);
  absl::Duration stalled_write_timeout = absl::Seconds(30);
  absl::Duration connection_age = absl::Minutes(30);
  absl::Duration connection_age_grace = absl::Minutes(10);
  std::optional<ServerTls> tls;
  HealthBoard* health = nullptr;  // Told when draining begins. May be null.
  // Told of each call that the gate refused, before the caller is answered; on a thread that may
  // block. May be empty.
  std::function<void(const CallContext& context, const absl::Status& denial)> on_denied;
  // Told of each connection just before it is ended, for having far more calls open than streams
  // are allowed; on any thread. May be empty.
  std::function<void(const std::string& peer)> on_cut;
  // Told of every call, with methods of this server's router. May be null.
  CallObserver* observer = nullptr;
};

class Server {
 public:
  // Listens and serves. `router`, and what its handlers use, must outlive the server, and no method
  // may be added any more.
  //
  // Errors:
  //   INVALID_ARGUMENT     an address is malformed.
  //   FAILED_PRECONDITION  an address is neither loopback nor a Unix socket: "TLS is needed on
  //                        ..."; or a listener with TLS finds no certificate in the options.
  //   ALREADY_EXISTS       an address is taken; the message names it.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Router& router, ServerOptions options,
                                                       const std::vector<ListenAddress>& listeners);

  // Drains at once.
  ~Server();

  // The listeners as they really are, in the order given: ports that the kernel chose are filled
  // in.
  const std::vector<ListenAddress>& addresses() const;

  // Callers' connections that are open now, and how many may be.
  int connections() const;
  int connections_max() const;

  // Takes no more calls, tells health, ends streams with UNAVAILABLE, lets unary calls end until
  // `deadline` and cancels the rest. Returns when no handler runs any more.
  void Drain(absl::Time deadline);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
