#include "upstream/replication_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/acknowledgements.h"
#include "storage/leases.h"
#include "storage/selection.h"
#include "upstream/heard_nodes.h"
#include "upstream/records_answer.h"

namespace sluice {
namespace {

constexpr int kKeysPerRequestMax = 512;
constexpr int kNodesPerReportMax = 10'000;
constexpr int kTreeDepthMax = 8;
constexpr absl::Duration kSweepInterval = absl::Hours(24);

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

// How the caller should go on, and why where it must compare first. `ours` is asked for last: with
// many picks it costs something.
absl::Status Judge(const v1::HelloRequest& request,
                   const std::function<absl::StatusOr<Fingerprint>()>& ours,
                   v1::HelloResponse& response) {
  const v1::Cursor& cursor = request.cursor();
  const auto reconcile = [&response](v1::Reason reason) {
    response.set_verdict(v1::HELLO_VERDICT_RECONCILE);
    response.set_verdict_reason(ReasonName(reason));
  };
  response.set_verdict(v1::HELLO_VERDICT_TAIL);
  if (cursor.upstream_id().empty()) {
    // A node that has nothing simply begins at the beginning.
    if (request.fingerprint().count() > 0) reconcile(v1::REASON_UPSTREAM_CHANGED);
  } else if (cursor.upstream_id() != response.node_id()) {
    reconcile(v1::REASON_UPSTREAM_CHANGED);
  } else if (cursor.epoch().epoch_id() != response.epoch().epoch_id()) {
    reconcile(v1::REASON_EPOCH_CHANGED);
  } else if (cursor.seq() > response.head_seq()) {
    reconcile(v1::REASON_SEQ_AHEAD);
  } else if (cursor.selection_hash() != response.selection_hash()) {
    reconcile(v1::REASON_SELECTION_CHANGED);
  } else if (cursor.seq() == response.head_seq()) {
    const absl::StatusOr<Fingerprint> theirs = Fingerprint::FromProto(request.fingerprint());
    ASSIGN_OR_RETURN(const Fingerprint here, ours());
    if (theirs.ok() && *theirs == here) response.set_verdict(v1::HELLO_VERDICT_UP_TO_DATE);
  }
  return absl::OkStatus();
}

}  // namespace

ReplicationServer::ReplicationServer(Catalog& catalog, Clock& clock, Options options)
    : catalog_(catalog), clock_(clock), options_(std::move(options)), sums_(catalog) {}

absl::StatusOr<v1::HelloResponse> ReplicationServer::Hello(const v1::HelloRequest& request) {
  ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(request.node_id()));
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));

  v1::HelloResponse response;
  response.set_node_id(state.node_id());
  response.set_node_name(options_.node_name);
  response.set_protocol(v1::PROTOCOL_VERSION_1);
  *response.mutable_epoch() = state.epoch();
  response.set_head_seq(state.head_seq());
  if (!above.node_id().empty()) {
    response.add_ancestors(above.node_id());
    response.mutable_ancestors()->MergeFrom(above.ancestors());
  }
  RETURN_IF_ERROR(CheckPlace(request, response));

  ASSIGN_OR_RETURN(const Selection selection,
                   Selection::Expand(reader, request.subscription(), request.mode()));
  response.set_selection_hash(selection.hash().bytes());
  ASSIGN_OR_RETURN(*response.mutable_subscription(), ReadSubscription(reader));
  *response.mutable_server_time() = ToTimestamp(clock_.Now());
  RETURN_IF_ERROR(Judge(
      request, [&] { return sums_.Of(reader, selection, child); }, response));
  if (response.verdict() != v1::HELLO_VERDICT_UP_TO_DATE) return response;
  if (board_.HasNewsFor(child)) {
    // One with nothing new need not report, and would not hear it.
    response.set_verdict(v1::HELLO_VERDICT_TAIL);
    return response;
  }
  RETURN_IF_ERROR(HearGreeting(child));
  return response;
}

