#include "upstream/parity_methods.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/parity_rows.h"
#include "upstream/subtree_check.h"

namespace sluice {
namespace {

constexpr int kWaitSecondsDefault = 120;
constexpr int kWaitSecondsMax = 3600;
constexpr size_t kAnswerBytesMax = 1'000'000;

absl::Status NoUpstream() {
  return MakeError(v1::REASON_NO_UPSTREAM, "this node is the root and has no upstream");
}

absl::Status NeverChecked(absl::string_view node) {
  return MakeError(v1::REASON_ITEM_NOT_FOUND, absl::StrCat(node, " was never compared"));
}

}  // namespace

// Runs the check when it is first asked, then says what it found, message by message.
class ParityMethods::CheckSource : public MessageSource {
 public:
  CheckSource(const ParityMethods& methods, v1::CheckRequest request)
      : methods_(methods), request_(std::move(request)) {}

  Pull Next() override {
    if (!responses_.has_value()) {
      responses_ = methods_.options_.check(request_);
      if (!responses_->ok()) return Pull::End(responses_->status());
    }
    const std::vector<v1::CheckResponse>& responses = **responses_;
    if (next_ == responses.size()) return Pull::End();
    return Pull::Message(responses[next_++]);
  }

 private:
  const ParityMethods& methods_;
  const v1::CheckRequest request_;
  std::optional<absl::StatusOr<std::vector<v1::CheckResponse>>> responses_;
  size_t next_ = 0;
};

// Says what this node and those below it find, as it comes in.
class ParityMethods::SubtreeSource : public MessageSource {
 public:
  SubtreeSource(const ParityMethods& methods, v1::CheckRequest request)
      : methods_(methods),
        request_(std::move(request)),
        begun_at_(absl::FromUnixMicros(absl::ToUnixMicros(methods.clock_.Now()))),
        deadline_(begun_at_ + absl::Seconds(request_.wait_seconds() == 0
                                                ? kWaitSecondsDefault
                                                : request_.wait_seconds())),
        subtree_(begun_at_) {}
  ~SubtreeSource() override {
    if (watch_ != 0) methods_.catalog_.Unwatch(watch_);
  }

  Pull Next() override {
    if (!begun_) {
      begun_ = true;
      methods_.board_.WantParity(begun_at_);
      if (const absl::Status own = CheckSelf(); !own.ok()) return Pull::End(own);
    }
    if (said_.empty() && !finished_) {
      if (const absl::Status status = Collect(); !status.ok()) return Pull::End(status);
    }
    if (said_.empty()) return finished_ ? Pull::End() : Pull::Wait(deadline_);
    const v1::CheckResponse response = std::move(said_.front());
    said_.pop_front();
    return Pull::Message(response);
  }

  // Every report is a commit.
  void OnWake(Waker waker) override {
    watch_ = methods_.catalog_.Watch([waker = std::move(waker)](const CommitOutcome&) { waker(); });
  }

 private:
  // This node's own result; that it could not be had ends nothing.
  absl::Status CheckSelf() {
    if (!methods_.options_.check) return absl::OkStatus();
    const auto responses = methods_.options_.check(request_);
    ASSIGN_OR_RETURN(v1::GetParityResponse kept, methods_.OwnParity());
    if (!responses.ok() && kept.node().state().failed_reason().empty()) return responses.status();
    v1::NodeParity& own = *kept.mutable_node();
    own.mutable_state()->mutable_findings()->Swap(kept.mutable_findings());
    for (v1::CheckResponse& response : subtree_.AddOwn(own)) said_.push_back(std::move(response));
    return absl::OkStatus();
  }

  absl::Status Collect() {
    const CatalogReader reader = methods_.catalog_.Read();
    ASSIGN_OR_RETURN(std::vector<v1::CheckResponse> responses, subtree_.Collect(reader));
    if (subtree_.complete() || methods_.clock_.Now() >= deadline_) {
      finished_ = true;
      ASSIGN_OR_RETURN(const std::vector<v1::CheckResponse> last, subtree_.Finish(reader));
      responses.insert(responses.end(), last.begin(), last.end());
    }
    said_.assign(responses.begin(), responses.end());
    return absl::OkStatus();
  }

