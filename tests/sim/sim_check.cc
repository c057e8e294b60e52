// What must hold when the faults are over.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/acknowledgements.h"
#include "storage/closure.h"
#include "storage/decisions.h"
#include "storage/own_acknowledgements.h"
#include "storage/payload.h"
#include "storage/selection.h"
#include "tests/sim/simulation.h"
#include "tests/storage/catalog_invariants.h"

namespace sluice {
namespace {

// A record as nodes must agree on it: revisions by digest, whatever their numbers.
using Facts = std::map<std::string, std::string>;

absl::StatusOr<Facts> FactsOf(const CatalogReader& reader, const Selection& selection,
                              const Uuid& excluded) {
  Facts facts;
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    if (IsOwnOf(shard.definition, excluded)) continue;
    ASSIGN_OR_RETURN(const std::vector<ShardMember> members, reader.Members(shard.id, "", 1 << 20));
    for (const ShardMember& member : members) {
      if (!selection.Takes(shard.definition, member.key)) continue;
      RecordKey name = member.key;
      name.revision = 0;
      const std::string digest = member.digest.ToHex();
      const bool revision = name.kind == v1::RECORD_KIND_REVISION;
      facts[absl::StrCat(name.ToString(), revision ? digest : "")] =
          absl::StrCat(digest, " in ", absl::BytesToHexString(shard.id.view()));
    }
  }
  return facts;
}

absl::Status Compare(const std::string& who, const Facts& expected, const Facts& actual) {
  for (const auto& [name, value] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) return absl::InternalError(absl::StrCat(who, " lacks ", name));
    if (found->second != value) return absl::InternalError(absl::StrCat(who, " differs in ", name));
  }
  for (const auto& [name, value] : actual) {
    if (!expected.contains(name)) {
      return absl::InternalError(absl::StrCat(who, " should not have ", name));
    }
  }
  return absl::OkStatus();
}

// Whether the node above has the same revision or category, and `node` takes it.
bool IsAbove(const SimNode& node, const ShardMember& member) {
  const CatalogReader above = node.upstream_->catalog_->Read();
  const auto selection = Selection::Expand(above, *ReadSubscription(node.catalog_->Read()));
  const auto same = [&](const RecordColumns& columns) {
    const auto shard = above.Shard(*ShardId::FromBytes(columns.header.shard_id()));
    return !columns.key.kept() && columns.header.digest() == member.digest.view() && shard.ok() &&
           selection.ok() && selection->Matches(shard->definition);
  };
  if (member.key.kind == v1::RECORD_KIND_REVISION) {
    const auto revisions = above.Revisions(member.key.id);
    return revisions.ok() && std::any_of(revisions->begin(), revisions->end(), same);
  }
  const auto columns = above.GetColumns({member.key.kind, member.key.id, 0, {}});
  return columns.ok() && same(*columns);
}

// A node above that followed another meanwhile lets go of decisions of that one's in a comparison
// which its own new selection explains (docs/decisions/0013); those below it keep them.
bool AnySwitchedFrom(const SimNode& node) {
  for (const SimNode* above = &node; above != nullptr; above = above->upstream_) {
    if (above->ever_switched_) return true;
  }
  return false;
}

// What is kept was once a fact, and is kept only where a history was lost, or where another
// upstream was followed meanwhile which had it.
absl::Status CheckKept(const SimNode& node, bool history_lost, bool any_switched,
                       const std::set<std::string>& ever) {
  const CatalogReader reader = node.catalog_->Read();
  ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, reader.Shards());
  for (const ShardInfo& shard : shards) {
    if (shard.definition.kept_by().empty()) continue;
    ASSIGN_OR_RETURN(const std::vector<ShardMember> members, reader.Members(shard.id, "", 1 << 20));
    const bool own = shard.definition.kept_by() == node.catalog_->node_id().view();
    if (!history_lost && !any_switched) {
      return absl::InternalError(
          absl::StrCat(node.name_, " keeps ", members.front().key.ToString(), " without need"));
    }
    for (const ShardMember& member : members) {
      if (history_lost || !own) break;
      if (!AnySwitchedFrom(node) || IsAbove(node, member)) {
        return absl::InternalError(
            absl::StrCat(node.name_, " keeps ", member.key.ToString(), " without need"));
      }
    }
    for (const ShardMember& member : members) {
      if (member.key.kind == v1::RECORD_KIND_SITE) {
        return absl::InternalError(node.name_ + " keeps what a node held back");
      }
      ASSIGN_OR_RETURN(const RecordColumns columns, reader.GetColumns(member.key));
      bool known = ever.contains(columns.header.digest());
      for (const v1::DecisionEntry& entry : columns.header.decisions()) {
        known = ever.contains(entry.digest());
        if (!known) break;
      }
      if (!known) return absl::InternalError(node.name_ + " keeps what never was");
    }
  }
  return absl::OkStatus();
}

