#include "common/rpc/call_reactor.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/byte_buffer.h"
#include "common/rpc/call_driver.h"
#include "common/status.h"

namespace sluice {
namespace {

// Far longer than what passes between gRPC's two reports, and short beside an upload.
constexpr absl::Duration kUploadEndGrace = absl::Milliseconds(100);

}  // namespace

// Carries one call between gRPC and its driver. Deletes itself when gRPC is done with it.
class CallReactor : public grpc::ServerGenericBidiReactor, public CallTransport {
 public:
  // Calls `on_done` when gRPC is done with it.
  CallReactor(grpc::GenericCallbackServerContext* call, std::function<void()> on_done)
      : call_(call), on_done_(std::move(on_done)) {}

  void Start(WorkerPool& pool, CallDriver::Options options, CallRegistry& registry,
             CallRegistry::CallId id, std::unique_ptr<MessageExchange> exchange) {
    // The reactor may be gone before this returns; the driver is held here.
    const auto driver = std::make_shared<CallDriver>(*this, pool, std::move(options));
    driver_ = driver;
    driver->Start(std::move(exchange));
    registry.Attach(id, driver);
  }

  // What the driver asks for.
  void Read() override { StartRead(&received_); }
  void Write(OutMessage message) override {
    sent_ = ToByteBuffer(std::move(message));
    StartWrite(&sent_);
  }
  void WriteAndFinish(OutMessage message) override {
    sent_ = ToByteBuffer(std::move(message));
    StartWriteAndFinish(&sent_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void Finish(const absl::Status& status) override {
    grpc::ServerGenericBidiReactor::Finish(ToGrpc(status));
  }
  void SendHeaders() override { StartSendInitialMetadata(); }
  void Abort() override { call_->TryCancel(); }

  // What gRPC reports. The driver is copied, for these may end the call and delete the reactor.
  void OnReadDone(bool ok) override {
    const std::shared_ptr<CallDriver> driver = driver_;
    if (ok) {
      driver->OnRead(ToString(received_));
    } else {
      driver->OnReadEnd();
    }
  }
  void OnWriteDone(bool ok) override {
    const std::shared_ptr<CallDriver> driver = driver_;
    driver->OnWritten(ok);
  }
  void OnCancel() override {
    const std::shared_ptr<CallDriver> driver = driver_;
    if (driver != nullptr) driver->OnCancelled();
  }
  void OnDone() override {
    if (on_done_) on_done_();
    delete this;
  }

 private:
  grpc::GenericCallbackServerContext* const call_;
  const std::function<void()> on_done_;
  grpc::ByteBuffer received_;
  grpc::ByteBuffer sent_;
  std::shared_ptr<CallDriver> driver_;
};

RoutedService::RoutedService(const Serving& serving, ListenAddress listener,
                             std::string local_identity, bool is_unix)
    : serving_(serving),
      listener_(std::move(listener)),
      local_identity_(std::move(local_identity)),
      is_unix_(is_unix) {}

absl::StatusOr<RoutedService::Caller> RoutedService::Identify(
    const grpc::GenericCallbackServerContext& call) const {
  if (!listener_.tls) {
    return Caller{std::nullopt, listener_.roles, is_unix_ ? std::string() : call.peer()};
  }
  const ServerTls& tls = *serving_.options.tls;
  std::vector<std::string> uris;
  for (const grpc::string_ref& uri : call.auth_context()->FindPropertyValues("peer_uri")) {
    uris.emplace_back(uri.data(), uri.size());
  }
  ASSIGN_OR_RETURN(SpiffeId id, IdentifyCaller(uris, tls.trust_domain));
  return Caller{id, tls.roles_of(id) & listener_.roles, id.Text()};
}

bool RoutedService::Count(const std::string& peer) const {
  const OpenCalls::Verdict verdict = serving_.open_calls.Begin(peer);
  if (verdict == OpenCalls::Verdict::kCut) serving_.cut(peer);
  return verdict == OpenCalls::Verdict::kServe;
}

grpc::ServerGenericBidiReactor* RoutedService::CreateReactor(
    grpc::GenericCallbackServerContext* call) {
  // Unix sockets do not tell peers apart.
  if (is_unix_) return Open(call, new CallReactor(call, nullptr));
  const std::string peer = call->peer();
  auto* reactor = new CallReactor(call, [&calls = serving_.open_calls, peer] { calls.End(peer); });
  if (Count(peer)) return Open(call, reactor);
  reactor->Finish(absl::ResourceExhaustedError("too many calls of one connection"));
  return reactor;
}

grpc::ServerGenericBidiReactor* RoutedService::Open(grpc::GenericCallbackServerContext* call,
                                                    CallReactor* reactor) {
  const absl::Time began = absl::Now();
  CallObserver* const observer = serving_.options.observer;
  const absl::StatusOr<const Method*> found = serving_.router.Find(call->method());
  const Method* const known = found.ok() ? *found : nullptr;
  if (observer != nullptr) observer->OnStart(known);
  const auto refuse = [observer, known, began, reactor](const absl::Status& status) {
    if (observer != nullptr) observer->OnEnd(known, status.code(), absl::Now() - began);
    reactor->Finish(status);
    return reactor;
  };
  if (!found.ok()) return refuse(found.status());
  const Method& method = *known;
  const absl::StatusOr<Caller> caller = Identify(*call);
  if (!caller.ok()) return refuse(caller.status());
  const absl::StatusOr<CallRegistry::CallId> admitted = serving_.registry.Admit(caller->peer);
  if (!admitted.ok()) return refuse(admitted.status());

  CallContext context;
  context.method = method.path;
  context.peer = call->peer();
  context.roles = caller->roles;
  context.identity = caller->identity;
  context.local_identity = local_identity_;
  const std::string grantor = caller->identity.has_value()
                                  ? absl::StrCat("to ", caller->identity->Text(), " it")
                                  : "this listener";
  if (const absl::Status allowed = CheckRoles(method.path, caller->roles, grantor); !allowed.ok()) {
    serving_.pool.Submit([&serving = serving_, refuse, context, allowed, id = *admitted] {
      if (serving.options.on_denied) serving.options.on_denied(context, allowed);
      refuse(allowed);
      serving.registry.Release(id);
    });
    return reactor;
  }
  context.deadline = absl::FromChrono(call->deadline());
  CallDriver::Options options;
  options.single_answer =
      method.kind == MethodKind::kUnary || method.kind == MethodKind::kClientStream;
  if (method.kind == MethodKind::kUnary) {
    context.deadline = std::min(context.deadline, began + serving_.options.unary_deadline);
    options.deadline = context.deadline;
  }
  if (method.kind == MethodKind::kClientStream) options.end_grace = kUploadEndGrace;
  options.stalled_write_timeout = serving_.options.stalled_write_timeout;
  context.cancelled = options.stop.get_token();
  options.observer = observer;
  options.method = known;
  options.on_finished = [observer, known, began](const absl::Status& status) {
    if (observer != nullptr) observer->OnEnd(known, status.code(), absl::Now() - began);
  };
  options.on_released = [&registry = serving_.registry, id = *admitted] { registry.Release(id); };
  reactor->Start(serving_.pool, std::move(options), serving_.registry, *admitted,
                 method.open(context));
  return reactor;
}

}  // namespace sluice
