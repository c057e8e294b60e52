// Certificate check: whether three files make an identity that this node can use.
//
// gRPC aborts the process on an empty key and breaks every handshake on a pair that does not match,
// so nothing reaches it that was not checked here.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/certificate.h"

namespace sluice {

struct CheckedCertificate {
  SpiffeId identity;
  CertificateFacts facts;
};

// Checks that the key is the certificate's and strong enough, that an authority in the bundle
// vouches for it, that it may serve and call, and that it is valid for at least one hour more.
// `node_id` is whose it must be; none takes anybody's.
//
// Errors: INVALID_ARGUMENT, with the file and what is wrong with it.
absl::StatusOr<CheckedCertificate> CheckCertificate(const CertificateFiles& files,
                                                    const std::optional<std::string>& node_id,
                                                    absl::Time now);

}  // namespace sluice