  const ParityMethods& methods_;
  const v1::CheckRequest request_;
  const absl::Time begun_at_;
  const absl::Time deadline_;
  SubtreeCheck subtree_;
  std::deque<v1::CheckResponse> said_;  // Still to be sent.
  bool begun_ = false;
  bool finished_ = false;
  int64_t watch_ = 0;
};

ParityMethods::ParityMethods(Catalog& catalog, ReportBoard& board, Clock& clock, Options options)
    : catalog_(catalog), board_(board), clock_(clock), options_(std::move(options)) {}

void ParityMethods::AddTo(Router& router) {
  router.ServerStream<v1::CheckRequest>(
      "sluice.v1.ParityService/Check",
      [this](const CallContext&,
             const v1::CheckRequest& request) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        if (request.wait_seconds() < 0 || request.wait_seconds() > kWaitSecondsMax) {
          return InvalidRequest({{"wait_seconds", "is not from 1 to 3,600"}});
        }
        if (request.subtree()) return std::make_unique<SubtreeSource>(*this, request);
        if (!options_.check) return NoUpstream();
        return std::make_unique<CheckSource>(*this, request);
      });
  router.Unary<v1::GetParityRequest, v1::GetParityResponse>(
      "sluice.v1.ParityService/GetParity",
      [this](const CallContext&, const v1::GetParityRequest& request) {
        return GetParity(request);
      });
  router.Unary<v1::FixRequest, v1::FixResponse>(
      "sluice.v1.ParityService/Fix",
      [this](const CallContext& context,
             const v1::FixRequest& request) -> absl::StatusOr<v1::FixResponse> {
        if (!options_.fix) return NoUpstream();
        return options_.fix(context, request);
      });
}

absl::StatusOr<v1::GetParityResponse> ParityMethods::OwnParity() const {
  const CatalogReader reader = catalog_.Read();
  v1::GetParityResponse response;
  v1::NodeParity& node = *response.mutable_node();
  node.set_node_id(catalog_.node_id().ToString());
  node.set_node_name(options_.node_name);
  ASSIGN_OR_RETURN(*node.mutable_state(), ReadParityState(reader));
  if (!node.state().has_attempted_at()) return NeverChecked("this node");
  node.mutable_state()->clear_findings();
  ASSIGN_OR_RETURN(const std::vector<v1::Finding> findings, ReadFindings(reader));
  // One message: standing ones come first, and the summary counts them all.
  size_t bytes = 0;
  for (const v1::Finding& finding : findings) {
    bytes += finding.ByteSizeLong();
    if (bytes > kAnswerBytesMax) break;
    *response.add_findings() = finding;
  }
  return response;
}

absl::StatusOr<v1::GetParityResponse> ParityMethods::GetParity(
    const v1::GetParityRequest& request) const {
  const std::string& wanted = request.node();
  const bool own =
      wanted.empty() || wanted == catalog_.node_id().ToString() || wanted == options_.node_name;
  if (own) return OwnParity();
  ASSIGN_OR_RETURN(const std::vector<v1::TreeNode> nodes, NodesBelow(catalog_.Read()));
  for (const v1::TreeNode& node : nodes) {
    if (node.node_id() != wanted && node.status().name() != wanted) continue;
    if (!node.status().parity().has_attempted_at()) return NeverChecked(wanted);
    v1::GetParityResponse response;
    *response.mutable_node() = ParityOf(node);
    response.mutable_findings()->Swap(response.mutable_node()->mutable_state()->mutable_findings());
    return response;
  }
  return MakeError(v1::REASON_ITEM_NOT_FOUND,
                   absl::StrCat("no node below this one is \"", wanted, "\""));
}

}  // namespace sluice
