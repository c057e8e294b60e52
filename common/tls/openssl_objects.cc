#include "common/tls/openssl_objects.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::openssl {
namespace {

Bio ReadingBio(absl::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string TakeText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

// Refuses instead of asking at the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user_data*/) { return -1; }

}  // namespace

std::string TakeErrors() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    absl::StrAppend(&text, text.empty() ? "" : ", ", reason == nullptr ? "unknown error" : reason);
  }
  return text;
}

absl::StatusOr<std::vector<Certificate>> ParseCertificates(absl::string_view pem) {
  const Bio bio = ReadingBio(pem);
  std::vector<Certificate> certificates;
  while (true) {
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
    if (certificate == nullptr) break;
    certificates.push_back(std::move(certificate));
  }
  // The text ends where no further one begins; everything else is damage.
  const unsigned long end = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE;
  const std::string errors = TakeErrors();
  if (!at_end) return absl::InvalidArgumentError(absl::StrCat("a damaged certificate: ", errors));
  if (certificates.empty()) return absl::InvalidArgumentError("no certificate in PEM");
  return certificates;
}

absl::StatusOr<Key> ParsePrivateKey(absl::string_view pem) {
  const Bio bio = ReadingBio(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  const std::string errors = TakeErrors();
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no private key in PEM without a password: ", errors));
  }
  return key;
}

std::string ToPem(const X509& certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), &certificate);
  return TakeText(bio.get());
}

std::string ToPem(const EVP_PKEY& private_key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), &private_key, nullptr, nullptr, 0, nullptr, nullptr);
  return TakeText(bio.get());
}

absl::Time ToTime(const ASN1_TIME* time) {
  tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTimeT(timegm(&parts));
}

}  // namespace sluice::openssl
