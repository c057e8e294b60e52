#include "upstream/catalog_service.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/payload.h"
#include "upstream/inactive_updates.h"
#include "upstream/page.h"
#include "upstream/update_summary.h"
#include "upstream/update_walk.h"

namespace sluice {
namespace {

constexpr int kScanPage = 500;

// Which updates a list shows.
class Filter {
 public:
  static absl::StatusOr<Filter> Make(const CatalogReader& reader, const v1::UpdateFilter& request) {
    v1::Subscription subscription;
    if (!request.product().empty()) subscription.add_products(request.product());
    if (!request.classification().empty()) {
      subscription.add_classifications(request.classification());
    }
    ASSIGN_OR_RETURN(Selection selection, Selection::Expand(reader, subscription));
    return Filter(request, std::move(selection));
  }

  // By columns alone, before anything else is read.
  bool Takes(const stored::v1::RecordHeader& header) const {
    v1::ShardDefinition shard;
    *shard.mutable_product_ids() = header.product_ids();
    shard.set_classification_id(header.classification_id());
    if (!selection_.Matches(shard)) return false;
    return text_.empty() || absl::StrContains(header.search_words(), text_) ||
           absl::StrContains(absl::AsciiStrToLower(header.title()), text_);
  }

  bool TakesState(v1::UpdateState state) const {
    return request_.state() == v1::UPDATE_STATE_UNSPECIFIED || request_.state() == state;
  }

  // What was decided, before it is known whether a node holds it back.
  bool MayTake(v1::UpdateState decided) const {
    return TakesState(decided) ||
           (request_.state() == v1::UPDATE_STATE_HELD_BACK && decided == v1::UPDATE_STATE_APPROVED);
  }

  bool Takes(const v1::UpdateSummary& summary) const {
    if (!TakesState(summary.state())) return false;
    return !request_.failed() || summary.content() == v1::CONTENT_STATE_FAILED;
  }

  const Selection& selection() const { return selection_; }

 private:
  Filter(v1::UpdateFilter request, Selection selection)
      : request_(std::move(request)),
        text_(absl::AsciiStrToLower(request_.text())),
        selection_(std::move(selection)) {}

  v1::UpdateFilter request_;
  std::string text_;
  Selection selection_;
};

const v1::LocalizedText& TextIn(const v1::Revision& revision, absl::string_view language) {
  const v1::LocalizedText* best = &revision.texts(0);
  for (const v1::LocalizedText& text : revision.texts()) {
    if (text.language() == language) return text;
    if (text.language() == "en") best = &text;
  }
  return *best;
}

absl::StatusOr<v1::RevisionStatus> DescribeRevision(const CatalogReader& reader,
                                                    const UpdateSummarizer& summarizer,
                                                    const RecordColumns& columns,
                                                    bool wants_files) {
  v1::RevisionStatus status;
  status.set_revision(columns.key.revision);
  status.set_missing_upstream(columns.key.kept());
  ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(columns.header.digest()));
  status.set_digest(digest.ToHex());
  ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(columns.key));
  ASSIGN_OR_RETURN(*status.mutable_payload(), UnpackRevision(record));
  for (const v1::UpdateFile& file : status.payload().files()) {
    const bool wanted = wants_files && summarizer.selection().TakesFile(file.languages());
    v1::FileStatus file_status = summarizer.StateOfFile(file.sha256(), file.size_bytes(), wanted);
    file_status.set_name(file.name());
    file_status.set_architecture(file.architecture());
    *file_status.mutable_languages() = file.languages();
    *status.add_files() = std::move(file_status);
  }
  return status;
}

v1::DecisionStatus DescribeDecision(const CatalogReader& reader, const StandingDecision& standing) {
  v1::DecisionStatus status;
  status.set_key(standing.decision.key());
  *status.mutable_decision() = standing.decision;
  if (standing.decision.has_deadline()) {
    *status.mutable_deadline() = standing.decision.deadline();
  }
  if (const std::optional<Uuid> group = GroupOfDecisionKey(standing.decision.key())) {
    status.set_group_id(group->ToString());
    status.set_pending(!standing.revision.has_value());
    const absl::StatusOr<RecordColumns> columns =
        reader.GetColumns({v1::RECORD_KIND_TARGET_GROUP, *group, 0, {}});
    if (columns.ok()) status.set_group_name(columns->header.title());
  }
  return status;
}

}  // namespace

void CatalogService::AddTo(Router& router) {
  router.Unary<v1::ListUpdatesRequest, v1::ListUpdatesResponse>(
      "sluice.v1.CatalogService/ListUpdates",
      [this](const CallContext&, const v1::ListUpdatesRequest& request) {
        return ListUpdates(request);
      });
  router.Unary<v1::GetUpdateRequest, v1::GetUpdateResponse>(
      "sluice.v1.CatalogService/GetUpdate",
      [this](const CallContext&, const v1::GetUpdateRequest& request) {
        return GetUpdate(request);
      });
  router.Unary<v1::ListCategoriesRequest, v1::ListCategoriesResponse>(
      "sluice.v1.CatalogService/ListCategories",
      [this](const CallContext&, const v1::ListCategoriesRequest& request) {
        return ListCategories(request);
      });
}

