// Self probe: whether a node still answers, found by calling one of its own listeners.
//
// It keeps its connection, so that callers who take all others do not make the node look dead.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/channel.h"
#include "common/rpc/listen_address.h"

namespace sluice {

class SelfProbe {
 public:
  // `listeners` are those of this node, as they really are.
  explicit SelfProbe(std::vector<ListenAddress> listeners) : listeners_(std::move(listeners)) {}

  // Calls and waits for the answer. By one thread at a time.
  //
  // Errors: those of the call; OK where no listener can be called.
  absl::Status Call();

 private:
  const std::vector<ListenAddress> listeners_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace sluice
