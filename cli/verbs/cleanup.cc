// `cleanup run`, `cleanup leases`: deletes at the root, and what nodes below still need.
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/maintenance_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kCleanUp = "sluice.v1.MaintenanceService/CleanUpCatalog";
constexpr absl::string_view kListLeases = "sluice.v1.MaintenanceService/ListLeases";

// The number behind a flag; `otherwise` when it was not given.
absl::StatusOr<int> NumberOf(const Arguments& args, absl::string_view flag, int otherwise) {
  if (!args.Has(flag)) return otherwise;
  int number = 0;
  if (!absl::SimpleAtoi(args.Get(flag), &number) || number < 0) {
    return UsageError(absl::StrCat(flag, " needs a number from 0"));
  }
  return number;
}

void PrintResult(const v1::CleanUpCatalogResponse& response, Invocation& invocation) {
  for (const std::string& title : response.titles()) invocation.out << title << "\n";
  invocation.err << (invocation.dry_run ? "would delete " : "deleted ")
                 << Plural(response.revisions_deleted(), "revision") << ", among them all of "
                 << Plural(response.updates_deleted(), "update") << ", and free "
                 << Plural(response.files_freed(), "file") << " ("
                 << HumanBytes(response.bytes_freed()) << ")\n";
  if (response.leased() == 0) return;
  invocation.err << Plural(response.leased(), "revision")
                 << " stay, as nodes below need them (ITEM_LEASED): sluice cleanup leases\n";
}

absl::StatusOr<int> RunCleanUp(Invocation& invocation) {
  const Arguments& args = invocation.args;
  v1::CleanUpCatalogRequest request;
  request.set_old_revisions(args.Has("--old-revisions"));
  request.set_expired(args.Has("--expired"));
  request.set_superseded(args.Has("--superseded"));
  request.set_declined(args.Has("--declined"));
  const bool chosen =
      request.old_revisions() || request.expired() || request.superseded() || request.declined();
  if (!chosen) {
    return UsageError("say what: --old-revisions, --expired, --superseded, --declined");
  }
  if (args.Has("--older-than")) {
    ASSIGN_OR_RETURN(const int days, NumberOf(args, "--older-than", 0));
    request.set_older_than_days(days);
  }
  ASSIGN_OR_RETURN(const int max, NumberOf(args, "--max", 0));
  request.set_revisions_max(max);
  request.set_confirmed(args.Has("--confirm"));
  request.set_validate_only(invocation.dry_run);
  v1::CleanUpCatalogResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kCleanUp, request, response));
  invocation.Print(
      response, [&] { PrintResult(response, invocation); },
      [&] {
        for (const std::string& title : response.titles()) invocation.out << title << "\n";
      });
  return kExitOk;
}

absl::StatusOr<int> RunLeases(Invocation& invocation) {
  ASSIGN_OR_RETURN(
      const auto leases,
      (ListPages<v1::ListLeasesResponse>(invocation.caller, kListLeases, v1::ListLeasesRequest())));
  invocation.Print(
      leases,
      [&] {
        Table table({"NODE", ">UPDATES", "UNTIL", "ID"});
        for (const v1::LeaseStatus& lease : leases.leases()) {
          table.AddRow({lease.node_name(), absl::StrCat(lease.updates()),
                        absl::StrCat(HumanTime(ToTime(lease.expires_at()), invocation.zone),
                                     lease.lapsed() ? ", LAPSED" : ""),
                        lease.node_id()});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const v1::LeaseStatus& lease : leases.leases()) {
          invocation.out << lease.node_id() << "\n";
        }
      });
  return kExitOk;
}

}  // namespace

Verb CleanupRunVerb() {
  return {.name = "cleanup run",
          .positionals = "",
          .summary = "Delete at the root what nobody needs any more, here and below.",
          .method = kCleanUp,
          .flags = {{"--old-revisions", "", "Revisions that are not current and not approved."},
                    {"--expired", "", "Updates expired at their source and not approved."},
                    {"--superseded", "", "Updates not approved that an approved one replaces."},
                    {"--declined", "", "Declined updates."},
                    {"--older-than", "DAYS", "Only what has not changed for so long. Default: 30."},
                    {"--max", "N", "At most so many revisions, oldest first. Default: all."},
                    {"--confirm", "", "Even if it is more than a fifth of the catalog."}},
          .changes_state = true,
          .run = RunCleanUp};
}

Verb CleanupLeasesVerb() {
  return {.name = "cleanup leases",
          .positionals = "",
          .summary = "List what nodes below still need and a clean-up leaves alone.",
          .method = kListLeases,
          .flags = {},
          .run = RunLeases};
}

}  // namespace sluice
