// Update summary: one update as an operator reads it, put together from records, decisions and
// files.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/decisions.h"
#include "storage/selection.h"

namespace sluice {

// Puts summaries together over one state of the catalog.
class UpdateSummarizer {
 public:
  // Errors: DATA_LOSS damaged rows.
  static absl::StatusOr<UpdateSummarizer> Make(const CatalogReader& reader, ContentStore& content);

  // `standing` must have a current revision.
  absl::StatusOr<v1::UpdateSummary> Summarize(const UpdateStanding& standing) const;

  // Where one file stands. NOT_WANTED when `wanted` is false and it is not here.
  v1::FileStatus StateOfFile(absl::string_view sha256, int64_t size_bytes, bool wanted) const;

  // The path of a category; its id in text while the category is not here.
  std::string PathOf(absl::string_view category_id) const;

  const Selection& selection() const { return selection_; }

 private:
  UpdateSummarizer(const CatalogReader& reader, ContentStore& content, Selection selection)
      : reader_(reader), content_(&content), selection_(std::move(selection)) {}

  CatalogReader reader_;
  ContentStore* content_;
  Selection selection_;  // This node's own.
};

}  // namespace sluice
