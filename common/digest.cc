#include "common/digest.h"

#include <openssl/evp.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sluice {

namespace {

// Looked up once: OpenSSL takes longer over it than over a small record.
const EVP_MD* Sha256() {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return sha256;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// A context that the thread's last hasher left for the next one.
Context& SpareContext() {
  thread_local Context spare;
  return spare;
}

}  // namespace

struct Hasher::State {
  Context context = SpareContext() ? std::move(SpareContext()) : Context(EVP_MD_CTX_new());
  ~State() { SpareContext() = std::move(context); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  EVP_DigestInit_ex(state_->context.get(), Sha256(), nullptr);
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::Update(absl::string_view data) {
  EVP_DigestUpdate(state_->context.get(), data.data(), data.size());
  return *this;
}

Digest Hasher::Finish() {
  Digest digest;
  EVP_DigestFinal_ex(state_->context.get(), digest.bytes_.data(), nullptr);
  return digest;
}

Digest Digest::Of(absl::string_view data) { return Hasher().Update(data).Finish(); }

absl::StatusOr<Digest> Digest::Parse(absl::string_view hex) {
  const bool well_formed =
      hex.size() == 2 * kSizeBytes && std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
  if (!well_formed) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CEscape(hex.substr(0, 80)),
                                                   "\" is not a SHA-256 (64 hexadecimal digits)"));
  }
  return FromBytes(absl::HexStringToBytes(hex));
}

absl::StatusOr<Digest> Digest::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kSizeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a SHA-256 has 32 bytes, this one has ", bytes.size()));
  }
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes_.begin());
  return digest;
}

std::string Digest::ToHex() const { return absl::BytesToHexString(view()); }

}  // namespace sluice
