#include "cli/verbs/find_updates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/verbs/paging.h"
#include "common/uuid.h"

namespace sluice {
namespace {

constexpr size_t kCandidatesShown = 10;

absl::Status Ambiguous(absl::string_view name, const std::vector<v1::UpdateSummary>& candidates) {
  std::string message =
      absl::StrCat("\"", name, "\" fits ", candidates.size(), " updates; name one by its id:");
  for (size_t i = 0; i < std::min(candidates.size(), kCandidatesShown); ++i) {
    absl::StrAppend(&message, "\n  ", candidates[i].update_id(), "  ", candidates[i].title());
  }
  if (candidates.size() > kCandidatesShown) {
    absl::StrAppend(&message, "\n  and ", candidates.size() - kCandidatesShown, " more");
  }
  return LocalFailure(message);
}

}  // namespace

absl::StatusOr<std::vector<v1::UpdateSummary>> MatchingUpdates(Caller& caller,
                                                               absl::string_view text) {
  v1::ListUpdatesRequest request;
  request.mutable_filter()->set_text(std::string(text));
  ASSIGN_OR_RETURN(
      const v1::ListUpdatesResponse all,
      ListPages<v1::ListUpdatesResponse>(caller, "sluice.v1.CatalogService/ListUpdates", request));
  return std::vector<v1::UpdateSummary>(all.updates().begin(), all.updates().end());
}

absl::StatusOr<std::string> ResolveUpdate(Caller& caller, absl::string_view name) {
  if (const auto id = Uuid::Parse(name); id.ok()) return id->ToString();
  if (name.empty()) return UsageError("an update's id or title must not be empty");
  ASSIGN_OR_RETURN(const std::vector<v1::UpdateSummary> candidates, MatchingUpdates(caller, name));
  std::vector<v1::UpdateSummary> same_title;
  for (const v1::UpdateSummary& candidate : candidates) {
    if (absl::EqualsIgnoreCase(candidate.title(), name)) same_title.push_back(candidate);
  }
  const std::vector<v1::UpdateSummary>& fitting = same_title.empty() ? candidates : same_title;
  if (fitting.empty()) {
    return LocalFailure(
        absl::StrCat("no update fits \"", name, "\"; try `sluice update list TEXT`"));
  }
  if (fitting.size() > 1) return Ambiguous(name, fitting);
  return fitting[0].update_id();
}

absl::StatusOr<std::vector<std::string>> ResolveUpdates(Caller& caller,
                                                        const std::vector<std::string>& names) {
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(std::string id, ResolveUpdate(caller, name));
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace sluice