absl::StatusOr<v1::ListUpdatesResponse> CatalogService::ListUpdates(
    const v1::ListUpdatesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  const CatalogReader reader = catalog_.Read();
  if (request.filter().state() == v1::UPDATE_STATE_INACTIVE) {
    return ListInactiveUpdates(reader, page);
  }
  ASSIGN_OR_RETURN(const UpdateSummarizer summarizer,
                   UpdateSummarizer::Make(reader, content_, clock_.Now()));
  ASSIGN_OR_RETURN(const Filter filter, Filter::Make(reader, request.filter()));
  v1::ListUpdatesResponse response;
  Uuid after;
  if (!page.after.empty()) {
    const absl::StatusOr<Uuid> last = Uuid::FromBytes(page.after);
    if (!last.ok()) return InvalidRequest({{"page_token", "is none that this node gave out"}});
    after = *last;
  }
  ASSIGN_OR_RETURN(const UpdateWalk walk,
                   UpdateWalk::Make(reader, request.filter().state(), filter.selection()));
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows, walk.Next(after, kScanPage));
    if (rows.empty()) return response;
    for (const RecordColumns& row : rows) {
      if (response.updates_size() == page.size) {
        response.set_next_page_token(PageToken(after.view()));
        return response;
      }
      after = row.key.id;
      if (!filter.Takes(row.header)) continue;
      ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, row.key.id));
      if (!filter.MayTake(standing.state)) continue;
      ASSIGN_OR_RETURN(v1::UpdateSummary summary, summarizer.Summarize(standing));
      if (filter.Takes(summary)) *response.add_updates() = std::move(summary);
    }
  }
}

absl::StatusOr<v1::GetUpdateResponse> CatalogService::GetUpdate(
    const v1::GetUpdateRequest& request) const {
  const absl::StatusOr<Uuid> id = Uuid::Parse(request.update_id());
  if (!id.ok()) return InvalidRequest({{"update_id", std::string(id.status().message())}});
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const UpdateSummarizer summarizer,
                   UpdateSummarizer::Make(reader, content_, clock_.Now()));
  ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, *id));
  v1::GetUpdateResponse response;
  for (const StandingDecision& decision : standing.decisions) {
    *response.add_decisions() = DescribeDecision(reader, decision);
  }
  if (standing.inactive()) {
    response.mutable_summary()->set_update_id(id->ToString());
    response.mutable_summary()->set_state(standing.state);
    return response;
  }
  if (!standing.current.has_value()) {
    return MakeError(v1::REASON_ITEM_NOT_FOUND,
                     absl::StrCat("update ", request.update_id(), " is not here"));
  }
  ASSIGN_OR_RETURN(*response.mutable_summary(), summarizer.Summarize(standing));
  const bool wanted = summarizer.WantsFiles(standing);
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> revisions, reader.Revisions(*id));
  for (const RecordColumns& columns : revisions) {
    ASSIGN_OR_RETURN(*response.add_revisions(),
                     DescribeRevision(reader, summarizer, columns, wanted));
  }
  v1::RevisionStatus& current = *response.mutable_revisions()->rbegin();
  current.set_current(true);
  const std::string language = request.language().empty() ? "en" : request.language();
  const v1::LocalizedText& text = TextIn(current.payload(), language);
  response.mutable_summary()->set_title(text.title());
  response.set_description(text.description());
  if (standing.expiry.has_value()) response.set_expiry_reason(standing.expiry->header.title());
  return response;
}

absl::StatusOr<v1::ListCategoriesResponse> CatalogService::ListCategories(
    const v1::ListCategoriesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  const CatalogReader reader = catalog_.Read();
  std::map<std::string, RecordColumns> by_path;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(std::vector<RecordColumns> rows,
                     reader.List(v1::RECORD_KIND_CATEGORY, after, kScanPage));
    if (rows.empty()) break;
    after = rows.back().key.Encode();
    for (RecordColumns& row : rows) by_path.emplace(row.header.path(), std::move(row));
  }
  // Shards say how many updates a product or classification has.
  std::map<std::string, int64_t> counts;
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    if (shard.definition.stream() != v1::STREAM_KIND_CATALOG) continue;
    const auto count = static_cast<int64_t>(shard.fingerprint.count());
    for (const std::string& id : shard.definition.product_ids()) counts[id] += count;
    counts[shard.definition.classification_id()] += count;
  }
  v1::ListCategoriesResponse response;
  for (auto row = by_path.upper_bound(page.after); row != by_path.end(); ++row) {
    if (response.categories_size() == page.size) {
      response.set_next_page_token(PageToken(std::prev(row)->first));
      break;
    }
    v1::CategoryStatus& category = *response.add_categories();
    category.set_category_id(row->second.key.id.ToString());
    category.set_path(row->first);
    category.set_kind(row->second.header.category_kind());
    category.set_updates(counts[row->second.key.id.bytes()]);
  }
  return response;
}

}  // namespace sluice