// What a node decides itself is where its update is.
absl::Status CheckOwnPolicies(const SimNode& node) {
  const CatalogReader reader = node.catalog_->Read();
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                   reader.List(v1::RECORD_KIND_POLICY, "", 1 << 20));
  for (const RecordColumns& policy : policies) {
    if (policy.key.kept()) {
      return absl::InternalError(node.name_ + " keeps a decision that is its own");
    }
    const absl::StatusOr<RecordColumns> current = reader.CurrentRevision(policy.key.id);
    if (!current.ok()) continue;
    ASSIGN_OR_RETURN(const ShardId place, ShardId::FromBytes(current->header.shard_id()));
    ASSIGN_OR_RETURN(ShardInfo shard, reader.Shard(place));
    shard.definition.clear_kept_by();
    const ShardId expected = ShardId::Of(ShardInStream(shard.definition, v1::STREAM_KIND_POLICY));
    if (policy.header.shard_id() != expected.bytes()) {
      return absl::InternalError(node.name_ + " has a decision in another shard than its update");
    }
  }
  return absl::OkStatus();
}

// Comparing mends what the tail loses; so a tail that loses something shows only in the sessions.
// Where no history was lost none may have found its fingerprint wrong.
absl::Status CheckTail(const SimNode& node) {
  ASSIGN_OR_RETURN(const auto sessions,
                   node.catalog_->Read().ListRows<v1::Session>(Family::kSessions, "", "", 1 << 20));
  for (const auto& [key, session] : sessions) {
    if (absl::StrContains(session.summary(), "fingerprints differed")) {
      return absl::InternalError(absl::StrCat(node.name_, " lost something on the tail"));
    }
  }
  return absl::OkStatus();
}

// The files of what is approved are here, but for those that nobody above can give: they belong to
// a revision which is only kept.
absl::Status CheckContent(SimNode& node) {
  const CatalogReader reader = node.catalog_->Read();
  const CatalogReader above = node.upstream_->catalog_->Read();
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader, subscription));
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                   reader.List(v1::RECORD_KIND_POLICY, "", 1 << 20));
  for (const RecordColumns& policy : policies) {
    ASSIGN_OR_RETURN(const WantedFiles wanted, FilesWantedFor(reader, policy.key.id, selection));
    for (const stored::v1::FileReference& file : wanted.files) {
      ASSIGN_OR_RETURN(const Digest digest, Digest::FromBytes(file.sha256()));
      ASSIGN_OR_RETURN(const std::vector<RecordKey> uses, above.FileUses(digest));
      if (uses.empty() || !node.upstream_->CanGive(digest)) continue;
      const absl::Status intact = node.content_.Verify(digest);
      if (!intact.ok())
        return absl::InternalError(absl::StrCat(node.name_, ": ", intact.message()));
    }
  }
  return absl::OkStatus();
}

