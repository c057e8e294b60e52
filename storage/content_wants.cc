#include "storage/content_wants.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/schedule.h"
#include "common/status.h"
#include "storage/decisions.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;
constexpr size_t kRequestMax = 256;
constexpr absl::Duration kRetryBase = absl::Seconds(1);
constexpr absl::Duration kRetryMax = absl::Minutes(5);
// The upstream may be asked again at once for what did not change while it held the answer.
constexpr absl::Duration kAskAgain = absl::Milliseconds(100);

v1::ContentAnswer MakeAnswer(const Digest& digest, v1::ContentState state,
                             const absl::Status& status) {
  v1::ContentAnswer answer;
  answer.set_digest(digest.bytes());
  answer.set_state(state);
  if (!status.ok()) {
    answer.mutable_status()->set_code(static_cast<int>(status.code()));
    answer.mutable_status()->set_reason(ReasonName(ReasonOf(status)));
    answer.mutable_status()->set_message(std::string(status.message()));
  }
  return answer;
}

}  // namespace

ContentWants::ContentWants(Catalog& catalog, std::function<bool(const ContentInfo&)> present,
                           int parallel)
    : catalog_(catalog), is_present_(std::move(present)), parallel_(parallel) {}

absl::Status ContentWants::RecomputeAll(const Selection& selection, absl::Time now) {
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(notices_, SiteNotices::Read(reader));
  std::set<Uuid> updates = inactive_;
  for (const auto& [update, files] : by_update_) updates.insert(update);
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                     reader.List(v1::RECORD_KIND_POLICY, after, kPage));
    if (policies.empty()) break;
    after = policies.back().key.Encode();
    for (const RecordColumns& policy : policies) updates.insert(policy.key.id);
  }
  for (const Uuid& update : updates) RETURN_IF_ERROR(Look(reader, selection, update, now));
  touched_.all = true;
  return absl::OkStatus();
}

absl::Status ContentWants::Recompute(const Selection& selection,
                                     const std::vector<RecordKey>& changed, absl::Time now) {
  const CatalogReader reader = catalog_.Read();
  std::set<Uuid> updates;
  bool notices_changed = false;
  for (const RecordKey& key : changed) {
    notices_changed |= key.kind == v1::RECORD_KIND_SITE;
    if (key.kind == v1::RECORD_KIND_POLICY || by_update_.contains(key.id)) updates.insert(key.id);
    if (key.kind == v1::RECORD_KIND_POLICY) touched_.updates.insert(key.id);
    if (key.kind != v1::RECORD_KIND_REVISION) continue;
    updates.insert(key.id);
    const auto users = needed_by_.find(key.id);
    if (users != needed_by_.end()) updates.insert(users->second.begin(), users->second.end());
  }
  if (notices_changed) {
    ASSIGN_OR_RETURN(SiteNotices notices, SiteNotices::Read(reader));
    for (const Uuid& update : notices_.Differing(notices)) updates.insert(update);
    notices_ = std::move(notices);
  }
  for (const Uuid& update : updates) RETURN_IF_ERROR(Look(reader, selection, update, now));
  for (const RecordKey& key : changed) {
    const bool revision = key.kind == v1::RECORD_KIND_REVISION;
    if (revision && touched_.updates.contains(key.id)) touched_.revisions.insert(key);
  }
  return absl::OkStatus();
}

absl::Status ContentWants::Look(const CatalogReader& reader, const Selection& selection,
                                const Uuid& update, absl::Time now) {
  inactive_.erase(update);
  held_.erase(update);
  if (!by_update_.contains(update)) {
    // Nobody decided about most updates, and what a synchronisation brings is mostly those.
    ASSIGN_OR_RETURN(const std::vector<v1::DecisionEntry> decisions, reader.Decisions(update));
    if (decisions.empty()) return absl::OkStatus();
  }
  touched_.updates.insert(update);
  ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader, update));
  ASSIGN_OR_RETURN(WantedFiles wanted, FilesWantedFor(reader, update, selection, notices_));
  const bool offered = standing.approved() && !notices_.Suppressed(update);
  if (standing.inactive()) inactive_.insert(update);
  std::set<Digest> before;
  if (auto node = by_update_.extract(update); !node.empty()) before = std::move(node.mapped());
  std::set<Digest> files;
  for (const stored::v1::FileReference& file : wanted.files) {
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
    files.insert(digest);
    if (before.erase(digest) > 0) continue;
    uses_[digest].insert(update);
    Need({digest, file.size_bytes()}, now);
  }
  for (const Digest& digest : before) {
    std::set<Uuid>& users = uses_[digest];
    users.erase(update);
    if (!users.empty()) continue;
    uses_.erase(digest);
    Unneed(digest);
  }
  if (offered) {
    by_update_.emplace(update, std::move(files));
    const std::optional<v1::SiteNotice> held = notices_.HeldBack(update, now);
    if (held.has_value()) held_.emplace(update, HeldUntil(*held));
  }
  RememberNeeds(update, std::move(wanted.needed));
  return absl::OkStatus();
}

