// `subscription get`, `set`, `pin` and `unpin`: what this node wants of what its upstream has.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/find_updates.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/uuid.h"
#include "sluice/v1/policy_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kGet = "sluice.v1.PolicyService/GetSubscription";
constexpr absl::string_view kSet = "sluice.v1.PolicyService/SetSubscription";
constexpr absl::string_view kPin = "sluice.v1.PolicyService/PinUpdates";
// As PinUpdatesRequest.update_ids allows.
constexpr size_t kUpdatesMax = 1000;
constexpr size_t kPinsShown = 20;
constexpr int kTitlesShown = 10;

using Names = google::protobuf::RepeatedPtrField<std::string>;

std::string NamesText(const Names& names) {
  return names.empty() ? "all" : absl::StrJoin(names, ", ");
}

// The ids of pinned updates; the first ones when they are many.
std::string PinsText(const v1::Subscription& subscription) {
  std::vector<std::string> shown;
  for (const std::string& bytes : subscription.update_ids()) {
    if (shown.size() == kPinsShown) break;
    const absl::StatusOr<Uuid> id = Uuid::FromBytes(bytes);
    shown.push_back(id.ok() ? id->ToString() : "?");
  }
  const int more = subscription.update_ids_size() - static_cast<int>(shown.size());
  return absl::StrCat(shown.empty() ? "none" : absl::StrJoin(shown, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

void PrintTitles(const Invocation& invocation, absl::string_view what, int64_t count,
                 const Names& titles) {
  if (titles.empty()) return;
  invocation.out << what << ":\n";
  const int shown = std::min(titles.size(), kTitlesShown);
  for (int i = 0; i < shown; ++i) invocation.out << "  " << Printable(titles[i]) << "\n";
  if (count > shown) invocation.out << "  and " << count - shown << " more\n";
}

// What the change brings and takes.
void PrintDifference(const Invocation& invocation, const v1::SetSubscriptionResponse& response) {
  const v1::SelectionDifference& difference = response.difference();
  const bool known = response.upstream_reason().empty();
  const auto gained = [known](const std::string& text) { return known ? text : "unknown"; };
  Table table({"", "COMES", "GOES"});
  table.AddRow({"updates", gained(absl::StrCat(difference.updates_gained())),
                absl::StrCat(difference.updates_lost())});
  table.AddRow({"approvals in force", gained(absl::StrCat(difference.approvals_gained())),
                absl::StrCat(difference.approvals_inactive(), " become inactive")});
  table.AddRow({"bytes of files", gained(HumanBytes(difference.bytes_to_fetch())),
                HumanBytes(difference.bytes_to_free())});
  table.Print(invocation.out);
  PrintTitles(invocation, "comes", difference.updates_gained(), difference.titles_gained());
  PrintTitles(invocation, "goes", difference.updates_lost(), difference.titles_lost());
  if (!known) {
    invocation.err << "what would come is not known: " << response.upstream_message() << " ("
                   << response.upstream_reason() << ")\n";
  }
  for (const std::string& part : response.not_taken_upstream()) {
    invocation.err << "the upstream itself does not take " << Printable(part) << "\n";
  }
  for (const v1::ChildShortfall& shortfall : response.shortfalls()) {
    invocation.err << "node " << Printable(shortfall.node_name()) << " below loses "
                   << Plural(shortfall.updates_lost(), "update") << ", for it wants "
                   << Printable(absl::StrJoin(shortfall.parts(), ", ")) << "\n";
  }
}

void PrintSubscription(const Invocation& invocation, const v1::Subscription& mine,
                       const v1::Subscription* upstream, const Names& unmatched) {
  Table table({"WHAT", "WANTED HERE", upstream == nullptr ? "" : "TAKEN BY THE UPSTREAM"});
  const auto add = [&](absl::string_view what, const Names& here, const Names& above) {
    table.AddRow({std::string(what), NamesText(here), upstream == nullptr ? "" : NamesText(above)});
  };
  const v1::Subscription& above = upstream == nullptr ? mine : *upstream;
  add("products", mine.products(), above.products());
  add("classifications", mine.classifications(), above.classifications());
  add("languages", mine.languages(), above.languages());
  table.AddRow({"pinned updates", PinsText(mine), upstream == nullptr ? "" : PinsText(above)});
  table.Print(invocation.out);
  for (const std::string& name : unmatched) {
    invocation.err << "matches nothing yet: " << Printable(name) << "\n";
  }
}

void PrintNames(const Invocation& invocation, const v1::Subscription& subscription) {
  for (const std::string& name : subscription.products()) invocation.out << name << "\n";
}

absl::StatusOr<int> RunGet(Invocation& invocation) {
  v1::GetSubscriptionResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kGet, v1::GetSubscriptionRequest(), response));
  invocation.Print(
      response,
      [&] {
        PrintSubscription(invocation, response.subscription(), &response.upstream_subscription(),
                          response.unmatched());
      },
      [&] { PrintNames(invocation, response.subscription()); });
  return kExitOk;
}

// Replaces `names` by what the flags say; leaves them when they say nothing.
absl::Status Replace(const Arguments& args, absl::string_view flag, absl::string_view all_flag,
                     Names& names) {
  if (args.Has(flag) && args.Has(all_flag)) {
    return UsageError(absl::StrCat(flag, " and ", all_flag, " contradict each other"));
  }
  if (!args.Has(flag) && !args.Has(all_flag)) return absl::OkStatus();
  names.Clear();
  for (const std::string& name : args.GetAll(flag)) *names.Add() = name;
  return absl::OkStatus();
}

absl::StatusOr<int> RunSet(Invocation& invocation) {
  const Arguments& args = invocation.args;
  if (!args.Has("--product") && !args.Has("--classification") && !args.Has("--language") &&
      !args.Has("--all-products") && !args.Has("--all-classifications") &&
      !args.Has("--all-languages")) {
    return UsageError("say what to change, as in --product Debian/12 or --all-products");
  }
  v1::GetSubscriptionResponse present;
  RETURN_IF_ERROR(invocation.caller.Unary(kGet, v1::GetSubscriptionRequest(), present));
  v1::SetSubscriptionRequest request;
  *request.mutable_subscription() = present.subscription();
  v1::Subscription& wanted = *request.mutable_subscription();
  RETURN_IF_ERROR(Replace(args, "--product", "--all-products", *wanted.mutable_products()));
  RETURN_IF_ERROR(Replace(args, "--classification", "--all-classifications",
                          *wanted.mutable_classifications()));
  RETURN_IF_ERROR(Replace(args, "--language", "--all-languages", *wanted.mutable_languages()));
  request.set_validate_only(invocation.dry_run);
  v1::SetSubscriptionResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kSet, request, response));
  invocation.Print(
      response,
      [&] {
        PrintSubscription(invocation, response.subscription(), nullptr, response.unmatched());
        PrintDifference(invocation, response);
      },
      [&] { PrintNames(invocation, response.subscription()); });
  return kExitOk;
}

