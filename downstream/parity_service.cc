#include "downstream/parity_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/channel_parity_peer.h"

namespace sluice {
namespace {

constexpr absl::string_view kCheckMethod = "sluice.v1.ParityService/Check";
constexpr absl::string_view kFixMethod = "sluice.v1.ParityService/Fix";

// Runs the check when it is first asked, then says what it found, message by message.
class CheckSource : public MessageSource {
 public:
  CheckSource(ParityService& service, v1::CheckRequest request)
      : service_(service), request_(std::move(request)) {}

  Pull Next() override {
    if (!responses_.has_value()) {
      responses_ = service_.Check(request_);
      if (!responses_->ok()) return Pull::End(responses_->status());
    }
    const std::vector<v1::CheckResponse>& responses = **responses_;
    if (next_ == responses.size()) return Pull::End();
    return Pull::Message(responses[next_++]);
  }

 private:
  ParityService& service_;
  const v1::CheckRequest request_;
  std::optional<absl::StatusOr<std::vector<v1::CheckResponse>>> responses_;
  size_t next_ = 0;
};

}  // namespace

ParityService::ParityService(Catalog& catalog, ContentStore& content, Channel& upstream,
                             Clock& clock, Options options)
    : catalog_(catalog),
      content_(content),
      upstream_(upstream),
      clock_(clock),
      options_(std::move(options)) {}

void ParityService::AddTo(Router& router) {
  router.ServerStream<v1::CheckRequest>(
      kCheckMethod,
      [this](const CallContext&,
             const v1::CheckRequest& request) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        return std::make_unique<CheckSource>(*this, request);
      });
  router.Unary<v1::FixRequest, v1::FixResponse>(
      kFixMethod,
      [this](const CallContext&, const v1::FixRequest& request) { return Fix(request); });
}

absl::StatusOr<std::vector<v1::CheckResponse>> ParityService::Check(
    const v1::CheckRequest& request) {
  if (checking_.exchange(true)) {
    return absl::ResourceExhaustedError("another parity check is running; wait for its end");
  }
  const auto done = absl::MakeCleanup([this] { checking_ = false; });
  ASSIGN_OR_RETURN(v1::HelloRequest hello, options_.hello());
  ChannelParityPeer peer(upstream_, std::move(hello), options_.timeout);
  std::vector<v1::CheckResponse> responses;
  ParityCheck check(catalog_, content_, clock_);
  absl::StatusOr<v1::CheckSummary> summary =
      check.Run(peer, request, [&responses](const v1::Finding& finding) {
        *responses.emplace_back().mutable_finding() = finding;
      });
  if (!summary.ok()) return Annotate(summary.status(), "checking parity");
  {
    MutexLock lock(mutex_);
    found_.clear();
    for (const v1::CheckResponse& response : responses)
      ++found_[response.finding().finding_class()];
  }
  *responses.emplace_back().mutable_summary() = *std::move(summary);
  return responses;
}

std::map<v1::FindingClass, int64_t> ParityService::LastFindings() const {
  std::map<v1::FindingClass, int64_t> findings;
  MutexLock lock(mutex_);
  for (int number = 1; number <= v1::FindingClass_MAX; ++number) {
    if (!v1::FindingClass_IsValid(number)) continue;
    const auto finding_class = static_cast<v1::FindingClass>(number);
    const auto found = found_.find(finding_class);
    findings[finding_class] = found == found_.end() ? 0 : found->second;
  }
  return findings;
}

absl::StatusOr<v1::FixResponse> ParityService::Fix(const v1::FixRequest& request) {
  v1::CheckRequest thorough;
  thorough.set_verify_content(true);
  ASSIGN_OR_RETURN(const std::vector<v1::CheckResponse> responses, Check(thorough));
  v1::FixResponse fix;
  bool sync = false;
  for (const v1::CheckResponse& response : responses) {
    if (!response.has_finding()) continue;
    const v1::Finding& finding = response.finding();
    if (finding.finding_class() == v1::FINDING_CLASS_CONTENT_CORRUPT ||
        finding.finding_class() == v1::FINDING_CLASS_CONTENT_MISSING) {
      ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(finding.sha256()));
      fix.add_actions(
          absl::StrCat("fetch file ", finding.sha256(), " of \"", finding.title(), "\" again"));
      if (request.validate_only()) continue;
      RETURN_IF_ERROR(content_.Remove(digest));
      options_.refetch(digest);
    } else if (finding.finding_class() != v1::FINDING_CLASS_MISSING_UPSTREAM) {
      sync = true;
    }
  }
  if (sync) {
    fix.add_actions("synchronise with the upstream");
    if (!request.validate_only()) options_.start_sync();
  }
  return fix;
}

}  // namespace sluice
