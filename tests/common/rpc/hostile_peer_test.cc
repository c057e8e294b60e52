// A peer that was let in and then misuses HTTP/2: the server stays small, and serves others.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/common/rpc/served_router.h"

namespace sluice {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

// Frames of HTTP/2 (RFC 9113, section 4.1), as they come to somebody's mind.
class Http2Peer {
 public:
  enum FrameType : uint8_t { kData = 0, kHeaders = 1, kSettings = 4, kContinuation = 9 };
  enum Flags : uint8_t { kNone = 0, kEndStream = 1, kEndHeaders = 4 };

  explicit Http2Peer(const std::string& address)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const std::vector<std::string> parts = absl::StrSplit(address, ':');
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(parts[1])));
    inet_pton(AF_INET, parts[0].c_str(), &to.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    const timeval patience = {5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    SendFrame(kSettings, kNone, 0, "");
  }
  ~Http2Peer() { close(fd_); }

  // False when the server has closed the connection, or takes nothing any more.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  bool SendFrame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
    std::string frame;
    for (const int shift : {16, 8, 0}) {
      frame += static_cast<char>((payload.size() >> static_cast<unsigned>(shift)) & 0xffU);
    }
    frame += static_cast<char>(type);
    frame += static_cast<char>(flags);
    for (const int shift : {24, 16, 8, 0}) {
      frame += static_cast<char>((stream >> static_cast<unsigned>(shift)) & 0xffU);
    }
    return Send(absl::StrCat(frame, payload));
  }

  // HPACK: a literal that is not remembered, with a name of its own (RFC 7541, section 6.2.2).
  static std::string Header(absl::string_view name, absl::string_view value) {
    std::string field(1, '\0');
    for (const absl::string_view text : {name, value}) {
      field += static_cast<char>(text.size());
      absl::StrAppend(&field, text);
    }
    return field;
  }
  static std::string CallHeaders(absl::string_view encoding) {
    return absl::StrCat(Header(":method", "POST"), Header(":scheme", "http"),
                        Header(":path", "/sluice.v1.TreeService/ListNodes"),
                        Header(":authority", "x"), Header("te", "trailers"),
                        Header("content-type", "application/grpc"),
                        Header("grpc-encoding", encoding));
  }

 private:
  const int fd_;
};

// Many zeros in few bytes.
std::string GzipOfZeros(int64_t bytes) {
  z_stream stream = {};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  const std::string zeros(kMebibyte, '\0');
  std::string packed;
  std::string part(kMebibyte, '\0');
  for (int64_t done = 0; done <= bytes; done += kMebibyte) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
    stream.avail_in = static_cast<uInt>(zeros.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(part.data());
      stream.avail_out = static_cast<uInt>(part.size());
      deflate(&stream, done + kMebibyte > bytes ? Z_FINISH : Z_NO_FLUSH);
      packed.append(part, 0, part.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return packed;
}

int64_t ResidentBytes() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

class HostilePeerTest : public ServedRouterTest {
 protected:
  HostilePeerTest() {
    Start();
    ExpectServed();
    before_ = ResidentBytes();
  }

  void ExpectServed() {
    v1::ListNodesResponse response;
    const absl::Status status =
        Connect()->Unary(kListNodes, v1::ListNodesRequest(), response, Bounded());
    EXPECT_TRUE(status.ok()) << status;
  }
  void ExpectSmall(int64_t grown_mebibytes_max) {
    EXPECT_LT(ResidentBytes() - before_, grown_mebibytes_max * kMebibyte);
  }
  std::string address() const { return server_->addresses()[0].address; }

  int64_t before_ = 0;
};

TEST_F(HostilePeerTest, UnpacksNoMessage) {
  const std::string bomb = GzipOfZeros(1024 * kMebibyte);
  ASSERT_LT(static_cast<int64_t>(bomb.size()), 2 * kMebibyte);
  before_ = ResidentBytes();
  Http2Peer peer(address());
  peer.SendFrame(Http2Peer::kHeaders, Http2Peer::kEndHeaders, 1, Http2Peer::CallHeaders("gzip"));
  std::string message(1, '\1');
  for (const int shift : {24, 16, 8, 0}) {
    message += static_cast<char>((bomb.size() >> static_cast<unsigned>(shift)) & 0xffU);
  }
  message += bomb;
  constexpr size_t kFrameBytes = 16384;
  for (size_t at = 0; at < message.size(); at += kFrameBytes) {
    const bool last = at + kFrameBytes >= message.size();
    if (!peer.SendFrame(Http2Peer::kData, last ? Http2Peer::kEndStream : Http2Peer::kNone, 1,
                        absl::string_view(message).substr(at, kFrameBytes))) {
      break;
    }
  }
  ExpectServed();
  ExpectSmall(64);
}

// The limit of streams binds only a peer who acknowledges it; what the others cost is bounded by
// what a refused call costs (seen: 400 MiB for 20,000 at once).
TEST_F(HostilePeerTest, OutlivesThousandsOfStreamsOfAPeerThatKnowsNoLimit) {
  Http2Peer peer(address());
  const std::string headers = Http2Peer::CallHeaders("identity");
  for (uint32_t stream = 1; stream < 40'000; stream += 2) {
    if (!peer.SendFrame(Http2Peer::kHeaders, Http2Peer::kEndHeaders, stream, headers)) break;
  }
  ExpectServed();
  EXPECT_LT(ResidentBytes(), 512 * kMebibyte);
}

TEST_F(HostilePeerTest, CollectsNoEndlessHeaders) {
  Http2Peer peer(address());
  peer.SendFrame(Http2Peer::kHeaders, Http2Peer::kNone, 1, Http2Peer::CallHeaders("identity"));
  const std::string more = Http2Peer::Header("x", std::string(100, 'y'));
  std::string block;
  while (block.size() + more.size() < 16'000) block += more;
  for (int i = 0; i < 2000; ++i) {
    if (!peer.SendFrame(Http2Peer::kContinuation, Http2Peer::kNone, 1, block)) break;
  }
  ExpectServed();
  ExpectSmall(128);
}

}  // namespace
}  // namespace sluice