absl::StatusOr<int> RunPins(Invocation& invocation, bool remove) {
  if (invocation.args.positionals().empty()) return UsageError("name at least one update");
  v1::PinUpdatesRequest request;
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   ResolveUpdates(invocation.caller, invocation.args.positionals()));
  request.mutable_update_ids()->Add(ids.begin(), ids.end());
  request.set_remove(remove);
  request.set_validate_only(invocation.dry_run);
  v1::PinUpdatesResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kPin, request, response));
  bool failed = false;
  invocation.Print(
      response,
      [&] {
        Table table({"ID", "TITLE", "RESULT", "WARNINGS"});
        for (const v1::DecisionResult& result : response.results()) {
          const absl::string_view done = remove ? "unpinned" : "pinned";
          const std::string text =
              result.status().code() != 0 ? absl::StrCat("failed: ", result.status().message())
              : !result.changed()         ? "no change"
                                  : absl::StrCat(invocation.dry_run ? "would be " : "", done);
          table.AddRow(
              {result.update_id(), result.title(), text, absl::StrJoin(result.warnings(), "; ")});
        }
        table.Print(invocation.out);
        invocation.out << Plural(response.pins(), "pin") << " in all\n";
      },
      [&] {
        for (const v1::DecisionResult& result : response.results()) {
          if (result.status().code() == 0) invocation.out << result.update_id() << "\n";
        }
      });
  for (const v1::DecisionResult& result : response.results()) failed |= result.status().code() != 0;
  return failed ? kExitFailure : kExitOk;
}

absl::StatusOr<int> RunPin(Invocation& invocation) { return RunPins(invocation, /*remove=*/false); }
absl::StatusOr<int> RunUnpin(Invocation& invocation) {
  return RunPins(invocation, /*remove=*/true);
}

}  // namespace

Verb SubscriptionGetVerb() {
  return {.name = "subscription get",
          .positionals = "",
          .summary = "Show what this node wants, and what its upstream takes.",
          .method = kGet,
          .flags = {},
          .run = RunGet};
}

Verb SubscriptionSetVerb() {
  return {.name = "subscription set",
          .positionals = "",
          .summary =
              "Change what this node wants, and say what comes and goes; lists that are not named "
              "stay as they are.",
          .method = kSet,
          .flags = {{"--product", "PATH", "a product and all below it; may be repeated", true},
                    {"--classification", "NAME", "a classification; may be repeated", true},
                    {"--language", "TAG", "a language of files; may be repeated", true},
                    {"--all-products", "", "all that the upstream has"},
                    {"--all-classifications", "", "all that the upstream has"},
                    {"--all-languages", "", "all that the upstream has"}},
          .changes_state = true,
          .run = RunSet};
}

Verb SubscriptionPinVerb() {
  return {.name = "subscription pin",
          .positionals = "ID|TITLE...",
          .summary = "Take single updates with all that they need, whatever the subscription says.",
          .method = kPin,
          .flags = {},
          .positionals_max = kUpdatesMax,
          .changes_state = true,
          .run = RunPin};
}

Verb SubscriptionUnpinVerb() {
  return {.name = "subscription unpin",
          .positionals = "ID|TITLE...",
          .summary = "Take pins away; copies that nothing else wants here are removed.",
          .method = kPin,
          .flags = {},
          .positionals_max = kUpdatesMax,
          .changes_state = true,
          .run = RunUnpin};
}

}  // namespace sluice
