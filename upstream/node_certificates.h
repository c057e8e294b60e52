// Node certificates: this node's own, watched for new ones while it runs.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/tls/certificate_directory.h"
#include "sluice/v1/maintenance_service.pb.h"

namespace sluice {

class NodeCertificates {
 public:
  // Errors: those of CertificateDirectory::Open.
  static absl::StatusOr<std::unique_ptr<NodeCertificates>> Open(const std::string& directory,
                                                                const std::string& node_id,
                                                                Log& log);
  ~NodeCertificates();
  NodeCertificates(const NodeCertificates&) = delete;
  NodeCertificates& operator=(const NodeCertificates&) = delete;

  CertificatePaths paths() const { return paths_; }
  const std::string& node_id() const { return node_id_; }
  const std::string& trust_domain() const { return trust_domain_; }

  // When the one in use expires.
  absl::Time not_after() const;
  // How many new sets were refused since the start.
  int64_t refused() const;

  // What an operator must see to: a new certificate that was refused, one that expires soon.
  std::vector<v1::Condition> Conditions() const;

  // Looks at once whether there is something new.
  void Look();

 private:
  NodeCertificates(std::unique_ptr<CertificateDirectory> directory, Log& log);
  void Run();

  Log& log_;
  const CertificatePaths paths_;
  const std::string node_id_;
  const std::string trust_domain_;

  mutable Mutex mutex_;
  CondVar stopping_changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  const std::unique_ptr<CertificateDirectory> directory_ ABSL_PT_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);  // Until a set is taken.
  absl::Time refused_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace sluice
