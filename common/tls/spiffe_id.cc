#include "common/tls/spiffe_id.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status.h"
#include "common/uuid.h"

namespace sluice {
namespace {

constexpr size_t kTrustDomainBytesMax = 255;
constexpr size_t kUserNameBytesMax = 128;

absl::string_view KindName(PeerKind kind) { return kind == PeerKind::kNode ? "node" : "user"; }

bool IsUserName(absl::string_view name) {
  return !name.empty() && name.size() <= kUserNameBytesMax && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<uint8_t>(c)) || c == '.' || c == '-' || c == '_';
         });
}

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no identity here: ", why));
}

}  // namespace

std::string SpiffeId::Text() const {
  return absl::StrCat("spiffe://", trust_domain, "/", KindName(kind), "/", name);
}

absl::Status CheckTrustDomain(absl::string_view name) {
  const bool valid = !name.empty() && name.size() <= kTrustDomainBytesMax &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return absl::ascii_islower(static_cast<uint8_t>(c)) ||
                              absl::ascii_isdigit(static_cast<uint8_t>(c)) || c == '.' ||
                              c == '-' || c == '_';
                     });
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name,
                   "\" is no trust domain: lower-case letters, digits, \".\", \"-\" "
                   "and \"_\", at most 255"));
}

absl::StatusOr<SpiffeId> ParseSpiffeId(absl::string_view text) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "spiffe://")) return Wrong(text, "it is no spiffe: URI");
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, '/');
  if (parts.size() != 3) {
    return Wrong(text,
                 "it is not of the form spiffe://DOMAIN/node/ID or spiffe://DOMAIN/user/NAME");
  }
  RETURN_IF_ERROR(CheckTrustDomain(parts[0]));
  SpiffeId id;
  id.trust_domain = std::string(parts[0]);
  id.name = std::string(parts[2]);
  if (parts[1] == "node") {
    const absl::StatusOr<Uuid> node = Uuid::Parse(id.name);
    if (!node.ok() || node->ToString() != id.name) return Wrong(text, "a node is named by its id");
    id.kind = PeerKind::kNode;
  } else if (parts[1] == "user") {
    if (!IsUserName(id.name)) return Wrong(text, "the user's name is not well formed");
    id.kind = PeerKind::kUser;
  } else {
    return Wrong(text, "it is neither a node's nor a user's");
  }
  return id;
}

}  // namespace sluice
