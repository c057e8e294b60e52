// Self probe: whether a node still answers, found by calling one of its own listeners.
//
// It keeps its connection, so that callers who take all others do not make the node look dead. A
// listener with TLS is called with the node's own certificate, and only this node may answer.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "common/rpc/listen_address.h"
#include "upstream/node_certificates.h"

namespace sluice {

class SelfProbe {
 public:
  // `listeners` are those of this node, as they really are, at least one. `certificates` may be
  // null unless all of them have TLS, and outlive this.
  SelfProbe(std::vector<ListenAddress> listeners, const NodeCertificates* certificates)
      : listeners_(std::move(listeners)), certificates_(certificates) {}

  // Calls and waits for the answer; it is `now`. By one thread at a time.
  //
  // Errors: those of the call; but none once the certificate has expired, which a restart does not
  // mend, and of which there is a condition.
  absl::Status Call(absl::Time now);

 private:
  absl::StatusOr<std::unique_ptr<Channel>> Connect() const;

  const std::vector<ListenAddress> listeners_;
  const NodeCertificates* const certificates_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace sluice
