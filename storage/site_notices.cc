#include "storage/site_notices.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/payload.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;

// Whether two nodes' lists say the same; they are in the order of their records' ids.
bool Same(const std::vector<v1::SiteNotice>& a, const std::vector<v1::SiteNotice>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const v1::SiteNotice& one, const v1::SiteNotice& other) {
                      return one.SerializeAsString() == other.SerializeAsString();
                    });
}

}  // namespace

absl::Time HeldUntil(const v1::SiteNotice& notice) {
  return absl::FromUnixSeconds(notice.held_until().seconds()) +
         absl::Nanoseconds(notice.held_until().nanos());
}

absl::StatusOr<SiteNotices> SiteNotices::Read(const CatalogReader& reader) {
  return Read(reader, nullptr);
}

absl::StatusOr<SiteNotices> SiteNotices::Read(const CatalogReader& reader, const Uuid* only) {
  SiteNotices notices;
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> page,
                     reader.List(v1::RECORD_KIND_SITE, after, kPage));
    if (page.empty()) return notices;
    after = page.back().key.Encode();
    for (const RecordColumns& columns : page) {
      if (only != nullptr && columns.header.depends_on(0) != only->view()) continue;
      ASSIGN_OR_RETURN(const v1::Record record, reader.GetRecord(columns.key));
      ASSIGN_OR_RETURN(v1::SiteNotice notice, UnpackSiteNotice(record));
      ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(notice.update_id()));
      notices.by_update_[update].push_back(std::move(notice));
    }
  }
}

std::optional<v1::SiteNotice> SiteNotices::HeldBack(const Uuid& update_id, absl::Time now) const {
  const auto found = by_update_.find(update_id);
  if (found == by_update_.end()) return std::nullopt;
  const v1::SiteNotice* strictest = nullptr;
  for (const v1::SiteNotice& notice : found->second) {
    if (notice.suppressed()) return notice;
    if (HeldUntil(notice) <= now) continue;
    if (strictest == nullptr || HeldUntil(*strictest) < HeldUntil(notice)) strictest = &notice;
  }
  return strictest == nullptr ? std::nullopt : std::optional(*strictest);
}

bool SiteNotices::Suppressed(const Uuid& update_id) const {
  const auto found = by_update_.find(update_id);
  return found != by_update_.end() &&
         std::any_of(found->second.begin(), found->second.end(),
                     [](const v1::SiteNotice& notice) { return notice.suppressed(); });
}

std::vector<Uuid> SiteNotices::Differing(const SiteNotices& other) const {
  std::vector<Uuid> updates;
  for (const auto& [update, notices] : by_update_) {
    const auto theirs = other.by_update_.find(update);
    const bool same = theirs != other.by_update_.end() && Same(notices, theirs->second);
    if (!same) updates.push_back(update);
  }
  for (const auto& [update, notices] : other.by_update_) {
    if (!by_update_.contains(update)) updates.push_back(update);
  }
  return updates;
}

absl::StatusOr<std::optional<v1::SiteNotice>> HeldBack(const CatalogReader& reader,
                                                       const Uuid& update_id, absl::Time now) {
  ASSIGN_OR_RETURN(const SiteNotices notices, SiteNotices::Read(reader, &update_id));
  return notices.HeldBack(update_id, now);
}

}  // namespace sluice
