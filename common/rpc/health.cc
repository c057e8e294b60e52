#include "common/rpc/health.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;

}  // namespace

// Those who watch. A watch that ends takes itself out, so each that is in here is alive.
struct HealthBoard::Watchers {
  Mutex mutex;
  std::set<const Waker*> wakers ABSL_GUARDED_BY(mutex);
};

class HealthBoard::Watch : public MessageSource {
 public:
  Watch(const HealthBoard& board, std::string name, std::shared_ptr<Watchers> watchers)
      : board_(board), name_(std::move(name)), watchers_(std::move(watchers)) {}

  ~Watch() override {
    MutexLock lock(watchers_->mutex);
    watchers_->wakers.erase(&waker_);
  }

  Pull Next() override {
    const Status status = board_.Get(name_);
    if (status == told_) return Pull::Wait();
    told_ = status;
    HealthCheckResponse response;
    response.set_status(status);
    return Pull::Message(response);
  }

  void OnWake(Waker waker) override {
    MutexLock lock(watchers_->mutex);
    waker_ = std::move(waker);
    watchers_->wakers.insert(&waker_);
  }

 private:
  const HealthBoard& board_;
  const std::string name_;
  const std::shared_ptr<Watchers> watchers_;
  Waker waker_;
  std::optional<Status> told_;
};

HealthBoard::HealthBoard() : watchers_(std::make_shared<Watchers>()) {
  MutexLock lock(mutex_);
  statuses_[""] = HealthCheckResponse::SERVING;
}

void HealthBoard::Set(absl::string_view name, bool serving) {
  {
    MutexLock lock(mutex_);
    statuses_[std::string(name)] =
        serving && !draining_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }
  WakeWatchers();
}

void HealthBoard::Drain() {
  {
    MutexLock lock(mutex_);
    draining_ = true;
    for (auto& [name, status] : statuses_) status = HealthCheckResponse::NOT_SERVING;
  }
  WakeWatchers();
}

HealthBoard::Status HealthBoard::Get(absl::string_view name) const {
  MutexLock lock(mutex_);
  const auto found = statuses_.find(name);
  return found == statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : found->second;
}

void HealthBoard::WakeWatchers() {
  MutexLock lock(watchers_->mutex);
  for (const Waker* waker : watchers_->wakers) (*waker)();
}

void HealthBoard::AddTo(Router& router) {
  router.Unary<HealthCheckRequest, HealthCheckResponse>(
      "grpc.health.v1.Health/Check",
      [this](const CallContext&,
             const HealthCheckRequest& request) -> absl::StatusOr<HealthCheckResponse> {
        HealthCheckResponse response;
        response.set_status(Get(request.service()));
        if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
          return absl::NotFoundError(
              absl::StrCat("nothing is known about \"", request.service(), "\""));
        }
        return response;
      });
  router.Unary<HealthListRequest, HealthListResponse>(
      "grpc.health.v1.Health/List", [this](const CallContext&, const HealthListRequest&) {
        HealthListResponse response;
        MutexLock lock(mutex_);
        for (const auto& [name, status] : statuses_) {
          (*response.mutable_statuses())[name].set_status(status);
        }
        return response;
      });
  router.ServerStream<HealthCheckRequest>(
      "grpc.health.v1.Health/Watch",
      [this](const CallContext&,
             const HealthCheckRequest& request) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        return std::make_unique<Watch>(*this, request.service(), watchers_);
      });
}

}  // namespace sluice
