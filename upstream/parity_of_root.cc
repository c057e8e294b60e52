#include "upstream/parity_of_root.h"

#include <memory>

#include "common/errors.h"
#include "sluice/v1/parity_service.pb.h"

namespace sluice {

void AddParityMethodsOfRoot(Router& router) {
  const auto refuse = [] {
    return MakeError(v1::REASON_NO_UPSTREAM, "this node is the root and has no upstream");
  };
  router.ServerStream<v1::CheckRequest>(
      "sluice.v1.ParityService/Check",
      [refuse](const CallContext&, const v1::CheckRequest&)
          -> absl::StatusOr<std::unique_ptr<MessageSource>> { return refuse(); });
  router.Unary<v1::FixRequest, v1::FixResponse>(
      "sluice.v1.ParityService/Fix",
      [refuse](const CallContext&, const v1::FixRequest&) -> absl::StatusOr<v1::FixResponse> {
        return refuse();
      });
}

}  // namespace sluice
