// `subscription get` and `subscription set`: what this node wants of what its upstream has.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/policy_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kGet = "sluice.v1.PolicyService/GetSubscription";
constexpr absl::string_view kSet = "sluice.v1.PolicyService/SetSubscription";

using Names = google::protobuf::RepeatedPtrField<std::string>;

std::string NamesText(const Names& names) {
  return names.empty() ? "all" : absl::StrJoin(names, ", ");
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
      },
      [&] { PrintNames(invocation, response.subscription()); });
  return kExitOk;
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
          .summary = "Change what this node wants; lists that are not named stay as they are.",
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

}  // namespace sluice
