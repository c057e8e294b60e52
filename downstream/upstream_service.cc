#include "downstream/upstream_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/status.h"
#include "common/upstream_target.h"
#include "downstream/channel_parity_peer.h"
#include "downstream/removal_guard.h"
#include "downstream/upstream_adoption.h"
#include "downstream/upstream_preview.h"
#include "google/protobuf/util/time_util.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int kUpstreamsMax = 8;
constexpr int kSessionsMax = 1 << 20;

std::string Targets(const std::vector<v1::UpstreamStatus>& upstreams) {
  return absl::StrJoin(upstreams, ", ", [](std::string* out, const v1::UpstreamStatus& upstream) {
    out->append(upstream.target());
  });
}

}  // namespace

UpstreamService::UpstreamService(Catalog& catalog, ContentStore& content, UpstreamLinks& links,
                                 SyncDriver& driver, Options options)
    : catalog_(catalog),
      content_(content),
      links_(links),
      driver_(driver),
      options_(std::move(options)) {}

void UpstreamService::AddTo(Router& router) {
  router.Unary<v1::ListUpstreamsRequest, v1::ListUpstreamsResponse>(
      "sluice.v1.UpstreamService/ListUpstreams",
      [this](const CallContext&, const v1::ListUpstreamsRequest&) { return List(); });
  router.Unary<v1::SetUpstreamsRequest, v1::SetUpstreamsResponse>(
      "sluice.v1.UpstreamService/SetUpstreams",
      [this](const CallContext& context, const v1::SetUpstreamsRequest& request) {
        return Set(context, request);
      });
  router.Unary<v1::AdoptUpstreamRequest, v1::AdoptUpstreamResponse>(
      "sluice.v1.UpstreamService/AdoptUpstream",
      [this](const CallContext& context, const v1::AdoptUpstreamRequest& request) {
        return Adopt(context, request);
      });
}

absl::StatusOr<v1::ListUpstreamsResponse> UpstreamService::List() const {
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<v1::UpstreamStatus> upstreams,
                   UpstreamsOf(reader, options_.configured));
  v1::ListUpstreamsResponse response;
  for (const v1::UpstreamStatus& upstream : upstreams) {
    *response.add_upstreams() = upstream;
    Complete(reader, *response.mutable_upstreams(response.upstreams_size() - 1));
  }
  ASSIGN_OR_RETURN(const KeptCount kept, CountKept(reader));
  response.set_records_kept(kept.records);
  ASSIGN_OR_RETURN(const std::optional<v1::HeldRemoval> held, ReadHeldRemoval(reader));
  if (held.has_value()) *response.mutable_held() = *held;
  return response;
}

// What the sessions, the last probe and the last greeting say of it.
void UpstreamService::Complete(const CatalogReader& reader, v1::UpstreamStatus& upstream) const {
  const UpstreamFollower::State state = driver_.Upstreams();
  upstream.set_current(state.places[state.current].target == upstream.target());
  const auto rows = reader.ListRows<v1::Session>(Family::kSessions, "", "", kSessionsMax);
  if (!rows.ok()) return;
  for (const auto& [key, session] : *rows) {
    if (session.peer() != upstream.target()) continue;
    if (!session.peer_id().empty()) upstream.set_node_id(session.peer_id());
    if (session.outcome() == v1::SYNC_OUTCOME_FAILED && !session.errors().empty()) {
      upstream.set_failed_reason(session.errors(0).reason());
      upstream.set_failed_message(session.errors(0).message());
      *upstream.mutable_failed_at() = session.ended_at();
    } else if (session.outcome() == v1::SYNC_OUTCOME_SUCCEEDED ||
               session.outcome() == v1::SYNC_OUTCOME_PARTIAL) {
      *upstream.mutable_last_success() = session.ended_at();
      upstream.clear_failed_reason();
      upstream.clear_failed_message();
      upstream.clear_failed_at();
    }
  }
  const auto probe = state.probes.find(upstream.target());
  if (probe != state.probes.end() && !probe->second.ok() && !upstream.current()) {
    upstream.set_failed_reason(ReasonName(ReasonOf(probe->second)));
    upstream.set_failed_message(std::string(probe->second.message()));
  }
  const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(reader);
  if (!above.ok() || above->node_id().empty()) return;
  if (Uuid::FromBytes(above->node_id())->ToString() != upstream.node_id()) return;
  upstream.set_node_name(above->node_name());
  *upstream.mutable_epoch() = above->epoch();
}

