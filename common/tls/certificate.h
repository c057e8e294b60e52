// Certificate: what is in one, as far as we care.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/tls/spiffe_id.h"

namespace sluice {

// The three files of an identity, in PEM.
struct CertificateFiles {
  std::string key;          // The private key, without a password.
  std::string certificate;  // The certificate, then the authorities between it and the root.
  std::string authorities;  // Whose certificates are accepted.
};

// Where the three files are. Their content may change; all that read them look again.
struct CertificatePaths {
  std::string key;
  std::string certificate;
  std::string authorities;

  // key.pem, cert.pem and ca.pem in `folder`.
  static CertificatePaths In(const std::string& folder);
};

inline constexpr char kKeyFile[] = "key.pem";
inline constexpr char kCertificateFile[] = "cert.pem";
inline constexpr char kAuthoritiesFile[] = "ca.pem";

struct CertificateFacts {
  std::string subject;  // In one line.
  std::string issuer;
  std::vector<std::string> uris;
  std::vector<std::string> names;  // DNS names and IP addresses.
  absl::Time not_before;
  absl::Time not_after;
  bool is_authority = false;
};

// The facts of the first certificate in `pem`. Errors: INVALID_ARGUMENT there is none.
absl::StatusOr<CertificateFacts> ReadCertificate(absl::string_view pem);

// The one identity in a certificate.
//
// Errors: UNAUTHENTICATED it has no URI, more than one, or one that is no identity; the message
// lists them.
absl::StatusOr<SpiffeId> IdentityOf(const CertificateFacts& facts);

// Whether the first certificate in `pem` is for `host`, a DNS name or an IP address.
//
// Errors: UNAUTHENTICATED it is not; the message names what it is for.
absl::Status CheckHost(absl::string_view pem, const std::string& host);

}  // namespace sluice
