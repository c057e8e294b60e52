// Update explanation: why a node offers an update to its clients, or does not: the rules that
// decide, in the order in which they are asked. Pure: facts in, steps out.
//
// A node judges itself by it and says the result to those above; whoever is above judges a node
// below by the same rules from what that node has said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sluice/v1/record.pb.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {

enum class Known { kUnknown, kYes, kNo };

// Which part of a subscription leaves an update out.
enum class Taken { kUnknown, kTaken, kNotAbove, kNotProduct, kNotClassification, kNotLanguage };

enum class Approval { kUnknown, kApproved, kNotApproved, kForAnotherRevision };

// All that decides at one node, as far as it is known where the question was asked. Times: infinite
// past where they are not known.
struct PlaceFacts {
  std::string node_id;  // In text.
  std::string node_name;

  bool here = true;  // The node that answers; else it was heard of.
  absl::Time heard_at = absl::InfinitePast();
  absl::Duration silent_for;  // By the answering node's clock.
  std::vector<std::string> conditions;

  bool root = false;
  std::string upstream_name;
  Known upstream_has_it = Known::kUnknown;

  Taken taken = Taken::kUnknown;
  std::string left_out;  // What the update is that the subscription does not take, in words.

  Known metadata = Known::kUnknown;
  absl::Time metadata_at = absl::InfinitePast();
  v1::ItemStatus metadata_failure;

  Known decided = Known::kUnknown;  // Some decision about it is in force.
  Known declined = Known::kUnknown;
  std::string declined_by;  // Who and why, in words.
  Approval approval = Approval::kUnknown;
  absl::Time decision_at = absl::InfinitePast();

  Known held_back = Known::kUnknown;
  std::optional<v1::SiteNotice> notice;  // Of the node that holds it back, where that is known.

  Known superseded = Known::kUnknown;
  std::string superseded_by;  // A title; or why it expired at its source.

  Known licence = Known::kUnknown;  // It has none, or it is accepted.

  Known closure = Known::kUnknown;
  std::vector<std::string> absent;  // Ids of bundle members and prerequisites that are not here.

  Known content = Known::kUnknown;
  int files = 0;
  int files_missing = 0;
  v1::ItemStatus content_failure;  // Of one of them; without reason: none failed.
  absl::Time content_at = absl::InfinitePast();
  absl::Time visible_at = absl::InfinitePast();
};

// Not heard of for longer: a node that synchronises by the clock reports at least once a day.
inline constexpr absl::Duration kSilentAfter = absl::Hours(25);

// What the rules come to at one node.
struct PlaceExplanation {
  std::vector<v1::ExplainStep> steps;  // One for each rule.
  // The step that keeps the update from clients, or that cannot be told; none: it is visible.
  std::optional<size_t> decided_by;
};

PlaceExplanation ExplainPlace(const PlaceFacts& facts);

// The way from the answering node down to the last one of `path`, which must not be empty.
v1::ExplainResponse ExplainPath(const std::vector<PlaceFacts>& path);

}  // namespace sluice
