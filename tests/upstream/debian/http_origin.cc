#include "tests/upstream/debian/http_origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sluice {
namespace {

// False when the caller is gone.
bool Send(int connection, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = send(connection, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string Head(int code, const std::string& more) {
  return absl::StrCat("HTTP/1.1 ", code, " Answer\r\nConnection: close\r\n", more, "\r\n");
}

std::string ReadHead(int connection) {
  std::string head;
  char data[4096];
  while (!absl::StrContains(head, "\r\n\r\n")) {
    const ssize_t size = recv(connection, data, sizeof(data), 0);
    if (size <= 0) break;
    head.append(data, static_cast<size_t>(size));
  }
  return head;
}

}  // namespace

HttpOrigin::HttpOrigin(std::string folder)
    : folder_(std::move(folder)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  listen(listener_, 16);
  thread_ = std::thread([this] { Run(); });
}

HttpOrigin::~HttpOrigin() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::string HttpOrigin::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

void HttpOrigin::Set(const std::string& path, Answer answer) {
  MutexLock lock(mutex_);
  answers_[path] = std::move(answer);
}

void HttpOrigin::Reset() {
  MutexLock lock(mutex_);
  answers_.clear();
}

void HttpOrigin::DemandLogin(const std::string& login) {
  MutexLock lock(mutex_);
  authorization_ = absl::StrCat("\nAuthorization: Basic ", absl::Base64Escape(login), "\r\n");
}

std::vector<std::string> HttpOrigin::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

void HttpOrigin::ForgetRequests() {
  MutexLock lock(mutex_);
  requests_.clear();
}

void HttpOrigin::Run() {
  while (!stopping_) {
    const int connection = accept(listener_, nullptr, nullptr);
    if (connection < 0) continue;
    Serve(connection);
    close(connection);
  }
}

void HttpOrigin::Serve(int connection) {
  const std::string head = ReadHead(connection);
  const std::vector<std::string> words = absl::StrSplit(head.substr(0, head.find("\r\n")), ' ');
  if (words.size() < 2) return;
  std::string path = words[1];
  Answer answer;
  {
    MutexLock lock(mutex_);
    requests_.push_back(path);
    // A proxy is asked for whole URLs.
    absl::string_view rest = path;
    const bool as_proxy = absl::ConsumePrefix(&rest, "http://");
    if (as_proxy) path = std::string(rest.substr(rest.find('/')));
    // "ann:secret"
    if (as_proxy && demands_credentials_ &&
        !absl::StrContains(head, "Proxy-Authorization: Basic YW5uOnNlY3JldA==")) {
      answer = Status(407, "Proxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n");
    } else if (!as_proxy && !absl::StrContains(head, authorization_)) {
      answer = Status(401, "WWW-Authenticate: Basic realm=\"origin\"\r\nContent-Length: 0\r\n");
    } else if (const auto found = answers_.find(path); found != answers_.end()) {
      answer = found->second;
    }
  }
  if (answer) {
    answer(connection);
  } else {
    ServeFile(path, connection);
  }
}

void HttpOrigin::ServeFile(const std::string& path, int connection) const {
  std::ifstream file(folder_ + path, std::ios::binary);
  if (!file) {
    Status(404, "Content-Length: 0\r\n")(connection);
    return;
  }
  std::stringstream body;
  body << file.rdbuf();
  Body(body.str())(connection);
}

HttpOrigin::Answer HttpOrigin::Status(int code, const std::string& head) {
  return [code, head](int connection) { Send(connection, Head(code, head)); };
}

HttpOrigin::Answer HttpOrigin::Body(const std::string& body) { return CutShort(body, body.size()); }

HttpOrigin::Answer HttpOrigin::CutShort(const std::string& body, size_t said_bytes) {
  return [body, said_bytes](int connection) {
    Send(connection,
         absl::StrCat(Head(200, absl::StrCat("Content-Length: ", said_bytes, "\r\n")), body));
  };
}

HttpOrigin::Answer HttpOrigin::Endless(int code) {
  return [code](int connection) {
    Send(connection, Head(code, ""));
    const std::string piece(1 << 16, 'x');
    while (Send(connection, piece)) {
    }
  };
}

HttpOrigin::Answer HttpOrigin::Silence() {
  return [](int connection) {
    pollfd gone = {connection, POLLRDHUP, 0};
    constexpr int kGiveUpMs = 30'000;
    poll(&gone, 1, kGiveUpMs);
  };
}

}  // namespace sluice
