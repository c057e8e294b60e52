// Certificate directory: a node's certificates on disk, and how new ones take the place of old
// ones.
//
//   incoming/             key.pem, cert.pem and ca.pem, from an operator or a renewing program
//   gen-000042/           the same three, checked
//   live -> gen-000042    what is used
//
// A set in `incoming` is checked, copied to a generation of its own, and `live` is moved to it in
// one step; after a kill at any moment `live` is the old set or the new one. What fails the check
// stays where it is, and changes nothing. `incoming` may also be a read-only volume, as a Secret of
// Kubernetes is: then what was taken stays there too, and only another set is new.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/certificate_check.h"

namespace sluice {

class CertificateDirectory {
 public:
  // Makes the directory, and `incoming` in it; both may exist.
  static absl::Status Make(const std::string& path);

  // Takes what lies in `incoming`, and checks what is live. `node_id` is whose certificates these
  // must be.
  //
  // Errors:
  //   FAILED_PRECONDITION  there is no certificate that can be used; the message says why and what
  //                        to do.
  static absl::StatusOr<std::unique_ptr<CertificateDirectory>> Open(std::string path,
                                                                    std::string node_id,
                                                                    absl::Time now);

  struct Outcome {
    bool changed = false;  // `live` is another set than before.
    absl::Status refused;  // Why what lies in `incoming` was not taken; said once for each set.
  };

  // Looks whether something new has arrived. Not thread-safe.
  Outcome Look(absl::Time now);

  // The live set.
  const CheckedCertificate& live() const { return live_; }
  // Where its files are; these paths do not change.
  CertificatePaths paths() const;

 private:
  CertificateDirectory(std::string path, std::string node_id);
  absl::Status CheckTrustDomain(const CheckedCertificate& next) const;
  absl::Status Publish(const CertificateFiles& files);
  absl::Status RemoveIncoming() const;
  void RemoveOld(int64_t newest) const;

  const std::string path_;
  const std::string node_id_;
  CheckedCertificate live_;
  std::string live_set_;     // The digest of the files in use.
  std::string refused_set_;  // The digest of the files that were refused last.
};

// Writes the three files into a folder, the key readable by its owner only.
absl::Status WriteCertificateFiles(const std::string& folder, const CertificateFiles& files);

// Follows links. Errors: NOT_FOUND one is missing.
absl::StatusOr<CertificateFiles> ReadCertificateFiles(const CertificatePaths& paths);

}  // namespace sluice
