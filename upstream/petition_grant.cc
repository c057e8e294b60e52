#include "upstream/petition_grant.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "storage/selection.h"
#include "upstream/returned_records.h"

namespace sluice {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

// Whether `wanted`, a product, is one of `taken` or below one of them.
bool TakesProduct(const Names& taken, const std::string& wanted) {
  return taken.empty() || std::any_of(taken.begin(), taken.end(), [&](const std::string& path) {
           return wanted == path ||
                  (wanted.size() > path.size() && wanted.compare(0, path.size(), path) == 0 &&
                   wanted[path.size()] == '/');
         });
}

bool TakesName(const Names& taken, const std::string& wanted) {
  return taken.empty() || std::find(taken.begin(), taken.end(), wanted) != taken.end();
}

// What of `wanted` a subscription does not take.
std::vector<std::string> NotTaken(const v1::Subscription& subscription,
                                  const v1::Subscription& wanted) {
  std::vector<std::string> missing;
  for (const std::string& name : wanted.products()) {
    if (!TakesProduct(subscription.products(), name)) missing.push_back(name);
  }
  for (const std::string& name : wanted.classifications()) {
    if (!TakesName(subscription.classifications(), name)) missing.push_back(name);
  }
  for (const std::string& name : wanted.languages()) {
    if (!TakesName(subscription.languages(), name)) missing.push_back(name);
  }
  return missing;
}

void AddNames(const Names& added, Names& names) {
  if (names.empty()) return;  // Everything is taken.
  names.MergeFrom(added);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

absl::StatusOr<PetitionGrant> PlanWiden(const CatalogReader& reader, const v1::Petition& petition,
                                        bool is_root) {
  PetitionGrant grant;
  const v1::Subscription& wanted = petition.subscription();
  if (is_root) {
    ASSIGN_OR_RETURN(const std::vector<std::string> unmatched, UnmatchedNames(reader, wanted));
    if (!unmatched.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the root takes what its sources give, and none of them gives \"",
          absl::StrJoin(unmatched, "\", \""), "\"; add a source that does, or refuse"));
    }
    grant.actions.push_back("nothing to do: the root has it");
    return grant;
  }
  ASSIGN_OR_RETURN(v1::Subscription own, ReadSubscription(reader));
  const std::vector<std::string> missing = NotTaken(own, wanted);
  if (missing.empty()) {
    grant.actions.push_back("nothing to add: this node's subscription takes it already");
  } else {
    AddNames(wanted.products(), *own.mutable_products());
    AddNames(wanted.classifications(), *own.mutable_classifications());
    AddNames(wanted.languages(), *own.mutable_languages());
    grant.change.PutRow(Family::kSettings, kSubscriptionSetting, own);
    grant.subscription_changed = true;
    grant.actions.push_back(absl::StrCat("add to this node's subscription: \"",
                                         absl::StrJoin(missing, "\", \""), "\""));
  }
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  const std::vector<std::string> lacking = NotTaken(above.subscription(), wanted);
  if (!lacking.empty()) {
    grant.state = v1::PETITION_STATE_FORWARDED;
    grant.actions.push_back(absl::StrCat("ask the node above, which does not take \"",
                                         absl::StrJoin(lacking, "\", \""), "\""));
  }
  return grant;
}

absl::StatusOr<PetitionGrant> PlanPin(const CatalogReader& reader, const v1::Petition& petition,
                                      bool is_root) {
  PetitionGrant grant;
  std::vector<std::string> missing;
  for (const std::string& bytes : petition.update_ids()) {
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(bytes));
    const absl::Status here = reader.CurrentRevision(id).status();
    if (absl::IsNotFound(here)) {
      missing.push_back(bytes);
    } else {
      RETURN_IF_ERROR(here);
    }
  }
  if (missing.empty()) {
    grant.actions.push_back("nothing to add: this node has these updates");
    return grant;
  }
  if (is_root) {
    return absl::FailedPreconditionError(
        absl::StrCat(missing.size(),
                     " of these updates never came from any source of the root; import them, "
                     "or refuse"));
  }
  ASSIGN_OR_RETURN(v1::Subscription own, ReadSubscription(reader));
  own.mutable_update_ids()->Add(missing.begin(), missing.end());
  if (own.update_ids_size() > kPicksMax) {
    return absl::FailedPreconditionError("a node takes at most 100,000 single updates");
  }
  ASSIGN_OR_RETURN(const std::vector<Uuid> pins, PicksOf(own));
  SetPicks(pins, own);
  grant.change.PutRow(Family::kSettings, kSubscriptionSetting, own);
  grant.subscription_changed = true;
  grant.state = v1::PETITION_STATE_FORWARDED;
  grant.actions.push_back(absl::StrCat("pin ", missing.size(),
                                       missing.size() == 1 ? " update" : " updates",
                                       " here, and ask the node above for the same"));
  return grant;
}

absl::StatusOr<PetitionGrant> PlanReturn(const CatalogReader& reader,
                                         const v1::Petition& petition) {
  PetitionGrant grant;
  ASSIGN_OR_RETURN(ReturnedRecords returned, PlanReturned(reader, petition));
  grant.first = std::move(returned.first);
  grant.change = std::move(returned.change);
  grant.actions.push_back(absl::StrCat("take back ", returned.taken, " of ",
                                       petition.records_size(),
                                       " records; the rest is known here as it is, or newer"));
  return grant;
}

}  // namespace

absl::StatusOr<PetitionGrant> PlanGrant(const CatalogReader& reader, const v1::Petition& petition,
                                        bool is_root) {
  switch (petition.kind()) {
    case v1::PETITION_KIND_WIDEN:
      return PlanWiden(reader, petition, is_root);
    case v1::PETITION_KIND_PIN:
      return PlanPin(reader, petition, is_root);
    case v1::PETITION_KIND_RETURN:
      return PlanReturn(reader, petition);
    default:
      return absl::UnimplementedError("a kind of petition that this release does not know");
  }
}

}  // namespace sluice
