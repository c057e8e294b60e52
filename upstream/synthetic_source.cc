#include "upstream/synthetic_source.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/synthetic/categories.h"
#include "upstream/synthetic/content.h"
#include "upstream/synthetic/documents.h"
#include "upstream/synthetic/packages.h"

namespace sluice {
namespace {

// Counts changes of what is made up from one seed.
constexpr int kEdition = 1;
constexpr int64_t kReadBytes = int64_t{1} << 20;

}  // namespace

SyntheticSource::SyntheticSource(std::string name, const config::v1::SyntheticSource& config)
    : name_(std::move(name)), config_(config), documents_(config.shape() == "documents") {}

absl::StatusOr<SourceReading> SyntheticSource::Read(const std::string& state, const FactSink& sink,
                                                    std::stop_token stop) {
  SourceReading reading;
  reading.state =
      absl::StrCat(kEdition, " ", config_.shape(), " ", config_.seed(), " ", config_.revisions());
  reading.unchanged = reading.state == state;
  if (reading.unchanged) return reading;
  SourceFacts facts;
  facts.categories = synthetic::AllCategories();
  const auto count = static_cast<uint64_t>(config_.revisions());
  for (uint64_t i = 0; i < count; ++i) {
    if (stop.stop_requested()) return MakeError(v1::REASON_CANCELLED, "cancelled");
    AddUpdate(i, facts);
    if (facts.revisions.size() < kRevisionsPerPart) continue;
    RETURN_IF_ERROR(sink(std::exchange(facts, SourceFacts())));
  }
  RETURN_IF_ERROR(sink(std::move(facts)));
  return reading;
}

void SyntheticSource::AddUpdate(uint64_t index, SourceFacts& facts) const {
  if (!documents_) {
    facts.revisions.push_back(synthetic::PackageUpdate(config_.seed(), index));
    return;
  }
  const v1::Revision& revision =
      facts.revisions.emplace_back(synthetic::DocumentUpdate(config_.seed(), index));
  const std::optional<synthetic::Content> content =
      synthetic::ContentOfDocument(config_.seed(), index);
  if (!content.has_value()) return;
  // It is the last of the update's files.
  FileOrigin& file = facts.files.emplace_back();
  file.digest = *Digest::FromBytes(revision.files(revision.files_size() - 1).sha256());
  file.origin.set_source(name_);
  file.origin.set_path(absl::StrCat(index));
  file.origin.set_size_bytes(content->size_bytes());
}

absl::Status SyntheticSource::ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                                       const std::function<absl::Status(absl::string_view)>& sink,
                                       std::stop_token stop) {
  uint64_t index = 0;
  std::optional<synthetic::Content> content;
  if (documents_ && absl::SimpleAtoi(origin.path(), &index) &&
      index < static_cast<uint64_t>(config_.revisions())) {
    content = synthetic::ContentOfDocument(config_.seed(), index);
  }
  if (!content.has_value()) {
    return MakeError(v1::REASON_CONTENT_SOURCE_GONE,
                     absl::StrCat("no file \"", origin.path(), "\" is made up here"));
  }
  while (!stop.stop_requested()) {
    const std::string data = content->Read(offset, kReadBytes);
    if (data.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(sink(data));
    offset += static_cast<int64_t>(data.size());
  }
  return MakeError(v1::REASON_CANCELLED, "cancelled");
}

}  // namespace sluice
