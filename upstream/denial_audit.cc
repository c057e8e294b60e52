#include "upstream/denial_audit.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sluice {
namespace {

constexpr absl::Duration kOneEntryA = absl::Minutes(1);
// Of callers that have certificates there are not more; of others there is one a listener.
constexpr size_t kNotedMax = 10'000;

std::string NameOf(const CallContext& context) {
  return std::string(absl::StripPrefix(context.method, "/"));
}

}  // namespace

void DenialAudit::Note(const CallContext& context, const absl::Status& denial) {
  CatalogChange change;
  {
    MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    for (auto noted = noted_.begin(); noted != noted_.end();) {
      if (now - noted->second.at < kOneEntryA) {
        ++noted;
        continue;
      }
      if (noted->second.more > 0) {
        audit_.Add(noted->second.context, "denied", NameOf(noted->second.context),
                   absl::StrCat(noted->second.more, " times more"), change);
      }
      noted = noted_.erase(noted);
    }
    const std::pair<std::string, std::string> key = {ActorOf(context), context.method};
    const auto found = noted_.find(key);
    if (found != noted_.end()) {
      ++found->second.more;
    } else {
      if (noted_.size() < kNotedMax) noted_[key] = {now, context, 0};
      audit_.Add(context, "denied", NameOf(context), denial.message(), change);
    }
  }
  if (change.empty()) return;
  if (const auto committed = catalog_.Commit(change); !committed.ok()) {
    log_.Error("audit_not_written", {{"why", committed.status().message()}});
  }
}

}  // namespace sluice
