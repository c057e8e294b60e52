#include "downstream/content_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/errors.h"
#include "common/status.h"
#include "downstream/dangling_check.h"
#include "downstream/finding_words.h"

namespace sluice {
namespace {

constexpr int kPage = 1000;
constexpr size_t kDigestsPerRequest = 1024;

v1::Finding FindingAbout(v1::FindingClass finding_class, const RecordColumns& update) {
  v1::Finding finding;
  finding.set_finding_class(finding_class);
  finding.set_kind(v1::RECORD_KIND_REVISION);
  finding.set_id(update.key.id.ToString());
  finding.set_title(update.header.title());
  finding.set_revision_here(update.key.revision);
  return finding;
}

}  // namespace

absl::Status ContentCheck::Run(const Verify& verify) {
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader_));
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader_, subscription));
  for (std::string after;;) {
    ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                     reader_.List(v1::RECORD_KIND_POLICY, after, kPage));
    if (policies.empty()) break;
    after = policies.back().key.Encode();
    for (const RecordColumns& policy : policies) {
      RETURN_IF_ERROR(Look(policy.key.id, selection, verify));
    }
  }
  return JudgeMissing();
}

absl::Status ContentCheck::Look(const Uuid& update_id, const Selection& selection,
                                const Verify& verify) {
  ASSIGN_OR_RETURN(const WantedFiles wanted, FilesWantedFor(reader_, update_id, selection));
  const absl::StatusOr<RecordColumns> update = reader_.CurrentRevision(update_id);
  if (absl::IsNotFound(update.status())) {
    ASSIGN_OR_RETURN(const UpdateStanding standing, StandingOf(reader_, update_id));
    if (standing.state != v1::UPDATE_STATE_PENDING) return absl::OkStatus();
    v1::Finding& finding = findings_.emplace_back();
    finding.set_kind(v1::RECORD_KIND_POLICY);
    finding.set_id(update_id.ToString());
    Reclassify(finding, v1::FINDING_CLASS_APPROVAL_INACTIVE);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(update.status());
  for (const stored::v1::FileReference& file : wanted.files) {
    RETURN_IF_ERROR(LookAtFile(*update, file, verify));
  }
  return wanted.absent.empty() ? absl::OkStatus() : LookAtNeeds(update_id, wanted);
}

absl::Status ContentCheck::LookAtFile(const RecordColumns& update,
                                      const stored::v1::FileReference& file, const Verify& verify) {
  ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
  if (!checked_.insert(digest).second) return absl::OkStatus();
  const absl::StatusOr<ContentInfo> info = content_.Stat(digest);
  if (!info.ok()) {
    missing_.push_back({update, digest});
    return absl::OkStatus();
  }
  const bool whole = info->size_bytes == file.size_bytes();
  const bool read = verify.all || verify.these.contains(digest);
  const absl::Status intact = whole && read ? content_.Verify(digest) : absl::OkStatus();
  if (whole && intact.ok()) return absl::OkStatus();
  v1::Finding finding = FindingAbout(v1::FINDING_CLASS_CONTENT_CORRUPT, update);
  finding.set_sha256(digest.ToHex());
  finding.set_cause(std::string(intact.message()));
  Explain(finding);
  findings_.push_back(std::move(finding));
  return absl::OkStatus();
}

absl::Status ContentCheck::LookAtNeeds(const Uuid& update_id, const WantedFiles& wanted) {
  std::vector<Uuid> members = wanted.needed;
  members.push_back(update_id);
  for (const Uuid& member : members) {
    if (dangling_.contains(member)) continue;
    ASSIGN_OR_RETURN(const std::optional<v1::Finding> finding, DanglingOf(reader_, member));
    if (!finding.has_value()) continue;
    dangling_.insert(member);
    findings_.push_back(*finding);
  }
  return absl::OkStatus();
}

// A file that the upstream lacks too is on its way, unless it was said to be gone for good.
absl::Status ContentCheck::JudgeMissing() {
  std::set<Digest> lacking;
  for (size_t begin = 0; begin < missing_.size(); begin += kDigestsPerRequest) {
    std::vector<Digest> asked;
    for (size_t i = begin; i < std::min(begin + kDigestsPerRequest, missing_.size()); ++i) {
      asked.push_back(missing_[i].digest);
    }
    ASSIGN_OR_RETURN(const std::set<Digest> answer, peer_.FindMissing(asked));
    lacking.insert(answer.begin(), answer.end());
  }
  for (const Missing& missing : missing_) {
    const absl::StatusOr<stored::v1::ContentRow> row =
        reader_.GetRow<stored::v1::ContentRow>(Family::kContent, missing.digest.view());
    const bool failed = row.ok() && row->state() == v1::CONTENT_STATE_FAILED;
    const bool transient = lacking.contains(missing.digest) && !failed;
    v1::Finding finding = FindingAbout(
        transient ? v1::FINDING_CLASS_TRANSIENT_CONTENT : v1::FINDING_CLASS_CONTENT_MISSING,
        missing.update);
    finding.set_sha256(missing.digest.ToHex());
    if (failed) {
      finding.set_reason(row->last_failure().reason());
      finding.set_cause(row->last_failure().message());
      const v1::Reason reason = ReasonFromName(finding.reason());
      if (reason != v1::REASON_UNSPECIFIED) {
        finding.set_remedy(std::string(FactsOf(reason).remedy));
      }
    }
    Explain(finding);
    findings_.push_back(std::move(finding));
  }
  return absl::OkStatus();
}

}  // namespace sluice
