// Petition grant: what granting a petition does at this node, worked out before it is done.
//
// A node that follows widens its own subscription, and asks on where the node above lacks it too.
// The root takes what its sources give: it has what is asked for, or granting cannot bring it; and
// it alone takes records back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sluice/v1/petition.pb.h"
#include "storage/catalog.h"

namespace sluice {

struct PetitionGrant {
  v1::PetitionState state = v1::PETITION_STATE_GRANTED;
  // In words.
  std::vector<std::string> actions;
  // To be committed with the new state.
  CatalogChange change;
  // Before that, where records come back that others are about.
  CatalogChange first;
  bool subscription_changed = false;
};

// Works out a grant. `is_root`: there is no node above.
//
// Errors: FAILED_PRECONDITION granting it would come to nothing; the message says why.
absl::StatusOr<PetitionGrant> PlanGrant(const CatalogReader& reader, const v1::Petition& petition,
                                        bool is_root);

}  // namespace sluice
