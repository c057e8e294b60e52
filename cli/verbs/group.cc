// `group list` and `group create`: machines that decisions are made for.
#include "absl/strings/str_cat.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/policy_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kListGroups = "sluice.v1.PolicyService/ListGroups";
constexpr absl::string_view kCreateGroup = "sluice.v1.PolicyService/CreateGroup";

std::string NameOfGroup(const v1::ListGroupsResponse& groups, const std::string& id) {
  for (const v1::GroupStatus& group : groups.groups()) {
    if (group.group_id() == id) return group.name();
  }
  return id;
}

absl::StatusOr<int> RunGroupList(Invocation& invocation) {
  ASSIGN_OR_RETURN(
      const auto response,
      ListPages<v1::ListGroupsResponse>(invocation.caller, kListGroups, v1::ListGroupsRequest()));
  invocation.Print(
      response,
      [&] {
        Table table({"NAME", "PARENT", ">APPROVED", "ID", "NOTES"});
        for (const v1::GroupStatus& group : response.groups()) {
          table.AddRow({group.name(), NameOfGroup(response, group.parent_id()),
                        absl::StrCat(group.approved_updates()), group.group_id(),
                        group.missing_upstream() ? "missing upstream" : ""});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const auto& group : response.groups()) invocation.out << group.name() << "\n";
      });
  return kExitOk;
}

absl::StatusOr<int> RunGroupCreate(Invocation& invocation) {
  v1::CreateGroupRequest request;
  request.set_name(invocation.args.positionals()[0]);
  request.set_parent(invocation.args.Get("--parent"));
  request.set_validate_only(invocation.dry_run);
  v1::CreateGroupResponse response;
  RETURN_IF_ERROR(invocation.caller.Unary(kCreateGroup, request, response));
  invocation.Print(
      response,
      [&] {
        invocation.out << (invocation.dry_run ? "would create group " : "created group ")
                       << Printable(response.group().name()) << " " << response.group().group_id()
                       << "\n";
      },
      [&] { invocation.out << response.group().group_id() << "\n"; });
  return kExitOk;
}

}  // namespace

Verb GroupListVerb() {
  return {.name = "group list",
          .positionals = "",
          .summary = "List target groups.",
          .method = kListGroups,
          .flags = {},
          .run = RunGroupList};
}

Verb GroupCreateVerb() {
  return {.name = "group create",
          .positionals = "NAME",
          .summary = "Make a target group.",
          .method = kCreateGroup,
          .flags = {{"--parent", "NAME", "the group around it; default: All Computers"}},
          .positionals_min = 1,
          .positionals_max = 1,
          .changes_state = true,
          .run = RunGroupCreate};
}

}  // namespace sluice
