// OpenSSL objects: its types with owners, and its error queue as text. For this folder only.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice::openssl {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using Store = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freer<SSL_free>>;

// What the error queue of this thread says, oldest first; empties it.
std::string TakeErrors();

// All certificates of a PEM text, in its order.
//
// Errors: INVALID_ARGUMENT there is none, or one is damaged.
absl::StatusOr<std::vector<Certificate>> ParseCertificates(absl::string_view pem);

// Errors: INVALID_ARGUMENT it is no private key in PEM, or it is encrypted.
absl::StatusOr<Key> ParsePrivateKey(absl::string_view pem);

std::string ToPem(const X509& certificate);
std::string ToPem(const EVP_PKEY& private_key);

absl::Time ToTime(const ASN1_TIME* time);

}  // namespace sluice::openssl
