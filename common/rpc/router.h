// Router: the methods that this process serves, by name. Free of transport.
//
// Handlers are typed functions; the router turns each into a `MessageExchange` over bytes. They run
// on the server's worker pool and may block briefly. No stubs are generated for services
// (docs/decisions/0002-services-are-dispatched-by-name.md), so `Router` compares what a handler
// takes and returns with the method's descriptor when it is added.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/rpc/call_context.h"
#include "common/rpc/message_exchange.h"
#include "common/rpc/message_source.h"
#include "common/rpc/typed_exchange.h"
#include "google/protobuf/descriptor.h"

namespace sluice {

enum class MethodKind { kUnary, kServerStream, kClientStream, kExchange };

// One registered method.
struct Method {
  std::string path;  // "/sluice.v1.TreeService/ListNodes"
  MethodKind kind = MethodKind::kUnary;
  // Makes the server's half of one call. Does not block.
  std::function<std::unique_ptr<MessageExchange>(const CallContext&)> open;
};

class Router {
 public:
  template <typename Req, typename Res>
  using UnaryHandler = std::function<absl::StatusOr<Res>(const CallContext&, const Req&)>;
  template <typename Req>
  using SourceHandler =
      std::function<absl::StatusOr<std::unique_ptr<MessageSource>>(const CallContext&, const Req&)>;
  template <typename Req, typename Res>
  using ConversationFactory =
      std::function<std::unique_ptr<Conversation<Req, Res>>(const CallContext&)>;

  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // One request, one answer. Methods are named "sluice.v1.TreeService/ListNodes", with or without a
  // slash in front. A method may be added once; a second time is a fault of the program and ends
  // it.
  template <typename Req, typename Res>
  void Unary(absl::string_view method, UnaryHandler<Req, Res> handler) {
    Add({method, MethodKind::kUnary, Req::descriptor(), Res::descriptor()},
        [handler = std::move(handler)](const CallContext& context) {
          return std::make_unique<UnaryExchange<Req, Res>>(context, handler);
        });
  }

  // One request; the answer is the first message of a source, which may wait for it.
  template <typename Req>
  void LateUnary(absl::string_view method, SourceHandler<Req> handler) {
    AddSource<Req>(method, MethodKind::kUnary, std::move(handler));
  }

  // One request, many messages.
  template <typename Req>
  void ServerStream(absl::string_view method, SourceHandler<Req> handler) {
    AddSource<Req>(method, MethodKind::kServerStream, std::move(handler));
  }

  // Many messages, one answer: that of `Conversation::OnEnd`.
  template <typename Req, typename Res>
  void ClientStream(absl::string_view method, ConversationFactory<Req, Res> factory) {
    AddConversation<Req, Res>(method, MethodKind::kClientStream, std::move(factory));
  }

  // Many messages, each with any number of answers.
  template <typename Req, typename Res>
  void Exchange(absl::string_view method, ConversationFactory<Req, Res> factory) {
    AddConversation<Req, Res>(method, MethodKind::kExchange, std::move(factory));
  }

  // The method at `path`.
  //
  // Errors: UNIMPLEMENTED "unknown service ..." or "unknown method ... of service ...".
  absl::StatusOr<const Method*> Find(absl::string_view path) const;

  // All methods, sorted by path; they live as long as the router.
  std::vector<const Method*> Methods() const;

  // The full names of the services that have a method here, sorted.
  std::vector<std::string> ServiceNames() const;

 private:
  using Opener = std::function<std::unique_ptr<MessageExchange>(const CallContext&)>;

  struct Signature {
    absl::string_view method;
    MethodKind kind = MethodKind::kUnary;
    const google::protobuf::Descriptor* request = nullptr;
    const google::protobuf::Descriptor* response = nullptr;  // May be unknown.
  };
  void Add(const Signature& signature, Opener open);

  template <typename Req>
  void AddSource(absl::string_view method, MethodKind kind, SourceHandler<Req> handler) {
    Add({method, kind, Req::descriptor(), nullptr},
        [handler = std::move(handler)](const CallContext& context) {
          return std::make_unique<SourceExchange<Req>>(context, handler);
        });
  }
  template <typename Req, typename Res>
  void AddConversation(absl::string_view method, MethodKind kind,
                       ConversationFactory<Req, Res> factory) {
    Add({method, kind, Req::descriptor(), Res::descriptor()},
        [factory = std::move(factory)](const CallContext& context) {
          return std::make_unique<ConversationExchange<Req, Res>>(factory(context));
        });
  }

  std::map<std::string, Method, std::less<>> methods_;
};

}  // namespace sluice
