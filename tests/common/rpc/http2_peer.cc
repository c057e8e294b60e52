#include "tests/common/rpc/http2_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr std::pair<absl::string_view, absl::string_view> kCallHeaders[] = {
    {":method", "POST"}, {":scheme", "http"}, {":path", "/sluice.v1.TreeService/ListNodes"},
    {":authority", "x"}, {"te", "trailers"},  {"content-type", "application/grpc"},
};

void AppendBigEndian(uint64_t number, int bytes, std::string& out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((number >> static_cast<unsigned>(shift)) & 0xffU);
  }
}

}  // namespace

Http2Peer::Http2Peer(const std::string& address, const std::optional<CertificateFiles>& certificate)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const std::vector<std::string> parts = absl::StrSplit(address, ':');
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(parts[1])));
  inet_pton(AF_INET, parts[0].c_str(), &to.sin_addr);
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  const timeval patience = {5, 0};
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (certificate.has_value()) StartTls(*certificate);
  Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  SendFrame(kSettings, kNone, 0, "");
}

Http2Peer::~Http2Peer() { close(fd_); }

void Http2Peer::StartTls(const CertificateFiles& certificate) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  const auto key = openssl::ParsePrivateKey(certificate.key);
  const auto chain = openssl::ParseCertificates(certificate.certificate);
  ASSERT_TRUE(key.ok() && chain.ok());
  SSL_CTX_use_certificate(context_.get(), chain->front().get());
  SSL_CTX_use_PrivateKey(context_.get(), key->get());
  static constexpr uint8_t kHttp2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context_.get(), kHttp2, sizeof(kHttp2));
  tls_.reset(SSL_new(context_.get()));
  SSL_set_fd(tls_.get(), fd_);
  ASSERT_EQ(SSL_connect(tls_.get()), 1) << openssl::TakeErrors();
}

int64_t Http2Peer::SendSome(absl::string_view bytes) const {
  if (tls_ == nullptr) return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
}

bool Http2Peer::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const int64_t sent = SendSome(bytes);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string Http2Peer::Frame(FrameType type, uint8_t flags, uint32_t stream,
                             absl::string_view payload) {
  std::string frame;
  AppendBigEndian(payload.size(), 3, frame);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  AppendBigEndian(stream, 4, frame);
  return absl::StrCat(frame, payload);
}

// Past TLS: nothing of what the server says is needed to go on writing.
void Http2Peer::Listen() const {
  char thrown_away[65536];
  while (recv(fd_, thrown_away, sizeof(thrown_away), MSG_DONTWAIT) > 0) {
  }
}

bool Http2Peer::WaitUntilClosed(absl::Duration timeout) const {
  const absl::Time until = absl::Now() + timeout;
  while (absl::Now() < until) {
    pollfd waiting = {fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(until - absl::Now()))) < 1) {
      continue;
    }
    char thrown_away[65536];
    if (recv(fd_, thrown_away, sizeof(thrown_away), 0) <= 0) return true;
  }
  return false;
}

std::string Http2Peer::Header(absl::string_view name, absl::string_view value) {
  std::string field(1, '\0');
  for (const absl::string_view text : {name, value}) {
    field += static_cast<char>(text.size());
    absl::StrAppend(&field, text);
  }
  return field;
}

std::string Http2Peer::Call(uint32_t stream) {
  constexpr char kRemember = 0x40;
  constexpr size_t kRemembered = 0x80;
  constexpr size_t kNewest = 62;
  std::string headers;
  for (size_t i = 0; i < std::size(kCallHeaders); ++i) {
    if (stream == 1) {
      std::string field = Header(kCallHeaders[i].first, kCallHeaders[i].second);
      field[0] = kRemember;
      headers += field;
    } else {
      headers += static_cast<char>(kRemembered | (kNewest + std::size(kCallHeaders) - 1 - i));
    }
  }
  return Frame(kHeaders, kEndHeaders, stream, headers);
}

std::string Http2Peer::CallHeaders(absl::string_view encoding) {
  std::string headers;
  for (const auto& [name, value] : kCallHeaders) headers += Header(name, value);
  return headers + Header("grpc-encoding", encoding);
}

}  // namespace sluice