absl::Status ReplicationServer::HearGreeting(const Uuid& child) {
  CatalogChange change;
  RETURN_IF_ERROR(HearNode(catalog_.Read(), child, clock_.Now(), change));
  if (change.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  if (options_.on_report) options_.on_report();
  return absl::OkStatus();
}

// Whether the caller may follow this node at all.
absl::Status ReplicationServer::CheckPlace(const v1::HelloRequest& request,
                                           const v1::HelloResponse& response) const {
  if (request.protocol_min() > v1::PROTOCOL_VERSION_1 ||
      request.protocol_max() < v1::PROTOCOL_VERSION_1) {
    return MakeError(v1::REASON_UPSTREAM_VERSION,
                     absl::StrCat("this node speaks protocol 1, the caller ",
                                  request.protocol_min(), " to ", request.protocol_max()));
  }
  if (request.node_id() == response.node_id()) {
    return MakeError(
        v1::REASON_DUPLICATE_NODE,
        absl::StrCat("the caller's node id is this node's own, ", catalog_.node_id().ToString()));
  }
  const auto& ancestors = response.ancestors();
  if (std::find(ancestors.begin(), ancestors.end(), request.node_id()) != ancestors.end()) {
    return MakeError(v1::REASON_LOOP,
                     absl::StrCat("node \"", request.node_name(), "\" is above this node, \"",
                                  options_.node_name, "\", and cannot follow it"));
  }
  const int64_t depth = ancestors.size() + 1 + std::max<int64_t>(request.levels_below(), 1);
  if (depth > kTreeDepthMax) {
    return MakeError(v1::REASON_TOO_DEEP, absl::StrCat("the tree would have ", depth,
                                                       " levels; the limit is ", kTreeDepthMax));
  }
  return absl::OkStatus();
}

absl::StatusOr<ChangeFeed> ReplicationServer::Changes(const v1::ChangesRequest& request) const {
  return ChangeFeed::Open(catalog_, request, {&sums_, &messages_});
}

absl::StatusOr<CatalogLoad> ReplicationServer::Load(const v1::LoadRequest& request) const {
  return CatalogLoad::Open(catalog_, request, options_.load_pack_bytes);
}

absl::StatusOr<v1::GetRecordsResponse> ReplicationServer::GetRecords(
    const v1::GetRecordsRequest& request) const {
  const int asked = request.keys_size() + request.update_ids_size();
  if (asked > kKeysPerRequestMax) {
    return InvalidRequest(
        {{"keys", absl::StrCat("asks for ", asked, " items; the limit is ", kKeysPerRequestMax)}});
  }
  RecordsAnswer answer(catalog_.Read());
  for (const v1::RecordKey& wanted : request.keys()) {
    ASSIGN_OR_RETURN(const RecordKey key, RecordKey::FromProto(wanted));
    RETURN_IF_ERROR(answer.AddRecord(key, request.mode()));
  }
  for (const std::string& bytes : request.update_ids()) {
    ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(bytes));
    RETURN_IF_ERROR(answer.AddUpdate(update, request.mode()));
  }
  return std::move(answer).Take();
}

absl::StatusOr<v1::ReportResponse> ReplicationServer::Report(const v1::ReportRequest& request) {
  if (request.nodes_size() > kNodesPerReportMax) {
    return InvalidRequest({{"nodes", absl::StrCat("holds ", request.nodes_size(),
                                                  " nodes; the limit is ", kNodesPerReportMax)}});
  }
  if (request.acknowledgements_size() > kAcknowledgementsPerReport) {
    return InvalidRequest(
        {{"acknowledgements", absl::StrCat("holds ", request.acknowledgements_size(),
                                           "; the limit is ", kAcknowledgementsPerReport)}});
  }
  RETURN_IF_ERROR(CheckNotLate(catalog_.Read(), request));
  CatalogChange former;
  RETURN_IF_ERROR(ForgetFormerHistories(catalog_.Read(), request, former));
  if (!former.empty()) RETURN_IF_ERROR(catalog_.Commit(former).status());
  const CatalogReader reader = catalog_.Read();
  CatalogChange change;
  RETURN_IF_ERROR(HearNodes(reader, request, clock_.Now(), change));
  RETURN_IF_ERROR(
      TakeAcknowledgements(reader, request.nodes(), request.acknowledgements(), change));
  RETURN_IF_ERROR(PutLeases(catalog_.Read(), request.leases(), clock_.Now(), change));
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  RETURN_IF_ERROR(SweepNodes());
  if (options_.on_report) options_.on_report();
  v1::ReportResponse response;
  if (request.nodes().empty()) return response;
  ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(request.nodes(0).node_id()));
  board_.Told(child);
  if (const absl::Time wanted = board_.parity_wanted_at(); wanted != absl::InfinitePast()) {
    *response.mutable_parity_wanted_at() = ToTimestamp(wanted);
  }
  if (options_.answer_report) RETURN_IF_ERROR(options_.answer_report(child, response));
  return response;
}

// Once a day.
absl::Status ReplicationServer::SweepNodes() {
  const absl::Time now = clock_.Now();
  const int64_t last = swept_at_seconds_.load();
  if (now - absl::FromUnixSeconds(last) < kSweepInterval) return absl::OkStatus();
  swept_at_seconds_ = absl::ToUnixSeconds(now);
  CatalogChange change;
  RETURN_IF_ERROR(ForgetSilentNodes(catalog_.Read(), now, change));
  return change.empty() ? absl::OkStatus() : catalog_.Commit(change).status();
}

}  // namespace sluice