absl::StatusOr<std::vector<v1::UpstreamStatus>> UpstreamService::Wanted(
    const CallContext& context, const v1::SetUpstreamsRequest& request) const {
  if (request.upstreams_size() > kUpstreamsMax) {
    return InvalidRequest({{"upstreams", absl::StrCat("holds ", request.upstreams_size(),
                                                      "; the limit is ", kUpstreamsMax)}});
  }
  std::vector<v1::UpstreamStatus> wanted;
  for (int i = 0; i < request.upstreams_size(); ++i) {
    const v1::UpstreamTarget& target = request.upstreams(i);
    const std::string field = absl::StrCat("upstreams[", i, "].target");
    const absl::StatusOr<bool> tls = CheckUpstreamTarget(
        target.target(), target.has_tls() ? std::optional<bool>(target.tls()) : std::nullopt);
    if (!tls.ok()) return InvalidRequest({{field, std::string(tls.status().message())}});
    for (const v1::UpstreamStatus& other : wanted) {
      if (other.target() != target.target()) continue;
      return InvalidRequest({{field, absl::StrCat(target.target(), " is named twice")}});
    }
    v1::UpstreamStatus& upstream = wanted.emplace_back();
    upstream.set_target(target.target());
    upstream.set_tls(*tls);
    upstream.set_set_by(absl::StrCat("set by ", options_.name_of(context)));
  }
  return wanted;
}

absl::StatusOr<v1::UpstreamPreview> UpstreamService::Preview(Channel& channel) const {
  ASSIGN_OR_RETURN(v1::HelloRequest hello, driver_.MakeHello());
  hello.clear_cursor();
  ChannelParityPeer peer(channel, std::move(hello), options_.timeout);
  return PreviewUpstream(catalog_, peer);
}

absl::StatusOr<v1::SetUpstreamsResponse> UpstreamService::Set(
    const CallContext& context, const v1::SetUpstreamsRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<v1::UpstreamStatus> wanted, Wanted(context, request));
  const std::vector<v1::UpstreamStatus>& upstreams = wanted.empty() ? options_.configured : wanted;
  ASSIGN_OR_RETURN(std::vector<UpstreamPlace> places, links_.Places(upstreams));
  v1::SetUpstreamsResponse response;
  const absl::StatusOr<v1::UpstreamPreview> preview = Preview(*places.front().channel);
  if (preview.ok()) {
    *response.mutable_preview() = *preview;
  } else {
    const bool loop = ReasonOf(preview.status()) == v1::REASON_LOOP;
    if (!request.validate_only() && (loop || request.require_reachable())) {
      return Annotate(preview.status(), places.front().target);
    }
    response.mutable_preview()->set_refused_reason(ReasonName(ReasonOf(preview.status())));
    response.mutable_preview()->set_refused_message(std::string(preview.status().message()));
  }
  for (const v1::UpstreamStatus& upstream : upstreams) *response.add_upstreams() = upstream;
  if (request.validate_only()) return response;

  CatalogChange change;
  if (wanted.empty()) {
    change.DeleteRow(Family::kSettings, kUpstreamsSetting);
    options_.audit(context, "clear upstreams", Targets(upstreams), "as configured", change);
  } else {
    v1::ListUpstreamsResponse row;
    for (const v1::UpstreamStatus& upstream : wanted) *row.add_upstreams() = upstream;
    change.PutRow(Family::kSettings, kUpstreamsSetting, row);
    options_.audit(context, "set upstreams", Targets(upstreams), "", change);
  }
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  driver_.SetUpstreams(std::move(places));
  return response;
}

absl::StatusOr<v1::AdoptUpstreamResponse> UpstreamService::Adopt(
    const CallContext& context, const v1::AdoptUpstreamRequest& request) {
  const CatalogReader reader = catalog_.Read();
  if (request.validate_only()) return PreviewAdoption(reader, content_);
  ASSIGN_OR_RETURN(const KeptCount kept, CountKept(reader));
  if (!request.confirmed() && kept.records * 100 > kept.records_here * options_.guard_percent) {
    return MakeError(v1::REASON_GUARD_HELD,
                     absl::StrCat("adopting the upstream would remove ", kept.records, " of ",
                                  kept.records_here, " records; the limit is ",
                                  options_.guard_percent, " %, unless it is confirmed"));
  }
  ASSIGN_OR_RETURN(
      const v1::AdoptUpstreamResponse response,
      AdoptUpstream(catalog_, content_, [&](CatalogChange& change) {
        const std::string detail =
            absl::StrCat(kept.records, " records, ", kept.updates, " of them revisions of updates");
        options_.audit(context, "adopt upstream", driver_.Followed().target(), detail, change);
      }));
  driver_.Post(RecordsRemoved{});
  return response;
}

}  // namespace sluice
