#include "downstream/parity_runner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/channel_parity_peer.h"
#include "google/protobuf/util/time_util.h"
#include "storage/parity_rows.h"

namespace sluice {
namespace {

constexpr absl::Duration kTurnWait = absl::Minutes(1);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(timestamp));
}

}  // namespace

ParityRunner::ParityRunner(Catalog& catalog, ContentStore& content,
                           std::function<Channel&()> upstream, Clock& clock, Options options)
    : catalog_(catalog),
      content_(content),
      upstream_(std::move(upstream)),
      clock_(clock),
      options_(std::move(options)) {}

absl::Status ParityRunner::WaitForTurn() {
  const absl::Time until = absl::Now() + kTurnWait;
  MutexLock lock(mutex_);
  while (checking_) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration() || stop_.stop_requested()) {
      return absl::ResourceExhaustedError("another parity check is running; wait for its end");
    }
    ended_.WaitFor(mutex_, left);
  }
  checking_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::CheckResponse>> ParityRunner::Check(
    const ParityCheck::Options& options) {
  RETURN_IF_ERROR(WaitForTurn());
  const auto done = absl::MakeCleanup([this] {
    {
      MutexLock lock(mutex_);
      checking_ = false;
    }
    ended_.NotifyAll();
  });
  absl::StatusOr<std::vector<v1::CheckResponse>> responses = Compare(options);
  if (!responses.ok()) RememberFailure(options, responses.status());
  if (options_.on_checked) options_.on_checked();
  if (!responses.ok()) return Annotate(responses.status(), "checking parity");
  return responses;
}

absl::StatusOr<std::vector<v1::CheckResponse>> ParityRunner::Compare(
    const ParityCheck::Options& options) {
  ASSIGN_OR_RETURN(v1::HelloRequest hello, options_.hello());
  ParityCheck::Options as_this_node = options;
  as_this_node.mode = hello.mode();
  ChannelParityPeer peer(upstream_(), std::move(hello), options_.timeout, stop_.get_token());
  std::vector<v1::CheckResponse> responses;
  ASSIGN_OR_RETURN(v1::CheckSummary summary,
                   ParityCheck(catalog_, content_, clock_)
                       .Run(peer, as_this_node, [&responses](const v1::Finding& finding) {
                         *responses.emplace_back().mutable_finding() = finding;
                       }));
  std::stable_partition(responses.begin(), responses.end(), [](const v1::CheckResponse& response) {
    return response.finding().standing();
  });
  *responses.emplace_back().mutable_summary() = std::move(summary);
  return responses;
}

// The last result stays; beside it stands why there is no newer one.
void ParityRunner::RememberFailure(const ParityCheck::Options& options,
                                   const absl::Status& failure) {
  absl::StatusOr<v1::ParityState> state = ReadParityState(catalog_.Read());
  if (!state.ok()) return;
  state->set_failed_reason(ReasonName(ReasonOf(failure)));
  state->set_failed_message(std::string(failure.message()));
  *state->mutable_attempted_at() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
      absl::ToUnixMicros(std::max(clock_.Now(), options.wanted_at)));
  CatalogChange change;
  PutParityState(*state, change);
  catalog_.Commit(change).IgnoreError();  // The next commit of anybody meets the same failure.
}

void ParityRunner::Stop() {
  stop_.request_stop();
  ended_.NotifyAll();
}

std::map<v1::FindingClass, int64_t> ParityRunner::LastFindings() const {
  const absl::StatusOr<v1::ParityState> state = ReadParityState(catalog_.Read());
  std::map<v1::FindingClass, int64_t> findings;
  for (int number = 1; number <= v1::FindingClass_MAX; ++number) {
    if (!v1::FindingClass_IsValid(number)) continue;
    const bool counted = state.ok() && number < state->summary().findings_by_class_size();
    findings[static_cast<v1::FindingClass>(number)] =
        counted ? state->summary().findings_by_class(number) : 0;
  }
  return findings;
}

absl::Time ParityRunner::LastChecked() const {
  const absl::StatusOr<v1::ParityState> state = ReadParityState(catalog_.Read());
  if (!state.ok() || !state->summary().has_checked_at()) return absl::InfinitePast();
  return ToTime(state->summary().checked_at());
}

absl::Time ParityRunner::LastAttempted() const {
  const absl::StatusOr<v1::ParityState> state = ReadParityState(catalog_.Read());
  if (!state.ok() || !state->has_attempted_at()) return absl::InfinitePast();
  return ToTime(state->attempted_at());
}

}  // namespace sluice