void ContentWants::RememberNeeds(const Uuid& update, std::vector<Uuid> needed) {
  if (auto node = needs_.extract(update); !node.empty()) {
    for (const Uuid& other : node.mapped()) {
      const auto users = needed_by_.find(other);
      if (users == needed_by_.end()) continue;
      users->second.erase(update);
      if (users->second.empty()) needed_by_.erase(users);
    }
  }
  for (const Uuid& other : needed) needed_by_[other].insert(update);
  if (!needed.empty()) needs_.emplace(update, std::move(needed));
}

void ContentWants::Need(const ContentInfo& file, absl::Time now) {
  if (is_present_(file)) {
    present_.insert(file.digest);
    return;
  }
  Missing& missing = files_[file.digest];
  missing.size_bytes = file.size_bytes;
  if (missing.attempts == 0) missing.due = now;
}

void ContentWants::Unneed(const Digest& digest) {
  if (for_below_.contains(digest)) return;
  present_.erase(digest);
  const auto found = files_.find(digest);
  // One that is being fetched is let arrive.
  if (found != files_.end() && found->second.state != v1::CONTENT_STATE_FETCHING) {
    files_.erase(found);
    dropped_.push_back(digest);
  }
}

// A file came, went or failed: that concerns those who want it.
void ContentWants::Touch(const Digest& digest) {
  const auto users = uses_.find(digest);
  if (users != uses_.end()) touched_.updates.insert(users->second.begin(), users->second.end());
}

TouchedUpdates ContentWants::TakeTouched() { return std::exchange(touched_, TouchedUpdates()); }

void ContentWants::PutBack(TouchedUpdates touched) {
  touched_.updates.merge(touched.updates);
  touched_.revisions.merge(touched.revisions);
  touched_.all |= touched.all;
}

absl::Status ContentWants::WantForBelow(const Digest& digest, absl::Time now) {
  if (present_.contains(digest) || files_.contains(digest)) return absl::OkStatus();
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, reader.FileUses(digest));
  for (const RecordKey& key : uses) {
    ASSIGN_OR_RETURN(const RecordColumns columns, reader.GetColumns(key));
    for (const stored::v1::FileReference& file : columns.header.files()) {
      if (file.sha256() != digest.view()) continue;
      for_below_.insert(digest);
      Need({digest, file.size_bytes()}, now);
      return absl::OkStatus();
    }
  }
  return MakeError(v1::REASON_ITEM_NOT_FOUND,
                   absl::StrCat("no update here names file ", digest.ToHex()));
}

void ContentWants::Lost(const Digest& digest, absl::Time now) {
  present_.erase(digest);
  Touch(digest);
  const auto used = uses_.find(digest);
  if (used == uses_.end() && !for_below_.contains(digest)) return;
  for_below_.erase(digest);
  // Its size is in the catalog.
  const absl::Status wanted = WantForBelow(digest, now);
  if (used != uses_.end() && wanted.ok()) for_below_.erase(digest);
}

void ContentWants::Forget(const Digest& digest) {
  if (uses_.contains(digest)) return;
  for_below_.erase(digest);
  present_.erase(digest);
  if (files_.erase(digest) > 0) dropped_.push_back(digest);
}

std::vector<Digest> ContentWants::TakeDropped() {
  std::vector<Digest> dropped = std::exchange(dropped_, {});
  std::erase_if(dropped, [this](const Digest& digest) { return files_.contains(digest); });
  return dropped;
}

std::vector<ContentInfo> ContentWants::TakeFetches(absl::Time now) {
  std::vector<ContentInfo> fetches;
  for (auto& [digest, missing] : files_) {
    if (fetching_ >= parallel_) break;
    const bool ready_to_go =
        missing.state == v1::CONTENT_STATE_QUEUED || missing.state == v1::CONTENT_STATE_FAILED;
    if (!ready_to_go || missing.due > now) continue;
    missing.state = v1::CONTENT_STATE_FETCHING;
    ++fetching_;
    fetches.push_back({digest, missing.size_bytes});
  }
  return fetches;
}

std::vector<Digest> ContentWants::TakeRequests(absl::Time now) {
  std::vector<Digest> requests;
  if (request_open_) return requests;  // One at a time, for all that wait.
  for (auto& [digest, missing] : files_) {
    const bool due = missing.state == v1::CONTENT_STATE_WAITING_UPSTREAM && missing.due <= now;
    if (due && requests.size() < kRequestMax) requests.push_back(digest);
  }
  for (const Digest& digest : requests) files_[digest].requested = true;
  request_open_ = !requests.empty();
  return requests;
}

