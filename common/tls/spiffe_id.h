// SPIFFE id: who a certificate's holder is, as in
// "spiffe://contoso.example/node/0e6f...": a trust domain, a kind and a name (SPIFFE-ID, section
// 2).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

enum class PeerKind {
  kNode,  // Its name is its node id.
  kUser,
};

struct SpiffeId {
  std::string trust_domain;  // Lower case.
  PeerKind kind = PeerKind::kNode;
  std::string name;

  std::string Text() const;
  friend bool operator==(const SpiffeId&, const SpiffeId&) = default;
};

// Reads "spiffe://DOMAIN/node/NODE-ID" or "spiffe://DOMAIN/user/NAME".
//
// Errors: INVALID_ARGUMENT it is neither; the message says what is wrong with it.
absl::StatusOr<SpiffeId> ParseSpiffeId(absl::string_view text);

// Errors: INVALID_ARGUMENT `name` cannot be a trust domain: 1 to 255 of a-z, 0-9, ".", "-", "_".
absl::Status CheckTrustDomain(absl::string_view name);

}  // namespace sluice
