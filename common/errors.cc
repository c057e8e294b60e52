#include "common/errors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "google/rpc/error_details.pb.h"

namespace sluice {
namespace {

using absl::StatusCode;

constexpr absl::string_view kReasonPrefix = "REASON_";
// Payloads of an absl::Status. common/rpc/wire_status turns them into google.rpc messages; those
// named by a type URL are such messages already.
constexpr absl::string_view kReasonUrl = "sluice/reason";
constexpr absl::string_view kRetryDelayUrl = "sluice/retry_delay_nanoseconds";
constexpr absl::string_view kBadRequestUrl = "type.googleapis.com/google.rpc.BadRequest";

constexpr ErrorFacts kFacts[] = {
    {v1::REASON_UNSPECIFIED, StatusCode::kUnknown, false, "no reason was given",
     "Look at the message, and at the log of the node that sent it."},
    {v1::REASON_UPSTREAM_DNS, StatusCode::kUnavailable, true,
     "the upstream's name does not resolve",
     "Check the spelling of upstream.target and this machine's name resolution."},
    {v1::REASON_UPSTREAM_CONNECT, StatusCode::kUnavailable, true,
     "nothing answers at the upstream's address, or the connection broke",
     "Check that the upstream runs, that the port is right, and that no firewall is in between."},
    {v1::REASON_UPSTREAM_TLS, StatusCode::kUnavailable, false,
     "the TLS handshake with the upstream failed",
     "Check the certificates on both sides, their dates, and that the name matches."},
    {v1::REASON_UPSTREAM_AUTH, StatusCode::kPermissionDenied, false,
     "the upstream does not accept this node's identity or role",
     "Give this node the role node at the upstream's listener."},
    {v1::REASON_UPSTREAM_VERSION, StatusCode::kFailedPrecondition, false,
     "the two nodes have no protocol version in common",
     "Upgrade the older of the two; upstreams first."},
    {v1::REASON_UPSTREAM_BUSY, StatusCode::kResourceExhausted, true,
     "the upstream refuses work for now", "Wait; it is tried again by itself."},
    {v1::REASON_UPSTREAM_CHANGED, StatusCode::kFailedPrecondition, true,
     "another node answers at the upstream's address than before",
     "If that is meant, nothing is to be done: the two are compared and only the difference "
     "moves."},
    {v1::REASON_UPSTREAM_STALLED, StatusCode::kDeadlineExceeded, true,
     "the upstream accepted the call and then made no progress",
     "Check the load of the upstream and the network in between; it is tried again by itself."},
    {v1::REASON_LOOP, StatusCode::kFailedPrecondition, false, "this node is above its own upstream",
     "Correct upstream.target so that the tree has no circle."},
    {v1::REASON_TOO_DEEP, StatusCode::kFailedPrecondition, false,
     "the tree would have more levels than the limit",
     "Let this node follow one that is nearer to the root."},
    {v1::REASON_EPOCH_CHANGED, StatusCode::kAborted, true,
     "the upstream's store began a new history",
     "Nothing is to be done: the two are compared and only the difference moves."},
    {v1::REASON_SELECTION_CHANGED, StatusCode::kAborted, true,
     "the selection changed since the cursor was taken",
     "Nothing is to be done: shards that came or went are moved."},
    {v1::REASON_SEQ_AHEAD, StatusCode::kAborted, true,
     "the cursor lies ahead of the upstream's durable head",
     "Nothing is to be done: the two are compared; look at whether the upstream was restored."},
    {v1::REASON_DUPLICATE_NODE, StatusCode::kAlreadyExists, false, "two nodes use the same node id",
     "One of them is a copy of the other's state directory: give it its own by init."},
    {v1::REASON_FAILED_OVER, StatusCode::kUnavailable, true,
     "the preferred upstream cannot be used, and another one is followed",
     "See why with sluice upstream list; the node returns by itself."},
    {v1::REASON_HISTORY_DIFFERS, StatusCode::kFailedPrecondition, false,
     "this node keeps records that the history of its upstream lacks",
     "Say which side is right: sluice upstream adopt removes them here; sluice parity fix --return "
     "offers them to the upstream."},
    {v1::REASON_NO_UPSTREAM, StatusCode::kFailedPrecondition, false, "this node has no upstream",
     "Ask a node that follows another."},
    {v1::REASON_NOT_ORIGIN, StatusCode::kFailedPrecondition, false,
     "this node follows another, and what was asked is decided at the origin",
     "Turn to the root of the tree, or for decisions to the autonomous node above."},
    {v1::REASON_ITEM_NOT_FOUND, StatusCode::kNotFound, false, "there was never such an item here",
     "Check the id, and the subscription that decides what comes here."},
    {v1::REASON_ITEM_PURGED, StatusCode::kNotFound, false, "the item was deleted at its origin",
     "Accept the deletion, or let the origin import it again."},
    {v1::REASON_ITEM_FILTERED, StatusCode::kNotFound, false,
     "the item lies outside of the selection",
     "Widen the subscription to its product, classification or language."},
    {v1::REASON_ITEM_NOT_YET, StatusCode::kUnavailable, true, "the item is on its way",
     "Wait, or synchronise now: sluice sync start."},
    {v1::REASON_ITEM_TOO_NEW, StatusCode::kUnimplemented, false,
     "the item is of a kind that this release does not know", "Upgrade this node."},
    {v1::REASON_ITEM_CORRUPT, StatusCode::kDataLoss, true,
     "the item's bytes do not match its digest",
     "It is fetched again by itself; if it stays, verify the upstream's store."},
    {v1::REASON_ITEM_LEASED, StatusCode::kFailedPrecondition, false,
     "a node below still needs the item",
     "Wait until the lease ends, or look at who holds it: sluice cleanup leases."},
    {v1::REASON_ITEM_HELD_BACK, StatusCode::kFailedPrecondition, false,
     "a node on the way from the root holds the item back",
     "Ask the operator of the node that holds it back."},
    {v1::REASON_ITEM_NOT_APPROVED, StatusCode::kFailedPrecondition, false,
     "no decision approves the item", "Approve it at the origin: sluice approve."},
    {v1::REASON_ITEM_DECLINED, StatusCode::kFailedPrecondition, false, "the item is declined",
     "Clear the decline at the origin if it is to be offered."},
    {v1::REASON_CONTENT_MISSING, StatusCode::kNotFound, true, "the file is not stored here",
     "It is fetched when a decision or a node below asks for it."},
    {v1::REASON_CONTENT_CORRUPT, StatusCode::kDataLoss, true,
     "the file's bytes do not match its digest",
     "Run sluice content verify: it sets the file aside and has it fetched again."},
    {v1::REASON_CONTENT_DIR_PERMISSION, StatusCode::kPermissionDenied, false,
     "the service may not read or write its content directory",
     "Give the service's user read and write access to the directory that the message names."},
    {v1::REASON_CONTENT_NO_SPACE, StatusCode::kResourceExhausted, true,
     "there is no space left for files",
     "Free space or move the content directory; transfers go on by themselves."},
    {v1::REASON_CONTENT_SOURCE_GONE, StatusCode::kNotFound, false,
     "the update's source no longer has the file",
     "Approve the successor that the message names, or publish the file by hand."},
    {v1::REASON_PROXY_AUTH, StatusCode::kUnavailable, false, "the proxy rejected the credentials",
     "Renew the proxy's user name and password; they may have expired."},
    {v1::REASON_PROXY_OTHER, StatusCode::kUnavailable, true, "the proxy could not be used",
     "Check the proxy's address and that it may reach the other side."},
    {v1::REASON_STALE_VERSION, StatusCode::kAborted, true,
     "what the request refers to has changed since", "Look at the present state and ask again."},
    {v1::REASON_GUARD_HELD, StatusCode::kFailedPrecondition, false,
     "the change is larger than the set share", "Look at what it would do, then confirm it."},
    {v1::REASON_INVALID_REQUEST, StatusCode::kInvalidArgument, false,
     "a field of the request is wrong", "Correct the fields that are named."},
    {v1::REASON_ROLE_REQUIRED, StatusCode::kPermissionDenied, false,
     "the caller's role does not allow the call",
     "Use a listener that grants one of the roles that the message names."},
    {v1::REASON_SESSION_RUNNING, StatusCode::kFailedPrecondition, true,
     "a session is already running", "Wait for its end: sluice sync watch."},
    {v1::REASON_CANCELLED, StatusCode::kCancelled, false, "an operator cancelled it",
     "Start it again when it is wanted: sluice sync start."},
    {v1::REASON_CERTIFICATE_REFUSED, StatusCode::kFailedPrecondition, false,
     "what lies in the certificates' folder `incoming` cannot be used by this node",
     "Put a complete set of key.pem, cert.pem and ca.pem for this node there; the old one serves "
     "until then."},
    {v1::REASON_CERTIFICATE_EXPIRING, StatusCode::kFailedPrecondition, false,
     "this node's certificate expires soon, and nothing has renewed it",
     "Issue a new one, and put it into the certificates' folder `incoming`."},
    {v1::REASON_CONFIGURATION_NOT_IN_FORCE, StatusCode::kFailedPrecondition, false,
     "the configuration file says something else than what this node does",
     "Correct the file and reload, or restart the daemon."},
    {v1::REASON_PARITY_DIFFERS, StatusCode::kFailedPrecondition, true,
     "the last comparison with the upstream found standing differences",
     "Look at them with sluice parity show, and mend them with sluice parity fix."},
    {v1::REASON_SOURCE_SIGNATURE, StatusCode::kDataLoss, false,
     "the repository's signature is missing, wrong or by an unknown key",
     "Check signed_by; if the key is right, do not trust what the repository offers."},
    {v1::REASON_SOURCE_EXPIRED, StatusCode::kFailedPrecondition, true,
     "the repository's signed index has expired",
     "Check this machine's clock, and whether the repository or its copy is still kept up."},
    {v1::REASON_SOURCE_MISMATCH, StatusCode::kDataLoss, true,
     "what was downloaded differs from its signed size or digest",
     "Try again later; if it stays, something between here and the repository alters it."},
    {v1::REASON_SOURCE_UNAVAILABLE, StatusCode::kUnavailable, true,
     "the repository or folder cannot be reached or read",
     "Check its address, the network and the permissions."},
    {v1::REASON_SOURCE_MALFORMED, StatusCode::kInvalidArgument, false,
     "what the repository or folder offers cannot be understood",
     "Correct what the message names at its source."},
    {v1::REASON_STORE_BEHIND_ANCHOR, StatusCode::kDataLoss, false,
     "the store is behind its anchor: acknowledged writes are gone",
     "Restore a backup, or accept the loss by the daemon's recover command."},
    {v1::REASON_STORE_IDENTITY, StatusCode::kFailedPrecondition, false,
     "store, identity file, content and daemon are not of one node",
     "Put together again what is of one node, as the message says."},
    {v1::REASON_STORE_LOCKED, StatusCode::kFailedPrecondition, false,
     "another process uses the state directory",
     "Stop the process that the message names, or configure another state_dir."},
    {v1::REASON_STORE_CORRUPT, StatusCode::kDataLoss, false, "the store's bytes are damaged",
     "Restore a backup, or start anew with init and let the node synchronise."},
    {v1::REASON_STORE_TOO_NEW, StatusCode::kFailedPrecondition, false,
     "the store was written by a newer release", "Run that release, or a later one."},
    {v1::REASON_STORE_NO_SPACE, StatusCode::kResourceExhausted, true,
     "there is no space left for the store", "Free space on the volume of state_dir."},
    {v1::REASON_BACKUP_CORRUPT, StatusCode::kDataLoss, false,
     "a backup cannot be read, or its bytes are damaged",
     "Use another backup; make a new one, and look at the volume of backup_dir."},
    {v1::REASON_STORE_WRITE_FAILED, StatusCode::kUnavailable, true,
     "the store's volume failed in the middle of a write; nothing acknowledged is lost",
     "Make room or mend the volume, and restart the daemon; its watchdog does so by itself."},
    {v1::REASON_BALLAST_RELEASED, StatusCode::kFailedPrecondition, false,
     "the ballast, which leaves room to clean up when the volume is full, is not in place",
     "Make room on the volume of state_dir, then reserve it again: sluice space reserve."},
    {v1::REASON_INTERNAL, StatusCode::kInternal, false, "a fault of the program itself",
     "Report it with the log around this moment."},
};

}  // namespace

const ErrorFacts& FactsOf(v1::Reason reason) {
  const auto* found =
      std::find_if(std::begin(kFacts), std::end(kFacts),
                   [reason](const ErrorFacts& facts) { return facts.reason == reason; });
  return found == std::end(kFacts) ? kFacts[0] : *found;
}

std::string ReasonName(v1::Reason reason) {
  const std::string& name = v1::Reason_Name(reason);
  return std::string(absl::StripPrefix(name, kReasonPrefix));
}

v1::Reason ReasonFromName(absl::string_view name) {
  v1::Reason reason = v1::REASON_UNSPECIFIED;
  if (!v1::Reason_Parse(absl::StrCat(kReasonPrefix, name), &reason)) return v1::REASON_UNSPECIFIED;
  return reason;
}

absl::Status MakeError(v1::Reason reason, absl::string_view message) {
  return WithReason(absl::Status(FactsOf(reason).code, message), reason);
}

absl::Status WithReason(absl::Status status, v1::Reason reason) {
  status.SetPayload(kReasonUrl, absl::Cord(ReasonName(reason)));
  return status;
}

v1::Reason ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kReasonUrl);
  return payload.has_value() ? ReasonFromName(std::string(*payload)) : v1::REASON_UNSPECIFIED;
}

