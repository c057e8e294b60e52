// HTTP origin: a web server on loopback that serves a folder, and misbehaves where it is told to.
// It is a proxy as well.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace sluice {

class HttpOrigin {
 public:
  // Sends an answer over the connection; what it leaves open is closed after it.
  using Answer = std::function<void(int connection)>;

  explicit HttpOrigin(std::string folder);
  ~HttpOrigin();
  HttpOrigin(const HttpOrigin&) = delete;
  HttpOrigin& operator=(const HttpOrigin&) = delete;

  // "http://127.0.0.1:PORT", without a slash at the end.
  std::string url() const;

  // How requests for this path are answered from now on; none: from the folder.
  void Set(const std::string& path, Answer answer);
  void Reset();
  // As a proxy it lets nobody through who does not name this user and password.
  void DemandCredentials() { demands_credentials_ = true; }
  // As an origin it serves only who logs in as "user:password".
  void DemandLogin(const std::string& login);

  // The paths of all requests so far, in order, as they stood in them.
  std::vector<std::string> requests() const;
  void ForgetRequests();

  // Answers. `head` are further header lines, each with its line break.
  static Answer Status(int code, const std::string& head = "");
  static Answer Body(const std::string& body);
  // Says that more is coming than then comes.
  static Answer CutShort(const std::string& body, size_t said_bytes);
  // Never ends, as fast as it can.
  static Answer Endless(int code = 200);
  // Sends nothing, and holds the connection until the caller gives up.
  static Answer Silence();

 private:
  void Run();
  void Serve(int connection);
  void ServeFile(const std::string& path, int connection) const;

  const std::string folder_;
  const int listener_;
  int port_ = 0;
  std::atomic<bool> demands_credentials_ = false;
  std::atomic<bool> stopping_ = false;
  mutable Mutex mutex_;
  std::map<std::string, Answer> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::string authorization_ ABSL_GUARDED_BY(mutex_);  // Header line; empty: anybody.
  std::thread thread_;
};

}  // namespace sluice
