// `upstream list`, `upstream set`, `upstream adopt`: whom a node follows, and which side is right
// where histories differ.
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/verbs.h"
#include "common/status.h"
#include "sluice/v1/upstream_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kList = "sluice.v1.UpstreamService/ListUpstreams";
constexpr absl::string_view kSet = "sluice.v1.UpstreamService/SetUpstreams";
constexpr absl::string_view kAdopt = "sluice.v1.UpstreamService/AdoptUpstream";

std::string TimeText(const Invocation& invocation, const google::protobuf::Timestamp& time) {
  return HumanTime(ToTime(time), invocation.zone);
}

std::string FailureText(const Invocation& invocation, const v1::UpstreamStatus& upstream) {
  if (upstream.failed_reason().empty()) return "-";
  const std::string at =
      upstream.has_failed_at() ? absl::StrCat(TimeText(invocation, upstream.failed_at()), " ") : "";
  return absl::StrCat(at, upstream.failed_reason(), ": ", upstream.failed_message());
}

void PrintTargets(const Invocation& invocation,
                  const google::protobuf::RepeatedPtrField<v1::UpstreamStatus>& upstreams) {
  for (const v1::UpstreamStatus& upstream : upstreams) invocation.out << upstream.target() << "\n";
}

absl::StatusOr<int> RunList(Invocation& invocation) {
  v1::ListUpstreamsResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kList, v1::ListUpstreamsRequest(), response));
  invocation.Print(
      response,
      [&] {
        Table table({"", "TARGET", "NODE", "TLS", "LAST SUCCESS", "LAST FAILURE", "FROM"});
        for (const v1::UpstreamStatus& upstream : response.upstreams()) {
          const std::string& name =
              upstream.node_name().empty() ? upstream.node_id() : upstream.node_name();
          table.AddRow(
              {upstream.current() ? "*" : "", upstream.target(), name.empty() ? "-" : name,
               upstream.tls() ? "yes" : "no",
               upstream.has_last_success() ? TimeText(invocation, upstream.last_success()) : "-",
               FailureText(invocation, upstream), upstream.set_by()});
        }
        table.Print(invocation.out);
        if (response.records_kept() > 0) {
          invocation.out << Plural(response.records_kept(), "record")
                         << " kept that the history of the upstream lacks; see sluice upstream "
                            "adopt --dry-run\n";
        }
        if (response.has_held()) {
          invocation.out << "the guard holds the removal of "
                         << Plural(response.held().records(), "record") << " of "
                         << response.held().records_here() << ": "
                         << Printable(response.held().cause()) << "\n";
        }
      },
      [&] { PrintTargets(invocation, response.upstreams()); });
  return kExitOk;
}

void PrintPreview(const Invocation& invocation, const v1::UpstreamPreview& preview) {
  if (!preview.refused_reason().empty()) {
    invocation.out << "it cannot be followed now: " << preview.refused_reason() << ": "
                   << Printable(preview.refused_message()) << "\n";
    return;
  }
  invocation.out << "node \"" << Printable(preview.node_name()) << "\" (" << preview.node_id()
                 << ")\n";
  Table table({">RECORDS", "WHAT"});
  const auto add = [&table](int64_t count, absl::string_view what) {
    table.AddRow({absl::StrCat(count), std::string(what)});
  };
  add(preview.records_same(), "are the same on both sides");
  add(preview.records_to_fetch(), "come");
  add(preview.records_to_replace(), "are replaced");
  add(preview.records_to_keep(), absl::StrCat("are kept as missing upstream, with ",
                                              Plural(preview.decisions_to_keep(), "decision")));
  table.Print(invocation.out);
}

absl::StatusOr<int> RunSet(Invocation& invocation) {
  const Arguments& args = invocation.args;
  if (args.Has("--tls") && args.Has("--no-tls")) {
    return UsageError("--tls and --no-tls contradict each other");
  }
  v1::SetUpstreamsRequest request;
  for (const std::string& target : args.positionals()) {
    v1::UpstreamTarget& upstream = *request.add_upstreams();
    upstream.set_target(target);
    if (args.Has("--tls") || args.Has("--no-tls")) upstream.set_tls(args.Has("--tls"));
  }
  request.set_validate_only(invocation.dry_run);
  request.set_require_reachable(args.Has("--require-reachable"));
  v1::SetUpstreamsResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kSet, request, response));
  invocation.Print(
      response,
      [&] {
        invocation.out << (invocation.dry_run ? "would follow" : "follows")
                       << (request.upstreams().empty() ? ", as configured:\n"
                                                       : ", in this order:\n");
        PrintTargets(invocation, response.upstreams());
        PrintPreview(invocation, response.preview());
      },
      [&] { PrintTargets(invocation, response.upstreams()); });
  return invocation.dry_run && !response.preview().refused_reason().empty() ? kExitFailure
                                                                            : kExitOk;
}

absl::StatusOr<int> RunAdopt(Invocation& invocation) {
  v1::AdoptUpstreamRequest request;
  request.set_validate_only(invocation.dry_run);
  request.set_confirmed(invocation.args.Has("--yes"));
  v1::AdoptUpstreamResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kAdopt, request, response));
  invocation.Print(
      response,
      [&] {
        for (const std::string& title : response.titles()) {
          invocation.out << Printable(title) << "\n";
        }
        invocation.out << (invocation.dry_run ? "would remove " : "removed ")
                       << Plural(response.records_removed(), "record") << ": "
                       << Plural(response.updates_removed(), "update") << " with "
                       << Plural(response.decisions_removed(), "decision") << " and what belongs "
                       << "to them; " << HumanBytes(response.bytes_to_free()) << " of files\n";
      },
      [] {});
  return kExitOk;
}

}  // namespace

Verb UpstreamListVerb() {
  return {.name = "upstream list",
          .positionals = "",
          .summary = "Show whom this node may follow, in order of preference, and whom it does.",
          .method = kList,
          .flags = {},
          .run = RunList};
}

Verb UpstreamSetVerb() {
  return {.name = "upstream set",
          .positionals = "[TARGET...]",
          .summary =
              "Follow these, in order of preference; without any, those of the "
              "configuration file.",
          .method = kSet,
          .flags = {{"--tls", "", "call them with TLS; the default where they are not local"},
                    {"--no-tls", "", "call them without"},
                    {"--require-reachable", "", "refuse unless the first can be followed now"}},
          .positionals_max = 8,
          .changes_state = true,
          .run = RunSet};
}

Verb UpstreamAdoptVerb() {
  return {.name = "upstream adopt",
          .positionals = "",
          .summary = "The upstream is right: remove what is kept here that its history lacks.",
          .method = kAdopt,
          .flags = {{"--yes", "", "also where it is a large share of the catalog"}},
          .changes_state = true,
          .run = RunAdopt};
}

}  // namespace sluice
