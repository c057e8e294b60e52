#include "common/tls/certificate.h"

#include <arpa/inet.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "common/tls/openssl_objects.h"

namespace sluice {
namespace {

std::string OneLine(const X509_NAME* name) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  constexpr int kIpv4Bytes = 4;
  const int family = ASN1_STRING_length(address) == kIpv4Bytes ? AF_INET : AF_INET6;
  inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
  return text.data();
}

void AddNames(X509& certificate, CertificateFacts& facts) {
  const openssl::Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) facts.uris.push_back(TextOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) facts.names.push_back(TextOf(name->d.dNSName));
    if (name->type == GEN_IPADD) facts.names.push_back(AddressText(name->d.iPAddress));
  }
}

}  // namespace

CertificatePaths CertificatePaths::In(const std::string& folder) {
  return {absl::StrCat(folder, "/", kKeyFile), absl::StrCat(folder, "/", kCertificateFile),
          absl::StrCat(folder, "/", kAuthoritiesFile)};
}

absl::StatusOr<CertificateFacts> ReadCertificate(absl::string_view pem) {
  ASSIGN_OR_RETURN(const auto certificates, openssl::ParseCertificates(pem));
  X509& certificate = *certificates[0];
  CertificateFacts facts;
  facts.subject = OneLine(X509_get_subject_name(&certificate));
  facts.issuer = OneLine(X509_get_issuer_name(&certificate));
  facts.not_before = openssl::ToTime(X509_get0_notBefore(&certificate));
  facts.not_after = openssl::ToTime(X509_get0_notAfter(&certificate));
  facts.is_authority = X509_check_ca(&certificate) != 0;
  AddNames(certificate, facts);
  return facts;
}

absl::StatusOr<SpiffeId> IdentityOf(const CertificateFacts& facts) {
  if (facts.uris.size() != 1) {
    return absl::UnauthenticatedError(absl::StrCat(
        "the certificate has ", facts.uris.empty() ? "no" : "more than one", " URI as its identity",
        facts.uris.empty() ? "" : ": ", absl::StrJoin(facts.uris, ", ")));
  }
  absl::StatusOr<SpiffeId> id = ParseSpiffeId(facts.uris[0]);
  if (!id.ok()) return absl::UnauthenticatedError(id.status().message());
  return id;
}

absl::Status CheckHost(absl::string_view pem, const std::string& host) {
  ASSIGN_OR_RETURN(const auto certificates, openssl::ParseCertificates(pem));
  X509* certificate = certificates[0].get();
  if (X509_check_ip_asc(certificate, host.c_str(), 0) == 1 ||
      X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1) {
    return absl::OkStatus();
  }
  openssl::TakeErrors();
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(pem));
  return absl::UnauthenticatedError(
      absl::StrCat("the certificate is not for ", host, " but for ",
                   facts.names.empty() ? "no name" : absl::StrJoin(facts.names, ", ")));
}

}  // namespace sluice