// What a node says of its updates is so, and known at the root word for word.
absl::Status CheckAcknowledgements(SimNode& node, const SimNode& root) {
  const CatalogReader reader = node.catalog_->Read();
  const CatalogReader at_root = root.catalog_->Read();
  const Uuid& self = node.catalog_->node_id();
  ASSIGN_OR_RETURN(const v1::Subscription subscription, ReadSubscription(reader));
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(reader, subscription));
  ASSIGN_OR_RETURN(const std::vector<RecordColumns> policies,
                   reader.List(v1::RECORD_KIND_POLICY, "", 1 << 20));
  std::set<Uuid> updates;
  for (const RecordColumns& policy : policies) updates.insert(policy.key.id);
  ASSIGN_OR_RETURN(const auto rows, at_root.ListRows<v1::UpdateAcknowledgement>(
                                        Family::kAcknowledgements, "", "", 1 << 20));
  for (const auto& [key, row] : rows) {
    if (row.node_id() == self.view()) updates.insert(*Uuid::FromBytes(row.update_id()));
  }
  const auto present = [&node](const ContentInfo& file) {
    const auto here = node.content_.Stat(file.digest);
    return here.ok() && here->size_bytes == file.size_bytes;
  };
  for (const Uuid& update : updates) {
    ASSIGN_OR_RETURN(const auto said, ReadAcknowledgement(reader, self, update));
    ASSIGN_OR_RETURN(const auto known, ReadAcknowledgement(at_root, self, update));
    ASSIGN_OR_RETURN(const auto now, Acknowledge(reader, update, selection, present, said,
                                                 /*anew=*/false, node.clock_.Now()));
    const std::string what = absl::StrCat(node.name_, " about update ", update.ToString());
    const bool nothing = now.policy_digest().empty();
    if (nothing ? !said.update_id().empty() : now.SerializeAsString() != said.SerializeAsString()) {
      return absl::InternalError(absl::StrCat(what, ": what it said is not so"));
    }
    if (known.SerializeAsString() != said.SerializeAsString()) {
      return absl::InternalError(absl::StrCat(what, ": the root knows {", known.ShortDebugString(),
                                              "} instead of {", said.ShortDebugString(), "}"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Simulation::Check() {
  bool history_lost = false;
  bool switched = false;
  bool copied_back = false;
  for (const auto& node : nodes_) {
    history_lost |= node->history_lost_;
    switched |= node->ever_switched_;
    copied_back |= node->copied_back_;
  }
  for (const auto& node : nodes_) {
    if (!node->up()) return absl::InternalError(node->name_ + " is down in the end");
    RETURN_IF_ERROR(Annotate(CheckInvariants(node->catalog_->Read()), node->name_));
    RETURN_IF_ERROR(CheckKept(*node, history_lost, switched, edits_->ever()));
    if (node->upstreams_.empty()) continue;
    if (node->upstream_ != node->upstreams_.front()) {
      return absl::InternalError(node->name_ + " does not return to the upstream that it prefers");
    }
    RETURN_IF_ERROR(CheckNode(*node));
    if (node->decides()) RETURN_IF_ERROR(CheckOwnPolicies(*node));
    RETURN_IF_ERROR(CheckContent(*node));
    // A node that followed another meanwhile may have taken back there what is known by the old
    // way; and one that was put back from a copy does not know that it was told more.
    if (!switched && !copied_back) RETURN_IF_ERROR(CheckAcknowledgements(*node, *nodes_.front()));
    // Who comes back from another upstream may have to compare.
    if (!history_lost && !switched) RETURN_IF_ERROR(CheckTail(*node));
  }
  return absl::OkStatus();
}

// A node holds exactly what its subscription takes of what its upstream holds.
absl::Status Simulation::CheckNode(const SimNode& node) {
  const CatalogReader above = node.upstream_->catalog_->Read();
  const CatalogReader here = node.catalog_->Read();
  ASSIGN_OR_RETURN(v1::Subscription subscription, ReadSubscription(here));
  ASSIGN_OR_RETURN(const std::vector<Uuid> pins, PicksOf(subscription));
  // Which single updates a node needs follows from what it has, which it cannot have but from
  // above.
  ASSIGN_OR_RETURN(const Selection shards, Selection::Expand(above, subscription, node.mode_));
  ASSIGN_OR_RETURN(const std::vector<Uuid> picks, PicksFor(here, shards, pins));
  SetPicks(picks, subscription);
  ASSIGN_OR_RETURN(const v1::Subscription in_force, ReadSubscriptionInForce(here));
  if (in_force.SerializeAsString() != subscription.SerializeAsString()) {
    return absl::InternalError(absl::StrCat(node.name_, " picks ", in_force.update_ids_size(),
                                            " updates, and needs ", picks.size(), ", of which ",
                                            pins.size(), " are pins"));
  }
  ASSIGN_OR_RETURN(const Selection selection, Selection::Expand(above, subscription, node.mode_));
  ASSIGN_OR_RETURN(const Selection everything, Selection::Expand(here, {}, node.mode_));
  const Uuid& self = node.catalog_->node_id();
  ASSIGN_OR_RETURN(const Facts expected, FactsOf(above, selection, self));
  ASSIGN_OR_RETURN(const Facts actual, FactsOf(here, everything, self));
  return Compare(node.name_, expected, actual);
}

}  // namespace sluice
