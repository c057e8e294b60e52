#include "common/sip_hash.h"

#include <openssl/rand.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

uint64_t LoadLittleEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  }
  return value;
}

uint64_t LoadWord(const char* bytes) {
  if constexpr (std::endian::native != std::endian::little) return LoadLittleEndian({bytes, 8});
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void Compress(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

SipKey SipKey::Random() {
  unsigned char bytes[kSizeBytes];
  // Without entropy there are no keys, for TLS neither.
  if (RAND_bytes(bytes, kSizeBytes) != 1) std::abort();
  return *FromBytes({reinterpret_cast<const char*>(bytes), kSizeBytes});
}

absl::StatusOr<SipKey> SipKey::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kSizeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a SipHash key has 16 bytes, this one has ", bytes.size()));
  }
  return SipKey{LoadLittleEndian(bytes.substr(0, 8)), LoadLittleEndian(bytes.substr(8))};
}

std::string SipKey::bytes() const {
  std::string bytes(kSizeBytes, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>((i < 8 ? k0 : k1) >> (8 * (i % 8)));
  }
  return bytes;
}

uint64_t SipHash(const SipKey& key, absl::string_view data) {
  SipState state{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d,
                 key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
  const uint64_t size_byte = static_cast<uint64_t>(data.size()) << 56;
  for (; data.size() >= 8; data.remove_prefix(8)) {
    state.Compress(LoadWord(data.data()));
  }
  state.Compress(LoadLittleEndian(data) | size_byte);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace sluice
