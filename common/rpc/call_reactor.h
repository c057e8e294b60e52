// Call reactor: the one gRPC service of a listener. It answers every method by the router.
//
// Here, and only here, the gate is asked. No other service is registered with gRPC, so nothing gets
// past it.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <optional>
#include <string>

#include "common/rpc/call_registry.h"
#include "common/rpc/gate.h"
#include "common/rpc/open_calls.h"
#include "common/rpc/router.h"
#include "common/rpc/server.h"
#include "common/worker_pool.h"

namespace sluice {

class CallReactor;

// What all calls of a server share.
struct Serving {
  const Router& router;
  const ServerOptions& options;
  WorkerPool& pool;
  CallRegistry& registry;
  OpenCalls& open_calls;
  // Ends the connection of a peer, named as gRPC does.
  std::function<void(const std::string& peer)> cut;
};

// All methods, for the callers of one listener.
class RoutedService : public grpc::CallbackGenericService {
 public:
  // `serving` must outlive the server that this is registered with.
  RoutedService(const Serving& serving, ListenAddress listener, std::string local_identity,
                bool is_unix);

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* call) override;

 private:
  struct Caller {
    std::optional<SpiffeId> identity;
    RoleSet roles;
    std::string peer;  // By which its calls are counted; empty: they are not.
  };
  grpc::ServerGenericBidiReactor* Open(grpc::GenericCallbackServerContext* call,
                                       CallReactor* reactor);
  // Counts a call that begins, for as long as gRPC has it; false: its peer has far too many.
  bool Count(const std::string& peer) const;
  absl::StatusOr<Caller> Identify(const grpc::GenericCallbackServerContext& call) const;

  const Serving serving_;
  const ListenAddress listener_;
  const std::string local_identity_;
  const bool is_unix_;
};

}  // namespace sluice
