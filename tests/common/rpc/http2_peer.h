// HTTP/2 peer: sends frames (RFC 9113, section 4.1) as they come to somebody's mind, in plaintext
// or over mutual TLS.
//
// It never waits for an answer. What the server says is taken off the connection and thrown away
// wherever the peer is told to listen, so that the server is not slowed down by a full connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/tls/certificate.h"
#include "common/tls/openssl_objects.h"

namespace sluice {

class Http2Peer {
 public:
  enum FrameType : uint8_t {
    kData = 0,
    kHeaders = 1,
    kResetStream = 3,
    kSettings = 4,
    kContinuation = 9,
  };
  enum Flags : uint8_t { kNone = 0, kEndStream = 1, kEndHeaders = 4 };

  // Connects to "IPv4:port", and says the preface. With a certificate: over TLS, as its owner.
  explicit Http2Peer(const std::string& address,
                     const std::optional<CertificateFiles>& certificate = std::nullopt);
  ~Http2Peer();
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  // False when the server has closed the connection, or takes nothing any more for 5 s.
  bool Send(absl::string_view bytes);

  static std::string Frame(FrameType type, uint8_t flags, uint32_t stream,
                           absl::string_view payload);
  bool SendFrame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
    return Send(Frame(type, flags, stream, payload));
  }

  // Throws away what has come.
  void Listen() const;
  // The same until the server closes the connection. False when it does not within `timeout`.
  bool WaitUntilClosed(absl::Duration timeout) const;

  // HPACK: a literal that is not remembered, with a name of its own (RFC 7541, section 6.2.2). Both
  // are shorter than 127 bytes.
  static std::string Header(absl::string_view name, absl::string_view value);
  // Those of a call of TreeService/ListNodes.
  static std::string CallHeaders(absl::string_view encoding);
  // The frame that begins such a call, in as few bytes as can be: after the one of stream 1, the
  // server takes the headers from its memory (RFC 7541, section 6.1).
  static std::string Call(uint32_t stream);

 private:
  void StartTls(const CertificateFiles& certificate);
  // As send(2).
  int64_t SendSome(absl::string_view bytes) const;

  const int fd_;
  openssl::Context context_;
  openssl::Connection tls_;  // Null: plaintext.
};

}  // namespace sluice
