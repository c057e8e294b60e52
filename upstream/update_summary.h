// Update summary: one update as an operator reads it, put together from records, decisions and
// files.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/decisions.h"
#include "storage/selection.h"
#include "storage/site_notices.h"

namespace sluice {

// Puts summaries together over one state of the catalog.
class UpdateSummarizer {
 public:
  // `now`: for what is held until a time. Errors: DATA_LOSS damaged rows.
  static absl::StatusOr<UpdateSummarizer> Make(const CatalogReader& reader, ContentStore& content,
                                               absl::Time now);

  // `standing` must have a current revision.
  absl::StatusOr<v1::UpdateSummary> Summarize(const UpdateStanding& standing) const;

  // Where one file stands. NOT_WANTED when `wanted` is false and it is not here.
  v1::FileStatus StateOfFile(absl::string_view sha256, int64_t size_bytes, bool wanted) const;

  // The path of a category; its id in text while the category is not here.
  std::string PathOf(absl::string_view category_id) const;

  const Selection& selection() const { return selection_; }

  // Whether the files of an update are wanted.
  bool WantsFiles(const UpdateStanding& standing) const;

 private:
  UpdateSummarizer(const CatalogReader& reader, ContentStore& content, Selection selection,
                   SiteNotices notices, absl::Time now)
      : reader_(reader),
        content_(&content),
        selection_(std::move(selection)),
        notices_(std::move(notices)),
        now_(now) {}

  // Says who holds an approved update back, if anybody does.
  absl::Status TellHeldBack(const UpdateStanding& standing, v1::UpdateSummary& summary) const;

  CatalogReader reader_;
  ContentStore* content_;
  Selection selection_;  // This node's own.
  SiteNotices notices_;
  absl::Time now_;
};

}  // namespace sluice
