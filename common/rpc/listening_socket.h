// Listening socket: one bound address of a server, and for a Unix socket its file.
//
// Bound by us and not by gRPC, whose own listener never accepts again after the process once ran
// out of descriptors, and which does not say that an address is taken.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/listen_address.h"

namespace sluice {

class ListeningSocket {
 public:
  // Binds and listens. The file of a Unix socket to which nobody answers any more is replaced.
  //
  // Errors: those of `Server::Start`.
  static absl::StatusOr<std::unique_ptr<ListeningSocket>> Open(const ListenAddress& address);

  // Closes, and removes the socket's file if it still is this one's.
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  int fd() const { return fd_; }
  bool is_unix() const { return endpoint_.is_unix(); }

  // As it really is: the port that the kernel chose is filled in.
  const ListenAddress& address() const { return address_; }

 private:
  ListeningSocket(int fd, ListenAddress address, Endpoint endpoint);

  absl::Status BindTcp();
  absl::Status BindUnix();

  const int fd_;
  ListenAddress address_;
  Endpoint endpoint_;
  dev_t device_ = 0;  // Of the Unix socket's file.
  ino_t inode_ = 0;
};

}  // namespace sluice
