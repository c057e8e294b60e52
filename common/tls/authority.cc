#include "common/tls/authority.h"

#include <arpa/inet.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "common/tls/openssl_objects.h"

namespace sluice {
namespace {

constexpr absl::Duration kAuthorityValidFor = absl::Hours(24 * 365 * 10);
// Clocks of machines differ.
constexpr absl::Duration kValidBefore = absl::Minutes(5);
constexpr size_t kHostBytesMax = 253;

absl::Status Failed(absl::string_view doing) {
  return absl::InternalError(absl::StrCat(doing, ": ", openssl::TakeErrors()));
}

bool IsAddress(const std::string& host) {
  std::array<uint8_t, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

bool IsHost(const std::string& host) {
  return !host.empty() && host.size() <= kHostBytesMax &&
         (IsAddress(host) || std::all_of(host.begin(), host.end(), [](char c) {
            return absl::ascii_isalnum(static_cast<uint8_t>(c)) || c == '.' || c == '-';
          }));
}

// A certificate that is being made.
class Draft {
 public:
  Draft(absl::string_view common_name, absl::Time from, absl::Time until)
      : certificate_(X509_new()) {
    X509_set_version(certificate_.get(), X509_VERSION_3);
    SetSerial();
    ASN1_TIME_set(X509_getm_notBefore(certificate_.get()), absl::ToTimeT(from));
    ASN1_TIME_set(X509_getm_notAfter(certificate_.get()), absl::ToTimeT(until));
    X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate_.get()), NID_commonName,
                               MBSTRING_UTF8, reinterpret_cast<const uint8_t*>(common_name.data()),
                               static_cast<int>(common_name.size()), -1, 0);
  }

  X509* get() const { return certificate_.get(); }

  absl::Status Extend(X509& issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, &issuer, get(), nullptr, nullptr, 0);
    const openssl::Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (extension == nullptr || X509_add_ext(get(), extension.get(), -1) != 1) {
      return Failed("making a certificate's extension");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Sign(X509& issuer, EVP_PKEY& issuer_key) {
    X509_set_issuer_name(get(), X509_get_subject_name(&issuer));
    if (X509_sign(get(), &issuer_key, EVP_sha256()) == 0) return Failed("signing a certificate");
    return openssl::ToPem(*certificate_);
  }

 private:
  // 127 random bits (RFC 5280, section 4.1.2.2).
  void SetSerial() {
    std::array<uint8_t, 16> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    bytes[0] &= 0x7f;
    BIGNUM* number = BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate_.get()));
    BN_free(number);
  }

  openssl::Certificate certificate_;
};

openssl::Key DrawKey() { return openssl::Key(EVP_EC_gen("P-256")); }

absl::Status CheckRequest(const IssueRequest& request) {
  if (request.valid_for < absl::Hours(1) || request.valid_for > kAuthorityValidFor) {
    return absl::InvalidArgumentError("a certificate is valid from an hour to ten years");
  }
  for (const std::string& host : request.hosts) {
    if (!IsHost(host)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", host, "\" is neither a DNS name nor an IP address"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Authority> MakeAuthority(const std::string& trust_domain, absl::Time now) {
  RETURN_IF_ERROR(CheckTrustDomain(trust_domain));
  const openssl::Key key = DrawKey();
  if (key == nullptr) return Failed("drawing a key");
  Draft draft(absl::StrCat("Sluice authority of ", trust_domain).substr(0, 64), now - kValidBefore,
              now + kAuthorityValidFor);
  X509_set_pubkey(draft.get(), key.get());
  RETURN_IF_ERROR(draft.Extend(*draft.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  RETURN_IF_ERROR(draft.Extend(*draft.get(), NID_key_usage, "critical,keyCertSign,cRLSign"));
  RETURN_IF_ERROR(draft.Extend(*draft.get(), NID_subject_key_identifier, "hash"));
  RETURN_IF_ERROR(draft.Extend(*draft.get(), NID_subject_alt_name,
                               absl::StrCat("URI:spiffe://", trust_domain)));
  Authority authority;
  authority.key = openssl::ToPem(*key);
  ASSIGN_OR_RETURN(authority.certificate, draft.Sign(*draft.get(), *key));
  return authority;
}

absl::StatusOr<std::string> TrustDomainOf(const Authority& authority) {
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(authority.certificate));
  absl::string_view domain = facts.uris.size() == 1 ? absl::string_view(facts.uris[0]) : "";
  if (!facts.is_authority || !absl::ConsumePrefix(&domain, "spiffe://") ||
      !CheckTrustDomain(domain).ok()) {
    return absl::InvalidArgumentError(
        "this is no authority made by `sluice certificate init-authority`: it names no trust "
        "domain");
  }
  return std::string(domain);
}

absl::StatusOr<CertificateFiles> Issue(const Authority& authority, const IssueRequest& request,
                                       absl::Time now) {
  RETURN_IF_ERROR(CheckRequest(request));
  SpiffeId id{"", request.kind, request.name};
  ASSIGN_OR_RETURN(id.trust_domain, TrustDomainOf(authority));
  RETURN_IF_ERROR(ParseSpiffeId(id.Text()).status());
  ASSIGN_OR_RETURN(const openssl::Key authority_key, openssl::ParsePrivateKey(authority.key));
  ASSIGN_OR_RETURN(const auto issuers, openssl::ParseCertificates(authority.certificate));
  X509& issuer = *issuers[0];
  const openssl::Key key = DrawKey();
  if (key == nullptr) return Failed("drawing a key");

  Draft draft(request.name.substr(0, 64), now - kValidBefore, now + request.valid_for);
  X509_set_pubkey(draft.get(), key.get());
  std::vector<std::string> names = {absl::StrCat("URI:", id.Text())};
  for (const std::string& host : request.hosts) {
    names.push_back(absl::StrCat(IsAddress(host) ? "IP:" : "DNS:", host));
  }
  RETURN_IF_ERROR(draft.Extend(issuer, NID_basic_constraints, "critical,CA:FALSE"));
  RETURN_IF_ERROR(draft.Extend(issuer, NID_key_usage, "critical,digitalSignature"));
  RETURN_IF_ERROR(draft.Extend(issuer, NID_ext_key_usage, "serverAuth,clientAuth"));
  RETURN_IF_ERROR(draft.Extend(issuer, NID_subject_key_identifier, "hash"));
  RETURN_IF_ERROR(draft.Extend(issuer, NID_authority_key_identifier, "keyid"));
  RETURN_IF_ERROR(draft.Extend(issuer, NID_subject_alt_name, absl::StrJoin(names, ",")));
  CertificateFiles files;
  files.key = openssl::ToPem(*key);
  ASSIGN_OR_RETURN(files.certificate, draft.Sign(issuer, *authority_key));
  files.authorities = authority.certificate;
  return files;
}

}  // namespace sluice
