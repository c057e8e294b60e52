#include "upstream/update_summary.h"

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "upstream/node_label.h"

namespace sluice {
namespace {

// From best to worst.
int Badness(v1::ContentState state) {
  switch (state) {
    case v1::CONTENT_STATE_FAILED:
      return 5;
    case v1::CONTENT_STATE_WAITING_UPSTREAM:
      return 4;
    case v1::CONTENT_STATE_QUEUED:
      return 3;
    case v1::CONTENT_STATE_FETCHING:
      return 2;
    case v1::CONTENT_STATE_READY:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

absl::StatusOr<UpdateSummarizer> UpdateSummarizer::Make(const CatalogReader& reader,
                                                        ContentStore& content, absl::Time now) {
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader));
  ASSIGN_OR_RETURN(Selection selection, Selection::Expand(reader, subscription));
  ASSIGN_OR_RETURN(SiteNotices notices, SiteNotices::Read(reader));
  return UpdateSummarizer(reader, content, std::move(selection), std::move(notices), now);
}

bool UpdateSummarizer::WantsFiles(const UpdateStanding& standing) const {
  return standing.approved() && !notices_.Suppressed(standing.current->key.id);
}

absl::Status UpdateSummarizer::TellHeldBack(const UpdateStanding& standing,
                                            v1::UpdateSummary& summary) const {
  if (!standing.approved()) return absl::OkStatus();
  const std::optional<v1::SiteNotice> notice = notices_.HeldBack(standing.current->key.id, now_);
  if (!notice.has_value()) return absl::OkStatus();
  summary.set_state(v1::UPDATE_STATE_HELD_BACK);
  *summary.mutable_held_back() = *notice;
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader_.State());
  ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(notice->node_id()));
  ASSIGN_OR_RETURN(const std::string label, LabelOfNodeAbove(reader_, node));
  summary.set_held_back_by(label.empty() ? node.ToString() : label);
  if (state.node_id() == node.view()) summary.set_held_back_by("this node");
  return absl::OkStatus();
}

std::string UpdateSummarizer::PathOf(absl::string_view category_id) const {
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(category_id);
  if (!id.ok()) return "";
  const absl::StatusOr<RecordColumns> category =
      reader_.GetColumns({v1::RECORD_KIND_CATEGORY, *id, 0, {}});
  return category.ok() ? category->header.path() : id->ToString();
}

v1::FileStatus UpdateSummarizer::StateOfFile(absl::string_view sha256, int64_t size_bytes,
                                             bool wanted) const {
  v1::FileStatus status;
  status.set_size_bytes(size_bytes);
  const absl::StatusOr<Digest> digest = Digest::FromBytes(sha256);
  if (!digest.ok()) return status;
  status.set_sha256(digest->ToHex());
  const absl::StatusOr<ContentInfo> here = content_->Stat(*digest);
  if (here.ok() && here->size_bytes == size_bytes) {
    status.set_state(v1::CONTENT_STATE_READY);
    return status;
  }
  status.set_state(wanted ? v1::CONTENT_STATE_QUEUED : v1::CONTENT_STATE_NOT_WANTED);
  const absl::StatusOr<stored::v1::ContentRow> row =
      reader_.GetRow<stored::v1::ContentRow>(Family::kContent, digest->view());
  if (wanted && row.ok()) {
    status.set_state(row->state());
    status.set_detail(row->last_failure().message());
  }
  return status;
}

absl::StatusOr<v1::UpdateSummary> UpdateSummarizer::Summarize(
    const UpdateStanding& standing) const {
  const RecordColumns& current = *standing.current;
  const stored::v1::RecordHeader& header = current.header;
  v1::UpdateSummary summary;
  summary.set_update_id(current.key.id.ToString());
  summary.set_revision(current.key.revision);
  ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(header.digest()));
  summary.set_revision_digest(digest.ToHex());
  summary.set_title(header.title());
  for (const std::string& id : header.product_ids()) summary.add_products(PathOf(id));
  summary.set_classification(PathOf(header.classification_id()));
  summary.set_severity(header.severity());
  summary.set_state(standing.state);
  RETURN_IF_ERROR(TellHeldBack(standing, summary));
  const bool wanted = WantsFiles(standing);
  summary.set_expired(standing.expiry.has_value());
  summary.set_missing_upstream(current.key.kept());
  summary.set_content(v1::CONTENT_STATE_NOT_WANTED);
  for (const stored::v1::FileReference& file : header.files()) {
    if (!selection_.TakesFile(file.languages())) continue;
    summary.set_files(summary.files() + 1);
    summary.set_size_bytes(summary.size_bytes() + file.size_bytes());
    const v1::ContentState state = StateOfFile(file.sha256(), file.size_bytes(), wanted).state();
    if (state == v1::CONTENT_STATE_READY) summary.set_files_ready(summary.files_ready() + 1);
    if (wanted && Badness(state) > Badness(summary.content())) {
      summary.set_content(state);
    }
  }
  return summary;
}

}  // namespace sluice
