// Signature: verifies a repository's signed index with gpgv, and gives on only what gpgv says was
// signed.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice::debian {

// The text inside of a clear-signed file that a key of the keyring has signed. Text around the
// signed part refuses the whole. `keyring`: a file of keys, binary or armored, or an armored key
// block itself.
//
// Errors: DATA_LOSS SOURCE_SIGNATURE with gpgv's own words.
absl::StatusOr<std::string> VerifyClearSigned(absl::string_view signed_text,
                                              absl::string_view keyring, absl::string_view name);

// `text`, if `signature` over it is by a key of the keyring.
absl::StatusOr<std::string> VerifyDetached(absl::string_view text, absl::string_view signature,
                                           absl::string_view keyring, absl::string_view name);

// The bytes inside of an ASCII armor (RFC 4880, section 6.2); several blocks follow each other.
// Errors: INVALID_ARGUMENT.
absl::StatusOr<std::string> Dearmor(absl::string_view armored);

}  // namespace sluice::debian
