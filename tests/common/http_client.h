// HTTP client: a plain connection on which a test says what it likes and reads what comes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace sluice {

class HttpConnection {
 public:
  // `address` is "127.0.0.1:port".
  explicit HttpConnection(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in peer = {};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_port =
        htons(static_cast<uint16_t>(atoi(address.substr(address.rfind(':') + 1).c_str())));
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)), 0) << address;
  }
  ~HttpConnection() { close(fd_); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void Say(absl::string_view text) const { send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }

  // What comes until the other side closes, at most for 20 s; "(silence)" after that.
  std::string ReadToEnd() const {
    std::string all;
    char buffer[65536];
    while (true) {
      pollfd wait = {fd_, POLLIN, 0};
      constexpr int kPatienceMs = 20'000;
      if (poll(&wait, 1, kPatienceMs) <= 0) return all + "(silence)";
      const ssize_t bytes = recv(fd_, buffer, sizeof(buffer), 0);
      if (bytes <= 0) return all;
      all.append(buffer, static_cast<size_t>(bytes));
    }
  }

 private:
  const int fd_;
};

struct HttpAnswer {
  int code = 0;
  std::string head;  // Status line and headers.
  std::string body;
};

// One request on a connection of its own; `more` are further headers, each with its line's end.
inline HttpAnswer Ask(const std::string& address, const std::string& method,
                      const std::string& path, const std::string& more = "") {
  const HttpConnection connection(address);
  connection.Say(absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: ", address,
                              "\r\nConnection: close\r\n", more, "\r\n"));
  const std::string all = connection.ReadToEnd();
  HttpAnswer answer;
  const size_t end = all.find("\r\n\r\n");
  answer.head = all.substr(0, end);
  if (end != std::string::npos) answer.body = all.substr(end + 4);
  constexpr size_t kCodeAt = 9;  // After "HTTP/1.1 ".
  if (all.size() > kCodeAt + 3 && !absl::SimpleAtoi(all.substr(kCodeAt, 3), &answer.code)) {
    answer.code = -1;
  }
  return answer;
}

}  // namespace sluice
