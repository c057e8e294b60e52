#include "common/tls/certificate_check.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "common/tls/openssl_objects.h"

namespace sluice {
namespace {

constexpr absl::Duration kValidForAtLeast = absl::Hours(1);
constexpr int kRsaBitsMin = 2048;
constexpr int kEllipticBitsMin = 256;

absl::Status Wrong(absl::string_view file, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", what));
}

absl::Status CheckKey(const EVP_PKEY& key) {
  const int bits = EVP_PKEY_get_bits(&key);
  switch (EVP_PKEY_get_base_id(&key)) {
    case EVP_PKEY_ED25519:
      return absl::OkStatus();
    case EVP_PKEY_EC:
      if (bits >= kEllipticBitsMin) return absl::OkStatus();
      return Wrong(kKeyFile, absl::StrCat("an elliptic curve key of ", bits, " bits is too weak"));
    case EVP_PKEY_RSA:
      if (bits >= kRsaBitsMin) return absl::OkStatus();
      return Wrong(kKeyFile, absl::StrCat("an RSA key of ", bits, " bits is too weak"));
    default:
      return Wrong(kKeyFile, "the key is neither RSA, elliptic curve nor Ed25519");
  }
}

absl::Status CheckDates(const CertificateFacts& facts, absl::Time now) {
  if (facts.not_before > now) {
    return Wrong(
        kCertificateFile,
        absl::StrCat("is valid only from ", absl::FormatTime(facts.not_before, absl::UTCTimeZone()),
                     "; is this machine's clock right?"));
  }
  if (facts.not_after < now + kValidForAtLeast) {
    return Wrong(kCertificateFile,
                 absl::StrCat(facts.not_after < now ? "expired at " : "expires within an hour, at ",
                              absl::FormatTime(facts.not_after, absl::UTCTimeZone())));
  }
  return absl::OkStatus();
}

absl::Status CheckPurpose(X509& certificate, const CertificateFacts& facts) {
  if (facts.is_authority) return Wrong(kCertificateFile, "is an authority's own certificate");
  const uint32_t uses = X509_get_extended_key_usage(&certificate);
  if ((uses & XKU_SSL_SERVER) == 0 || (uses & XKU_SSL_CLIENT) == 0) {
    return Wrong(kCertificateFile,
                 "its extended key usage must allow both TLS server and TLS client");
  }
  return absl::OkStatus();
}

absl::Status CheckChain(const std::vector<openssl::Certificate>& chain,
                        const std::vector<openssl::Certificate>& authorities, absl::Time now) {
  const openssl::Store store(X509_STORE_new());
  for (const openssl::Certificate& authority : authorities) {
    X509_STORE_add_cert(store.get(), authority.get());
  }
  STACK_OF(X509)* between = sk_X509_new_null();
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(between, chain[i].get());
  const openssl::StoreContext context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), between);
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), absl::ToTimeT(now));
  const bool valid = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  sk_X509_free(between);
  openssl::TakeErrors();
  if (valid) return absl::OkStatus();
  return Wrong(kCertificateFile,
               absl::StrCat("no authority in ", kAuthoritiesFile,
                            " vouches for it: ", X509_verify_cert_error_string(error)));
}

absl::Status CheckWhose(const SpiffeId& identity, const std::string& node_id) {
  if (identity.kind == PeerKind::kNode && identity.name == node_id) return absl::OkStatus();
  return Wrong(kCertificateFile,
               absl::StrCat("is for ", identity.Text(), ", and this is node ", node_id));
}

}  // namespace

absl::StatusOr<CheckedCertificate> CheckCertificate(const CertificateFiles& files,
                                                    const std::optional<std::string>& node_id,
                                                    absl::Time now) {
  const absl::StatusOr<openssl::Key> key = openssl::ParsePrivateKey(files.key);
  if (!key.ok()) return Wrong(kKeyFile, key.status().message());
  const auto chain = openssl::ParseCertificates(files.certificate);
  if (!chain.ok()) return Wrong(kCertificateFile, chain.status().message());
  const auto authorities = openssl::ParseCertificates(files.authorities);
  if (!authorities.ok()) return Wrong(kAuthoritiesFile, authorities.status().message());
  RETURN_IF_ERROR(CheckKey(**key));
  X509& certificate = *chain->front();
  if (X509_check_private_key(&certificate, key->get()) != 1) {
    openssl::TakeErrors();
    return Wrong(kKeyFile, absl::StrCat("is not the key of ", kCertificateFile));
  }
  CheckedCertificate checked;
  ASSIGN_OR_RETURN(checked.facts, ReadCertificate(files.certificate));
  RETURN_IF_ERROR(CheckDates(checked.facts, now));
  RETURN_IF_ERROR(CheckPurpose(certificate, checked.facts));
  absl::StatusOr<SpiffeId> identity = IdentityOf(checked.facts);
  if (!identity.ok()) return Wrong(kCertificateFile, identity.status().message());
  checked.identity = *std::move(identity);
  if (node_id.has_value()) RETURN_IF_ERROR(CheckWhose(checked.identity, *node_id));
  RETURN_IF_ERROR(CheckChain(*chain, *authorities, now));
  return checked;
}

}  // namespace sluice
