// `parity fix`: mends what the last check found.
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/parity_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kFix = "sluice.v1.ParityService/Fix";

struct Way {
  absl::string_view flag;
  v1::FixKind kind;
};

constexpr Way kWays[] = {
    {"--fetch", v1::FIX_KIND_FETCH},     {"--widen", v1::FIX_KIND_WIDEN},
    {"--pin", v1::FIX_KIND_PIN},         {"--return", v1::FIX_KIND_RETURN},
    {"--decline", v1::FIX_KIND_DECLINE}, {"--suppress", v1::FIX_KIND_SUPPRESS}};

absl::StatusOr<int> RunFix(Invocation& invocation) {
  v1::FixRequest request;
  request.set_validate_only(invocation.dry_run);
  for (const Way& way : kWays) {
    if (invocation.args.Has(way.flag)) request.add_kinds(way.kind);
  }
  for (const std::string& id : invocation.args.positionals()) request.add_update_ids(id);
  request.set_comment(invocation.args.Get("--comment"));
  v1::FixResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kFix, request, response));
  invocation.Print(
      response,
      [&] {
        if (response.actions().empty()) invocation.out << "nothing to do\n";
        for (const std::string& action : response.actions()) {
          invocation.out << (invocation.dry_run ? "would: " : "") << Printable(action) << "\n";
        }
        for (const v1::FixAction& fix : response.fixes()) {
          if (fix.petition_id().empty()) continue;
          invocation.out << "petition " << Printable(fix.petition_id()) << "\n";
        }
        if (response.left_alone() > 0) {
          invocation.out << Plural(response.left_alone(), "finding") << " left alone\n";
        }
      },
      [&] {
        for (const v1::FixAction& fix : response.fixes()) {
          if (!fix.petition_id().empty()) invocation.out << fix.petition_id() << "\n";
        }
      });
  return kExitOk;
}

}  // namespace

Verb ParityFixVerb() {
  return {.name = "parity fix",
          .positionals = "[ID...]",
          .summary =
              "Mend what the last check found, of all updates or of these, in the ways given; "
              "without any: fetch, widen and pin.",
          .method = kFix,
          .flags = {{"--fetch", "", "get from the upstream what is missing or wrong here"},
                    {"--widen", "", "ask the upstream to take more products or languages"},
                    {"--pin", "", "ask the upstream to take single updates"},
                    {"--return", "", "offer the upstream the records that its history lost"},
                    {"--decline", "", "decline what the upstream will never have; at the origin"},
                    {"--suppress", "", "hide it from clients here and below"},
                    {"--comment", "TEXT",
                     "why, for whoever grants it and for those who look "
                     "later"}},
          .positionals_max = 1000,
          .changes_state = true,
          .run = RunFix};
}

}  // namespace sluice
