#include "upstream/maintenance_service.h"

#include <memory>
#include <utility>

#include "common/errors.h"
#include "common/status.h"
#include "storage/payload.h"

namespace sluice {

// Verifies a few files each time it is asked, so that one long verification never holds a worker.
class MaintenanceService::VerifySource : public MessageSource {
 public:
  VerifySource(MaintenanceService& service, bool validate_only, std::vector<Digest> files)
      : service_(service), validate_only_(validate_only), files_(std::move(files)) {}

  Pull Next() override {
    constexpr int kFilesPerPull = 16;
    for (int i = 0; i < kFilesPerPull && next_ < files_.size(); ++i) {
      const Digest& digest = files_[next_++];
      const absl::Status intact = service_.content_.Verify(digest);
      summary_.set_files(summary_.files() + 1);
      if (intact.ok()) {
        const absl::StatusOr<ContentInfo> info = service_.content_.Stat(digest);
        if (info.ok()) summary_.set_bytes(summary_.bytes() + info->size_bytes);
      } else if (ReasonOf(intact) != v1::REASON_CONTENT_MISSING) {
        return Report(digest, intact);
      }
    }
    if (ended_) return Pull::End();
    ended_ = next_ == files_.size();
    v1::VerifyContentResponse response;
    *response.mutable_summary() = summary_;
    return Pull::Message(response);
  }

 private:
  Pull Report(const Digest& digest, const absl::Status& problem) {
    summary_.set_problems(summary_.problems() + 1);
    // A file that cannot be read just now may be whole.
    const bool wrong = ReasonOf(problem) == v1::REASON_CONTENT_CORRUPT;
    if (wrong && !validate_only_ && service_.content_.Remove(digest).ok() &&
        service_.options_.refetch(digest)) {
      summary_.set_refetching(summary_.refetching() + 1);
    }
    v1::VerifyContentResponse response;
    response.mutable_problem()->set_sha256(digest.ToHex());
    response.mutable_problem()->set_reason(ReasonName(ReasonOf(problem)));
    response.mutable_problem()->set_detail(std::string(problem.message()));
    return Pull::Message(response);
  }

  MaintenanceService& service_;
  const bool validate_only_;
  const std::vector<Digest> files_;
  size_t next_ = 0;
  bool ended_ = false;
  v1::VerifyContentSummary summary_;
};

MaintenanceService::MaintenanceService(ContentStore& content, Audit& audit, Options options)
    : content_(content), audit_(audit), options_(std::move(options)) {}

void MaintenanceService::AddTo(Router& router) {
  router.ServerStream<v1::VerifyContentRequest>(
      "sluice.v1.MaintenanceService/VerifyContent",
      [this](const CallContext&, const v1::VerifyContentRequest& request)
          -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        std::vector<Digest> files;
        RETURN_IF_ERROR(content_.ForEach([&files](const ContentInfo& info) {
          files.push_back(info.digest);
          return true;
        }));
        return std::make_unique<VerifySource>(*this, request.validate_only(), std::move(files));
      });
  router.Unary<v1::ListAuditEntriesRequest, v1::ListAuditEntriesResponse>(
      "sluice.v1.MaintenanceService/ListAuditEntries",
      [this](const CallContext&, const v1::ListAuditEntriesRequest& request) {
        return audit_.List(request);
      });
  router.Unary<v1::VerifyAuditRequest, v1::VerifyAuditResponse>(
      "sluice.v1.MaintenanceService/VerifyAudit",
      [this](const CallContext&, const v1::VerifyAuditRequest&) { return audit_.Verify(); });
  router.Unary<v1::ListConditionsRequest, v1::ListConditionsResponse>(
      "sluice.v1.MaintenanceService/ListConditions",
      [this](const CallContext&,
             const v1::ListConditionsRequest&) -> absl::StatusOr<v1::ListConditionsResponse> {
        v1::ListConditionsResponse response;
        for (v1::Condition& condition : options_.conditions()) {
          *response.add_conditions() = std::move(condition);
        }
        return response;
      });
  router.Unary<v1::GetCountersRequest, v1::GetCountersResponse>(
      "sluice.v1.MaintenanceService/GetCounters",
      [](const CallContext&,
         const v1::GetCountersRequest&) -> absl::StatusOr<v1::GetCountersResponse> {
        const PayloadCounters counters = GetPayloadCounters();
        v1::GetCountersResponse response;
        const auto add = [&response](const char* name, int64_t value) {
          v1::Counter& counter = *response.add_counters();
          counter.set_name(name);
          counter.set_value(value);
        };
        add("payloads_decompressed_total", counters.decompressed);
        add("payloads_serialised_total", counters.serialised);
        return response;
      });
}

}  // namespace sluice