v1::ContentAnswer ContentWants::Fetched(const Digest& digest, const absl::Status& status,
                                        absl::Time now, absl::BitGenRef random) {
  --fetching_;
  Touch(digest);
  const auto found = files_.find(digest);
  if (status.ok()) {
    if (found != files_.end()) files_.erase(found);
    present_.insert(digest);
    return MakeAnswer(digest, v1::CONTENT_STATE_READY, status);
  }
  if (found == files_.end()) return MakeAnswer(digest, v1::CONTENT_STATE_NOT_WANTED, status);
  Missing& missing = found->second;
  if (ReasonOf(status) == v1::REASON_CONTENT_MISSING) {
    missing.state = v1::CONTENT_STATE_WAITING_UPSTREAM;
    missing.due = now;
  } else {
    missing.state = v1::CONTENT_STATE_FAILED;
    PutOff(missing, now, random);
  }
  return MakeAnswer(digest, missing.state, status);
}

v1::ContentAnswer ContentWants::Answered(const v1::ContentAnswer& answer, absl::Time now,
                                         absl::BitGenRef random) {
  const absl::StatusOr<Digest> digest = Digest::FromBytes(answer.digest());
  const auto found = digest.ok() ? files_.find(*digest) : files_.end();
  if (found == files_.end()) return v1::ContentAnswer();
  Missing& missing = found->second;
  missing.requested = false;
  if (missing.state != v1::CONTENT_STATE_WAITING_UPSTREAM) return v1::ContentAnswer();
  v1::ContentAnswer ours = answer;
  if (answer.state() == v1::CONTENT_STATE_READY) {
    missing.state = v1::CONTENT_STATE_QUEUED;
    missing.due = now;
  } else if (answer.state() == v1::CONTENT_STATE_FAILED) {
    // The word of the node where it failed travels down; this one asks again later.
    PutOff(missing, now, random);
    Touch(*digest);
    ours.set_state(v1::CONTENT_STATE_FAILED);
    return ours;
  } else {
    missing.due = now + kAskAgain;
  }
  ours.set_state(missing.state);
  ours.clear_status();
  return ours;
}

void ContentWants::RequestFailed(absl::Time retry_at) {
  request_open_ = false;
  for (auto& [digest, missing] : files_) {
    if (!missing.requested) continue;
    missing.requested = false;
    missing.due = retry_at;
  }
}

void ContentWants::PutOff(Missing& missing, absl::Time now, absl::BitGenRef random) {
  ++missing.attempts;
  missing.due = now + Backoff(missing.attempts + 1, kRetryBase, kRetryMax, random);
}

std::vector<Uuid> ContentWants::TakeLapsed(absl::Time now) {
  std::vector<Uuid> lapsed;
  for (const auto& [update, until] : held_) {
    if (until <= now) lapsed.push_back(update);
  }
  for (const Uuid& update : lapsed) held_.erase(update);
  touched_.updates.insert(lapsed.begin(), lapsed.end());
  return lapsed;
}

bool ContentWants::settled() const {
  return std::none_of(files_.begin(), files_.end(), [](const auto& file) {
    return file.second.state == v1::CONTENT_STATE_QUEUED ||
           file.second.state == v1::CONTENT_STATE_FETCHING;
  });
}

absl::Time ContentWants::next_due() const {
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [update, until] : held_) due = std::min(due, until);
  for (const auto& [digest, missing] : files_) {
    if (missing.state == v1::CONTENT_STATE_FETCHING) continue;
    // What waits for a free transfer or for an open request's answer is not due by the clock.
    const bool waits = missing.state == v1::CONTENT_STATE_WAITING_UPSTREAM;
    if (waits ? request_open_ : fetching_ >= parallel_) continue;
    due = std::min(due, missing.due);
  }
  return due;
}

v1::ContentState ContentWants::StateOf(const Digest& digest) const {
  const auto found = files_.find(digest);
  if (found != files_.end()) return found->second.state;
  return present_.contains(digest) ? v1::CONTENT_STATE_READY : v1::CONTENT_STATE_NOT_WANTED;
}

int64_t ContentWants::failed() const {
  return std::count_if(files_.begin(), files_.end(), [](const auto& file) {
    return file.second.state == v1::CONTENT_STATE_FAILED;
  });
}

void ContentWants::AddNeeded(std::set<Uuid>& updates) const {
  for (const auto& [update, files] : by_update_) updates.insert(update);
  for (const auto& [update, needed] : needs_) updates.insert(needed.begin(), needed.end());
}

int64_t ContentWants::ready_updates() const {
  return std::count_if(by_update_.begin(), by_update_.end(), [this](const auto& update) {
    return !held_.contains(update.first) &&
           std::none_of(update.second.begin(), update.second.end(),
                        [this](const Digest& digest) { return files_.contains(digest); });
  });
}

}  // namespace sluice
