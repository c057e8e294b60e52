#include "downstream/refused_publishing.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "sluice/v1/catalog_service.pb.h"

namespace sluice {
namespace {

class Refusal : public Conversation<v1::PublishUpdateRequest, v1::PublishUpdateResponse> {
 public:
  explicit Refusal(std::string upstream_target) : upstream_target_(std::move(upstream_target)) {}

  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnMessage(
      const v1::PublishUpdateRequest&) override {
    return MakeError(v1::REASON_NOT_ORIGIN, absl::StrCat("this node follows ", upstream_target_,
                                                         "; publish at the root of the tree"));
  }

 private:
  const std::string upstream_target_;
};

}  // namespace

void AddRefusedPublishing(const std::string& upstream_target, Router& router) {
  router.ClientStream<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
      "sluice.v1.CatalogService/PublishUpdate",
      [upstream_target](const CallContext&) { return std::make_unique<Refusal>(upstream_target); });
}

}  // namespace sluice
