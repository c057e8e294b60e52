#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/rpc/accept_loop.h"
#include "common/rpc/connect_probe.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/listening_socket.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kProbeTimeout = absl::Seconds(2);

class ListeningTest : public ::testing::Test {
 protected:
  ListeningTest() {
    char name[] = "/tmp/sluice-listen-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ListeningTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  ListenAddress Unix(const std::string& name, int mode = 0660) const {
    return {"unix:" + Path(name), RoleSet(), mode};
  }

  std::string folder_;
};

TEST(EndpointTest, ReadsTcpAndUnixAddresses) {
  EXPECT_EQ(ParseEndpoint("hq:8531")->host, "hq");
  EXPECT_EQ(ParseEndpoint("hq:8531")->port, 8531);
  EXPECT_EQ(ParseEndpoint("[::1]:1")->host, "::1");
  EXPECT_EQ(ParseEndpoint("[::1]:1")->Text(), "[::1]:1");
  EXPECT_EQ(ParseEndpoint("unix:/run/a.sock")->unix_path, "/run/a.sock");
  EXPECT_EQ(ParseEndpoint("unix:///run/a.sock")->Text(), "unix:/run/a.sock");
}

TEST(EndpointTest, SaysWhatIsWrong) {
  for (const auto& [text, fault] : {std::pair<std::string, std::string>{"hq", "has no port"},
                                    {"hq:x", "has no valid port"},
                                    {"hq:65536", "has no valid port"},
                                    {":80", "has no host"},
                                    {"::1:80", "has too many colons"},
                                    {"unix:a.sock", "names no absolute path"},
                                    {"unix:/" + std::string(120, 'x'), "more than 107 bytes"}}) {
    const auto endpoint = ParseEndpoint(text);
    EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(endpoint.status().message()), HasSubstr(fault));
  }
}

TEST_F(ListeningTest, FillsInThePortThatTheKernelChose) {
  for (const std::string host : {"127.0.0.1", "[::1]"}) {
    const auto socket = ListeningSocket::Open({host + ":0", RoleSet()});
    ASSERT_TRUE(socket.ok()) << socket.status();
    const auto endpoint = ParseEndpoint((*socket)->address().address);
    ASSERT_TRUE(endpoint.ok());
    EXPECT_NE(endpoint->port, 0);
    EXPECT_TRUE(ProbeConnect(*endpoint, kProbeTimeout).ok());
  }
}

