#include "upstream/tree_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "upstream/page.h"
#include "upstream/tree_walk.h"

namespace sluice {
namespace {

constexpr int kNodesMax = 10'000;

bool IsPresent(ContentStore& content, const ContentInfo& file) {
  const absl::StatusOr<ContentInfo> here = content.Stat(file.digest);
  return here.ok() && here->size_bytes == file.size_bytes;
}

// The place in a list that a page begins at.
absl::StatusOr<size_t> BeginOf(const Page& page) {
  size_t begin = 0;
  if (!page.after.empty() && !absl::SimpleAtoi(page.after, &begin)) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  return begin;
}

}  // namespace

TreeService::TreeService(Catalog& catalog, ContentStore& content, Clock& clock, Options options)
    : catalog_(catalog), content_(content), clock_(clock), options_(std::move(options)) {}

void TreeService::SetListeners(std::vector<std::string> listeners) {
  options_.listeners = std::move(listeners);
}

void TreeService::AddTo(Router& router) {
  router.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
      "sluice.v1.TreeService/ListNodes",
      [this](const CallContext&, const v1::ListNodesRequest& request) {
        return ListNodes(request);
      });
  router.Unary<v1::GetNodeRequest, v1::GetNodeResponse>(
      "sluice.v1.TreeService/GetNode",
      [this](const CallContext&, const v1::GetNodeRequest&) { return GetNode(); });
  router.Unary<v1::WhereRequest, v1::WhereResponse>(
      "sluice.v1.TreeService/Where",
      [this](const CallContext&, const v1::WhereRequest& request) { return Where(request); });
  router.Unary<v1::ExplainRequest, v1::ExplainResponse>(
      "sluice.v1.TreeService/Explain",
      [this](const CallContext&, const v1::ExplainRequest& request) { return Explain(request); });
}

absl::StatusOr<v1::TreeNode> TreeService::Self() const {
  v1::TreeNode node;
  ASSIGN_OR_RETURN(*node.mutable_status(), options_.self());
  *node.mutable_heard_at() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  // What this node has not followed yet, its upstream knows.
  node.set_lag(options_.upstream_target.empty() ? 0 : -1);
  return node;
}

absl::StatusOr<std::vector<v1::TreeNode>> TreeService::Nodes(const CatalogReader& reader) const {
  ASSIGN_OR_RETURN(auto rows, reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  std::vector<v1::TreeNode> below;
  for (auto& [key, node] : rows) below.push_back(std::move(node));
  ASSIGN_OR_RETURN(v1::TreeNode self, Self());
  return WalkTree(std::move(self), std::move(below));
}

absl::StatusOr<v1::ListNodesResponse> TreeService::ListNodes(
    const v1::ListNodesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  ASSIGN_OR_RETURN(const size_t begin, BeginOf(page));
  ASSIGN_OR_RETURN(std::vector<v1::TreeNode> nodes, Nodes(catalog_.Read()));
  v1::ListNodesResponse response;
  const size_t end = std::min(begin + static_cast<size_t>(page.size), nodes.size());
  for (size_t i = begin; i < end; ++i) *response.add_nodes() = std::move(nodes[i]);
  if (end < nodes.size()) response.set_next_page_token(PageToken(absl::StrCat(end)));
  return response;
}

absl::StatusOr<v1::GetNodeResponse> TreeService::GetNode() const {
  v1::GetNodeResponse response;
  ASSIGN_OR_RETURN(*response.mutable_node(), Self());
  response.mutable_node()->set_node_id(NodeIdText(response.node().status().node_id()));
  response.mutable_node()->set_upstream_id(NodeIdText(response.node().status().upstream_id()));
  response.set_upstream_target(options_.upstream_target);
  response.mutable_listeners()->Add(options_.listeners.begin(), options_.listeners.end());
  return response;
}

absl::StatusOr<UpdatePlaces> TreeService::PlacesOf(const std::string& update_id) const {
  const absl::StatusOr<Uuid> id = Uuid::Parse(update_id);
  if (!id.ok()) return InvalidRequest({{"update_id", std::string(id.status().message())}});
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(std::vector<v1::TreeNode> nodes, Nodes(reader));
  return UpdatePlaces::Make(
      reader, *id, std::move(nodes),
      [this](const ContentInfo& file) { return IsPresent(content_, file); }, clock_.Now());
}

absl::StatusOr<v1::WhereResponse> TreeService::Where(const v1::WhereRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  ASSIGN_OR_RETURN(const size_t begin, BeginOf(page));
  ASSIGN_OR_RETURN(const UpdatePlaces places, PlacesOf(request.update_id()));
  v1::WhereResponse response;
  response.set_title(places.title());
  const size_t end = std::min(begin + static_cast<size_t>(page.size), places.size());
  for (size_t i = begin; i < end; ++i) *response.add_places() = places.PlaceAt(i);
  if (end < places.size()) response.set_next_page_token(PageToken(absl::StrCat(end)));
  return response;
}

absl::StatusOr<v1::ExplainResponse> TreeService::Explain(const v1::ExplainRequest& request) const {
  ASSIGN_OR_RETURN(const UpdatePlaces places, PlacesOf(request.update_id()));
  return places.Explain(request.node());
}

}  // namespace sluice
