// `update list` and `category list`: what exists.
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs/paging.h"
#include "cli/verbs/verbs.h"
#include "sluice/v1/catalog_service.pb.h"

namespace sluice {
namespace {

constexpr absl::string_view kListUpdates = "sluice.v1.CatalogService/ListUpdates";
constexpr absl::string_view kStates = "approved|not-approved|declined|pending|inactive|held-back";
constexpr absl::string_view kListCategories = "sluice.v1.CatalogService/ListCategories";

absl::StatusOr<v1::UpdateState> ParseState(absl::string_view text) {
  const std::string name =
      absl::StrCat("UPDATE_STATE_", absl::AsciiStrToUpper(absl::StrReplaceAll(text, {{"-", "_"}})));
  v1::UpdateState state = v1::UPDATE_STATE_UNSPECIFIED;
  if (!v1::UpdateState_Parse(name, &state) || state == v1::UPDATE_STATE_UNSPECIFIED) {
    return UsageError(absl::StrCat("--state: \"", text, "\" is none of ",
                                   absl::StrReplaceAll(kStates, {{"|", ", "}})));
  }
  return state;
}

std::string Notes(const v1::UpdateSummary& update) {
  std::string notes;
  const auto add = [&](absl::string_view note) {
    absl::StrAppend(&notes, notes.empty() ? "" : ", ", note);
  };
  if (update.expired()) add("expired");
  if (update.missing_upstream()) add("missing upstream");
  if (update.has_held_back()) add(absl::StrCat("held back by ", update.held_back_by()));
  return notes;
}

void PrintUpdates(const Invocation& invocation, const v1::ListUpdatesResponse& response) {
  Table table({"ID", "TITLE", "CLASSIFICATION", "SEVERITY", "STATE", "CONTENT", ">FILES", ">SIZE",
               "NOTES"});
  for (const v1::UpdateSummary& update : response.updates()) {
    table.AddRow({update.update_id(), update.title(), update.classification(),
                  WordOf(update.severity()), WordOf(update.state()), WordOf(update.content()),
                  absl::StrCat(update.files_ready(), "/", update.files()),
                  HumanBytes(update.size_bytes()), Notes(update)});
  }
  table.Print(invocation.out);
  invocation.err << Plural(response.updates_size(), "update") << "\n";
}

absl::StatusOr<int> RunUpdateList(Invocation& invocation) {
  const Arguments& args = invocation.args;
  v1::ListUpdatesRequest request;
  v1::UpdateFilter& filter = *request.mutable_filter();
  if (!args.positionals().empty()) filter.set_text(args.positionals()[0]);
  filter.set_product(args.Get("--product"));
  filter.set_classification(args.Get("--classification"));
  filter.set_failed(args.Has("--failed"));
  if (args.Has("--state")) {
    ASSIGN_OR_RETURN(const v1::UpdateState state, ParseState(args.Get("--state")));
    filter.set_state(state);
  }
  request.set_language(args.Get("--language"));
  int limit = 0;
  if (args.Has("--limit") && (!absl::SimpleAtoi(args.Get("--limit"), &limit) || limit < 1)) {
    return UsageError("--limit needs a number from 1");
  }
  request.set_page_size(limit > 0 && limit < kPageSize ? limit : kPageSize);
  ASSIGN_OR_RETURN(auto response, ListPages<v1::ListUpdatesResponse>(
                                      invocation.caller, kListUpdates, request,
                                      [limit](const v1::ListUpdatesResponse& all) {
                                        return limit > 0 && all.updates_size() >= limit;
                                      }));
  if (limit > 0 && response.updates_size() > limit) {
    response.mutable_updates()->DeleteSubrange(limit, response.updates_size() - limit);
  }
  invocation.Print(
      response, [&] { PrintUpdates(invocation, response); },
      [&] {
        for (const auto& update : response.updates()) invocation.out << update.update_id() << "\n";
      });
  return kExitOk;
}

absl::StatusOr<int> RunCategoryList(Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto response,
                   ListPages<v1::ListCategoriesResponse>(invocation.caller, kListCategories,
                                                         v1::ListCategoriesRequest()));
  invocation.Print(
      response,
      [&] {
        Table table({"KIND", "PATH", ">UPDATES"});
        for (const v1::CategoryStatus& category : response.categories()) {
          table.AddRow(
              {WordOf(category.kind()), category.path(), absl::StrCat(category.updates())});
        }
        table.Print(invocation.out);
      },
      [&] {
        for (const auto& category : response.categories()) {
          invocation.out << category.path() << "\n";
        }
      });
  return kExitOk;
}

}  // namespace

Verb UpdateListVerb() {
  return {.name = "update list",
          .positionals = "[TEXT]",
          .summary = "List updates; TEXT is part of a title, a CVE, a KB number or a package.",
          .method = kListUpdates,
          .flags = {{"--product", "PATH", "only this product and all below it"},
                    {"--classification", "NAME", "only this classification"},
                    {"--state", kStates, "only in this state"},
                    {"--failed", "", "only updates some of whose files failed"},
                    {"--language", "TAG", "language of titles; default: en"},
                    {"--limit", "N", "at most N; default: all"}},
          .positionals_max = 1,
          .run = RunUpdateList};
}

Verb CategoryListVerb() {
  return {.name = "category list",
          .positionals = "",
          .summary = "List vendors, products and classifications.",
          .method = kListCategories,
          .flags = {},
          .run = RunCategoryList};
}

}  // namespace sluice