TEST_F(ListeningTest, SetsTheModeOfASocketsFileAndRemovesItAtTheEnd) {
  {
    const auto socket = ListeningSocket::Open(Unix("a.sock", 0600));
    ASSERT_TRUE(socket.ok()) << socket.status();
    struct stat file = {};
    ASSERT_EQ(stat(Path("a.sock").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777u, 0600u);
  }
  EXPECT_FALSE(std::filesystem::exists(Path("a.sock")));
}

TEST_F(ListeningTest, ReplacesASocketToWhichNobodyAnswers) {
  // As left behind by a process that was killed.
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  Path("a.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(Path("a.sock")));
  EXPECT_TRUE(ListeningSocket::Open(Unix("a.sock")).ok());
}

TEST_F(ListeningTest, LeavesASocketAloneOnWhichSomebodyListens) {
  const auto first = ListeningSocket::Open(Unix("a.sock"));
  const auto second = ListeningSocket::Open(Unix("a.sock"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("a.sock is taken"));
  EXPECT_TRUE(ProbeConnect(*ParseEndpoint("unix:" + Path("a.sock")), kProbeTimeout).ok());
}

TEST_F(ListeningTest, ReplacesNoFileThatIsNoSocket) {
  std::ofstream(Path("a.sock")) << "precious";
  const auto socket = ListeningSocket::Open(Unix("a.sock"));
  EXPECT_EQ(socket.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(Path("a.sock")));
}

TEST_F(ListeningTest, LeavesASocketAloneThatReplacedItsOwn) {
  auto first = *ListeningSocket::Open(Unix("a.sock"));
  std::filesystem::remove(Path("a.sock"));
  const auto second = *ListeningSocket::Open(Unix("a.sock"));
  first = nullptr;
  EXPECT_TRUE(std::filesystem::exists(Path("a.sock")));
}

TEST_F(ListeningTest, SaysThatAPortIsTaken) {
  const auto first = *ListeningSocket::Open({"127.0.0.1:0", RoleSet()});
  const auto second = ListeningSocket::Open(first->address());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first->address().address));
}

TEST_F(ListeningTest, ProbesWhatIsTheMatterWithAnAddress) {
  const auto reason = [](const std::string& target) {
    return ReasonOf(ProbeConnect(*ParseEndpoint(target), kProbeTimeout));
  };
  std::string closed;
  { closed = (*ListeningSocket::Open({"127.0.0.1:0", RoleSet()}))->address().address; }
  EXPECT_EQ(reason(closed), v1::REASON_UPSTREAM_CONNECT);
  EXPECT_EQ(reason("unix:" + Path("none.sock")), v1::REASON_UPSTREAM_CONNECT);
  EXPECT_EQ(reason("no-such-host.invalid:1"), v1::REASON_UPSTREAM_DNS);
  EXPECT_EQ(reason("192.0.2.1:1"), v1::REASON_UPSTREAM_TLS);
}

// A connection to a Unix socket, closed at the end.
class Knock {
 public:
  explicit Knock(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Knock() { close(fd_); }
  bool connected() const { return connected_; }
  // Whether the other side has closed; waits for that.
  bool WasRefused() const {
    char byte = 0;
    return recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

// Knocks at "host:port".
class TcpKnock {
 public:
  explicit TcpKnock(const std::string& address) {
    const Endpoint endpoint = *ParseEndpoint(address);
    addrinfo* found = nullptr;
    getaddrinfo(endpoint.host.c_str(), absl::StrCat(endpoint.port).c_str(), nullptr, &found);
    fd_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd_, found->ai_addr, found->ai_addrlen), 0);
    freeaddrinfo(found);
  }
  ~TcpKnock() { close(fd_); }

  int port() const {
    sockaddr_in6 own = {};  // The port of an IPv4 address is at the same place.
    socklen_t size = sizeof(own);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size);
    return ntohs(own.sin6_port);
  }

 private:
  int fd_ = -1;
};

TEST_F(ListeningTest, HandsOutConnectionsWithTheirListener) {
  const auto first = *ListeningSocket::Open(Unix("a.sock"));
  const auto second = *ListeningSocket::Open(Unix("b.sock"));
  std::promise<size_t> index;
  AcceptLoop loop({first->fd(), second->fd()}, {8, 8}, [&index](size_t listener, int fd) {
    close(fd);
    index.set_value(listener);
  });
  const Knock knock(Path("b.sock"));
  EXPECT_EQ(index.get_future().get(), 1u);
}

TEST_F(ListeningTest, RefusesConnectionsAboveTheLimitUntilOneHasEnded) {
  const auto listener = *ListeningSocket::Open(Unix("a.sock"));
  std::promise<int> accepted[2];
  int count = 0;
  AcceptLoop loop({listener->fd()}, {1, 8},
                  [&](size_t, int fd) { accepted[count++].set_value(fd); });
  const Knock first(Path("a.sock"));
  const int held = accepted[0].get_future().get();
  const Knock second(Path("a.sock"));
  EXPECT_TRUE(second.WasRefused());
  close(held);
  const Knock third(Path("a.sock"));
  close(accepted[1].get_future().get());
}

TEST_F(ListeningTest, CutsTheConnectionOfOnePeer) {
  for (const auto& [host, name] :
       {std::pair<std::string, std::string>{"127.0.0.1", "ipv4:127.0.0.1"},
        {"[::1]", "ipv6:%5B::1%5D"}}) {
    const auto listener = ListeningSocket::Open({host + ":0", RoleSet()});
    if (!listener.ok() && host == "[::1]") continue;  // A machine without IPv6.
    ASSERT_TRUE(listener.ok()) << listener.status();
    std::promise<int> accepted[2];
    int count = 0;
    AcceptLoop loop({(*listener)->fd()}, {8, 8},
                    [&](size_t, int fd) { accepted[count++].set_value(fd); });
    const TcpKnock first((*listener)->address().address);
    const int first_fd = accepted[0].get_future().get();
    const TcpKnock second((*listener)->address().address);
    const int second_fd = accepted[1].get_future().get();
    loop.Cut(absl::StrCat(name, ":", first.port()));
    char byte = 0;
    EXPECT_EQ(recv(first_fd, &byte, 1, MSG_DONTWAIT), 0) << host;
    EXPECT_EQ(recv(second_fd, &byte, 1, MSG_DONTWAIT), -1) << host;
    EXPECT_EQ(errno, EAGAIN);
    close(first_fd);
    close(second_fd);
  }
}

TEST_F(ListeningTest, StopsAccepting) {
  const auto listener = *ListeningSocket::Open(Unix("a.sock"));
  AcceptLoop loop({listener->fd()}, {8, 8}, [](size_t, int fd) {
    close(fd);
    ADD_FAILURE() << "accepted after the stop";
  });
  loop.Stop();
  const Knock knock(Path("a.sock"));
  EXPECT_TRUE(knock.connected());  // Into the backlog.
}

}  // namespace
}  // namespace sluice