bool IsRetryable(const absl::Status& status) {
  const v1::Reason reason = ReasonOf(status);
  if (reason != v1::REASON_UNSPECIFIED) return FactsOf(reason).retryable;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsResourceExhausted(status) || absl::IsAborted(status);
}

absl::Duration RetryDelayOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kRetryDelayUrl);
  int64_t nanoseconds = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &nanoseconds)) {
    return absl::ZeroDuration();
  }
  return absl::Nanoseconds(nanoseconds);
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryDelayUrl, absl::Cord(absl::StrCat(absl::ToInt64Nanoseconds(delay))));
  return status;
}

absl::Status InvalidRequest(const std::vector<FieldViolation>& violations) {
  const std::string message =
      absl::StrJoin(violations, "; ", [](std::string* out, const FieldViolation& violation) {
        absl::StrAppend(out, violation.field, ": ", violation.description);
      });
  absl::Status status = MakeError(v1::REASON_INVALID_REQUEST, message);
  google::rpc::BadRequest details;
  for (const FieldViolation& violation : violations) {
    auto* field = details.add_field_violations();
    field->set_field(violation.field);
    field->set_description(violation.description);
  }
  status.SetPayload(kBadRequestUrl, absl::Cord(details.SerializeAsString()));
  return status;
}

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const absl::optional<absl::Cord> payload = status.GetPayload(kBadRequestUrl);
  google::rpc::BadRequest details;
  if (!payload.has_value() || !details.ParseFromString(std::string(*payload))) return violations;
  for (const auto& field : details.field_violations()) {
    violations.push_back({field.field(), field.description()});
  }
  return violations;
}

}  // namespace sluice
