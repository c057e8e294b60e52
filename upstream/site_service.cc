#include "upstream/site_service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/payload.h"
#include "storage/site_notices.h"
#include "upstream/node_label.h"
#include "upstream/page.h"

namespace sluice {
namespace {

constexpr int kUpdatesMax = 1000;
constexpr size_t kCommentBytesMax = 1024;

// The notice that this node has about an update; none when it says nothing.
absl::StatusOr<std::optional<v1::SiteNotice>> PresentNotice(const CatalogReader& reader,
                                                            const RecordKey& key) {
  const absl::StatusOr<v1::Record> record = reader.GetRecord(key);
  if (absl::IsNotFound(record.status())) return std::optional<v1::SiteNotice>();
  RETURN_IF_ERROR(record.status());
  ASSIGN_OR_RETURN(v1::SiteNotice notice, UnpackSiteNotice(*record));
  return std::optional(std::move(notice));
}

// Whether two notices hide alike, whoever says so and why.
bool SaysTheSame(const v1::SiteNotice& a, const v1::SiteNotice& b) {
  return a.suppressed() == b.suppressed() && a.has_held_until() == b.has_held_until() &&
         HeldUntil(a) == HeldUntil(b);
}

std::string DetailOf(const v1::NoticeResult& result, const std::optional<v1::SiteNotice>& notice) {
  if (!notice.has_value() || !notice->has_held_until()) return result.update_id();
  return absl::StrCat(result.update_id(), " until ",
                      absl::FormatTime(absl::RFC3339_sec, HeldUntil(*notice), absl::UTCTimeZone()));
}

}  // namespace

void SiteService::AddTo(Router& router) {
  router.Unary<v1::HoldUpdatesRequest, v1::HoldUpdatesResponse>(
      "sluice.v1.SiteService/HoldUpdates",
      [this](const CallContext& context, const v1::HoldUpdatesRequest& request) {
        return Hold(context, request);
      });
  router.Unary<v1::SuppressUpdatesRequest, v1::SuppressUpdatesResponse>(
      "sluice.v1.SiteService/SuppressUpdates",
      [this](const CallContext& context, const v1::SuppressUpdatesRequest& request) {
        return Suppress(context, request);
      });
  router.Unary<v1::ReleaseUpdatesRequest, v1::ReleaseUpdatesResponse>(
      "sluice.v1.SiteService/ReleaseUpdates",
      [this](const CallContext& context, const v1::ReleaseUpdatesRequest& request) {
        return Release(context, request);
      });
  router.Unary<v1::ListNoticesRequest, v1::ListNoticesResponse>(
      "sluice.v1.SiteService/ListNotices",
      [this](const CallContext&, const v1::ListNoticesRequest& request) { return List(request); });
}

absl::StatusOr<v1::HoldUpdatesResponse> SiteService::Hold(const CallContext& context,
                                                          const v1::HoldUpdatesRequest& request) {
  v1::SiteNotice notice;
  *notice.mutable_held_until() = request.held_until();
  if (!request.has_held_until() || HeldUntil(notice) <= clock_.Now()) {
    return InvalidRequest({{"held_until", "must be a time in the future"}});
  }
  v1::HoldUpdatesResponse response;
  ASSIGN_OR_RETURN(*response.mutable_results(),
                   Change(context, request.update_ids(),
                          {"hold", request.comment(), notice, request.validate_only()}));
  return response;
}

absl::StatusOr<v1::SuppressUpdatesResponse> SiteService::Suppress(
    const CallContext& context, const v1::SuppressUpdatesRequest& request) {
  v1::SiteNotice notice;
  notice.set_suppressed(true);
  v1::SuppressUpdatesResponse response;
  ASSIGN_OR_RETURN(*response.mutable_results(),
                   Change(context, request.update_ids(),
                          {"suppress", request.comment(), notice, request.validate_only()}));
  return response;
}

absl::StatusOr<v1::ReleaseUpdatesResponse> SiteService::Release(
    const CallContext& context, const v1::ReleaseUpdatesRequest& request) {
  v1::ReleaseUpdatesResponse response;
  ASSIGN_OR_RETURN(*response.mutable_results(),
                   Change(context, request.update_ids(),
                          {"release", request.comment(), std::nullopt, request.validate_only()}));
  return response;
}

absl::StatusOr<SiteService::Results> SiteService::Change(
    const CallContext& context, const google::protobuf::RepeatedPtrField<std::string>& update_ids,
    const Wish& wish) {
  if (update_ids.empty()) return InvalidRequest({{"update_ids", "is empty"}});
  if (update_ids.size() > kUpdatesMax) {
    return InvalidRequest({{"update_ids", absl::StrCat("holds ", update_ids.size(),
                                                       "; the limit is ", kUpdatesMax)}});
  }
  if (wish.comment.size() > kCommentBytesMax) {
    return InvalidRequest({{"comment", "is over 1 KiB"}});
  }
  const CatalogReader reader = catalog_.Read();
  CatalogChange change;
  Results results;
  for (const std::string& update_id : update_ids) {
    v1::NoticeResult& result = *results.Add();
    result.set_update_id(update_id);
    const absl::Status status = ChangeOne(context, reader, wish, result, change);
    result.mutable_status()->set_code(static_cast<int>(status.code()));
    if (status.ok()) continue;
    result.mutable_status()->set_reason(ReasonName(ReasonOf(status)));
    result.mutable_status()->set_message(std::string(status.message()));
  }
  if (wish.validate_only || change.empty()) return results;
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  return results;
}

absl::Status SiteService::ChangeOne(const CallContext& context, const CatalogReader& reader,
                                    const Wish& wish, v1::NoticeResult& result,
                                    CatalogChange& change) const {
  ASSIGN_OR_RETURN(const Uuid update, Uuid::Parse(result.update_id()));
  const RecordKey key = {v1::RECORD_KIND_SITE, SiteNoticeId(catalog_.node_id(), update), 0, {}};
  ASSIGN_OR_RETURN(const std::optional<v1::SiteNotice> present, PresentNotice(reader, key));
  const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
  if (current.ok()) result.set_title(current->header.title());
  // What was held back can be released after it has left.
  if (!current.ok() && !present.has_value()) return current.status();

  if (!wish.notice.has_value()) {
    result.set_changed(present.has_value());
    if (present.has_value()) change.Delete(key);
  } else {
    result.set_changed(!present.has_value() || !SaysTheSame(*present, *wish.notice));
    v1::SiteNotice notice = *wish.notice;
    notice.set_node_id(catalog_.node_id().bytes());
    notice.set_update_id(update.bytes());
    notice.set_decided_by(ActorOf(context));
    notice.set_comment(wish.comment);
    if (result.changed()) {
      ASSIGN_OR_RETURN(CheckedRecord packed, PackSiteNotice(notice));
      change.Originate(std::move(packed));
    }
  }
  if (result.changed()) {
    const std::string detail = DetailOf(result, wish.notice);
    audit_.Add(context, wish.action, result.title().empty() ? result.update_id() : result.title(),
               wish.comment.empty() ? detail : absl::StrCat(detail, ": ", wish.comment), change);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ListNoticesResponse> SiteService::List(
    const v1::ListNoticesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> rows,
                   reader.List(v1::RECORD_KIND_SITE, page.after, page.size + 1));
  v1::ListNoticesResponse response;
  for (const RecordColumns& row : rows) {
    if (response.notices_size() == page.size) break;
    ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(row.key));
    v1::NoticeStatus& status = *response.add_notices();
    ASSIGN_OR_RETURN(*status.mutable_notice(), UnpackSiteNotice(record));
    ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(status.notice().update_id()));
    ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(status.notice().node_id()));
    status.set_update_id(update.ToString());
    status.set_node_id(node.ToString());
    status.set_own(node == catalog_.node_id());
    ASSIGN_OR_RETURN(const std::string label, LabelOfNodeAbove(reader, node));
    status.set_node_name(status.own() ? node_name_ : label);
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(update);
    if (current.ok()) status.set_title(current->header.title());
  }
  if (static_cast<int>(rows.size()) > page.size) {
    const auto last = static_cast<size_t>(page.size - 1);
    response.set_next_page_token(PageToken(rows[last].key.Encode()));
  }
  return response;
}

}  // namespace sluice
