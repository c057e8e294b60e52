#include "upstream/node_certificates.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/condition.h"

namespace sluice {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(5);
constexpr absl::Duration kExpiresSoon = absl::Hours(24 * 14);

}  // namespace

absl::StatusOr<std::unique_ptr<NodeCertificates>> NodeCertificates::Open(
    const std::string& directory, const std::string& node_id, Log& log) {
  ASSIGN_OR_RETURN(std::unique_ptr<CertificateDirectory> opened,
                   CertificateDirectory::Open(directory, node_id, absl::Now()));
  log.Info("certificate_in_use",
           {{"identity", opened->live().identity.Text()},
            {"issuer", opened->live().facts.issuer},
            {"not_after", absl::FormatTime(opened->live().facts.not_after, absl::UTCTimeZone())}});
  return std::unique_ptr<NodeCertificates>(new NodeCertificates(std::move(opened), log));
}

NodeCertificates::NodeCertificates(std::unique_ptr<CertificateDirectory> directory, Log& log)
    : log_(log),
      paths_(directory->paths()),
      node_id_(directory->live().identity.name),
      trust_domain_(directory->live().identity.trust_domain),
      directory_(std::move(directory)),
      thread_([this] { Run(); }) {}

NodeCertificates::~NodeCertificates() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stopping_changed_.NotifyAll();
  }
  thread_.join();
}

void NodeCertificates::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      const absl::Time until = absl::Now() + kLookAgain;
      while (!stopping_ && absl::Now() < until)
        stopping_changed_.WaitFor(mutex_, until - absl::Now());
      if (stopping_) return;
    }
    Look();
  }
}

void NodeCertificates::Look() {
  MutexLock lock(mutex_);
  const absl::Time now = absl::Now();
  const CertificateDirectory::Outcome outcome = directory_->Look(now);
  if (outcome.changed) {
    refusal_ = absl::OkStatus();
    log_.Info(
        "certificate_changed",
        {{"identity", directory_->live().identity.Text()},
         {"not_after", absl::FormatTime(directory_->live().facts.not_after, absl::UTCTimeZone())}});
  }
  if (outcome.refused.ok()) return;
  refusal_ = outcome.refused;
  refused_at_ = now;
  ++refused_;
  log_.Warn("certificate_refused", {{"why", outcome.refused.message()}});
}

absl::Time NodeCertificates::not_after() const {
  MutexLock lock(mutex_);
  return directory_->live().facts.not_after;
}

int64_t NodeCertificates::refused() const {
  MutexLock lock(mutex_);
  return refused_;
}

std::vector<v1::Condition> NodeCertificates::Conditions() const {
  MutexLock lock(mutex_);
  std::vector<v1::Condition> conditions;
  if (!refusal_.ok()) {
    conditions.push_back(
        MakeCondition(v1::REASON_CERTIFICATE_REFUSED, refusal_.message(), refused_at_));
  }
  const absl::Time not_after = directory_->live().facts.not_after;
  if (not_after < absl::Now() + kExpiresSoon) {
    conditions.push_back(
        MakeCondition(v1::REASON_CERTIFICATE_EXPIRING,
                      absl::StrCat("the certificate expires at ",
                                   absl::FormatTime(not_after, absl::UTCTimeZone())),
                      not_after - kExpiresSoon));
  }
  return conditions;
}

}  // namespace sluice
