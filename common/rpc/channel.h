// Channel: calls another process over gRPC, by the methods' names.
//
// Errors carry what the other side sent (common/errors.h reads it). When the other side was not
// reached, the reason says what is the matter: UPSTREAM_DNS, UPSTREAM_CONNECT or UPSTREAM_TLS, and
// the message names the target. Proxies of the environment are never used.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/client_stream.h"
#include "common/tls/certificate.h"
#include "google/protobuf/message.h"

namespace sluice {

struct ChannelOptions {
  // With one: TLS, and only nodes of the certificate's trust domain are called. Needed where the
  // target is not on this machine.
  std::optional<CertificatePaths> certificate;
  // The node that must answer, whatever names its certificate is for. Unset: any node whose
  // certificate is for the target's host.
  std::optional<std::string> node_id;
  absl::Duration connect_timeout = absl::Seconds(10);
  int64_t received_message_bytes_max = int64_t{4} << 20;
  std::string user_agent = "sluice";
};

struct CallOptions {
  // A unary call without a deadline gets one of 60 s; a stream has none.
  absl::Time deadline = absl::InfiniteFuture();
  // A blocking stream ends with UPSTREAM_STALLED when its next message takes longer.
  absl::Duration progress_timeout = absl::InfiniteDuration();
  // Waits for a connection, until the deadline, where a call else fails at once.
  bool wait_for_ready = false;
  // Cancels the call when a stop is requested.
  std::stop_token stop;
};

// Connects when first called, and again when the connection broke. Thread-safe.
class Channel {
 public:
  // `target` is "host:port", without a certificate on loopback, or "unix:/path".
  //
  // Errors: INVALID_ARGUMENT the target is malformed; those of reading the certificate.
  static absl::StatusOr<std::unique_ptr<Channel>> Create(absl::string_view target,
                                                         ChannelOptions options = {});

  // Streams may outlive their channel.
  ~Channel();

  // Calls and waits. Methods are named "sluice.v1.TreeService/ListNodes", with or without a slash
  // in front.
  absl::Status Unary(absl::string_view method, const google::protobuf::Message& request,
                     google::protobuf::Message& response, const CallOptions& options = {});

  template <typename Req, typename Res>
  absl::StatusOr<Res> Unary(absl::string_view method, const Req& request,
                            const CallOptions& options = {}) {
    Res response;
    const absl::Status status = Unary(method, request, response, options);
    if (!status.ok()) return status;
    return response;
  }

  // Opens a call of any kind for a thread that may block.
  std::unique_ptr<ClientStream> Open(absl::string_view method, const CallOptions& options = {});

  // Opens a server stream for a thread that may block.
  std::unique_ptr<ClientStream> OpenRead(absl::string_view method,
                                         const google::protobuf::Message& request,
                                         const CallOptions& options = {});

  // Opens a server stream that calls `receiver`, which must live until its OnDone has returned.
  std::unique_ptr<StreamHandle> Subscribe(absl::string_view method,
                                          const google::protobuf::Message& request,
                                          StreamReceiver& receiver,
                                          const CallOptions& options = {});

  // As given to `Create`.
  const std::string& target() const;

 private:
  class Impl;
  explicit Channel(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
