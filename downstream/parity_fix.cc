#include "downstream/parity_fix.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "downstream/fix_ways.h"
#include "downstream/petition_maker.h"
#include "storage/parity_rows.h"
#include "storage/selection.h"

namespace sluice {
namespace {

constexpr int kIdsMax = 1000;
constexpr size_t kCommentBytesMax = 1024;
constexpr v1::FixKind kHarmless[] = {v1::FIX_KIND_FETCH, v1::FIX_KIND_WIDEN, v1::FIX_KIND_PIN};

bool IsContent(v1::FindingClass finding_class) {
  return finding_class == v1::FINDING_CLASS_CONTENT_MISSING ||
         finding_class == v1::FINDING_CLASS_CONTENT_CORRUPT;
}

v1::FixAction& AddAction(v1::FixKind kind, const std::string& words,
                         const std::vector<v1::Finding>& findings, v1::FixResponse& response) {
  response.add_actions(words);
  v1::FixAction& action = *response.add_fixes();
  action.set_kind(kind);
  action.set_action(words);
  action.set_findings(static_cast<int64_t>(findings.size()));
  std::set<std::string> ids;
  for (const v1::Finding& finding : findings) ids.insert(finding.id());
  for (const std::string& id : ids) {
    if (action.update_ids_size() < kIdsMax) action.add_update_ids(id);
  }
  return action;
}

}  // namespace

ParityFix::ParityFix(Catalog& catalog, ContentStore& content, ParityRunner& runner, Options options)
    : catalog_(catalog), content_(content), runner_(runner), options_(std::move(options)) {}

absl::Status ParityFix::CheckRequest(const v1::FixRequest& request) const {
  if (request.update_ids_size() > kIdsMax) {
    return InvalidRequest({{"update_ids", "holds more than 1,000 ids"}});
  }
  for (const std::string& id : request.update_ids()) {
    if (!Uuid::Parse(id).ok()) {
      return InvalidRequest({{"update_ids", absl::StrCat("holds \"", id, "\", which is no UUID")}});
    }
  }
  if (request.comment().size() > kCommentBytesMax) {
    return InvalidRequest({{"comment", "is longer than 1 KiB"}});
  }
  for (const int kind : request.kinds()) {
    if (!v1::FixKind_IsValid(kind) || kind == v1::FIX_KIND_UNSPECIFIED) {
      return InvalidRequest({{"kinds", "holds a way that this node does not know"}});
    }
    if (kind == v1::FIX_KIND_DECLINE && !options_.decline) {
      return MakeError(v1::REASON_NOT_ORIGIN,
                       absl::StrCat("this node follows ", options_.upstream_target,
                                    "; decline at the root of the tree, or hide it here: sluice "
                                    "parity fix --suppress"));
    }
    if (kind == v1::FIX_KIND_SUPPRESS && !options_.suppress) {
      return absl::UnimplementedError("this release cannot hide updates at one site");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ParityFix::Plan> ParityFix::MakePlan(const v1::FixRequest& request,
                                                    int64_t& left_alone) const {
  std::vector<v1::FixKind> allowed;
  for (const int kind : request.kinds()) allowed.push_back(static_cast<v1::FixKind>(kind));
  if (allowed.empty()) allowed.assign(std::begin(kHarmless), std::end(kHarmless));
  const std::set<std::string> only(request.update_ids().begin(), request.update_ids().end());
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const std::vector<v1::Finding> findings, ReadFindings(reader));
  Plan plan;
  for (const v1::Finding& finding : findings) {
    if (!only.empty() && !only.contains(finding.id())) continue;
    ASSIGN_OR_RETURN(const std::vector<RecordKey> kept, KeptRecords(reader, finding));
    const v1::FixKind way = WayFor(finding, !kept.empty(), allowed);
    if (way == v1::FIX_KIND_UNSPECIFIED) {
      ++left_alone;
    } else {
      plan[way].push_back(finding);
    }
  }
  return plan;
}

absl::StatusOr<v1::FixResponse> ParityFix::Fix(const CallContext& context,
                                               const v1::FixRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  ASSIGN_OR_RETURN(const v1::ParityState state, ReadParityState(catalog_.Read()));
  if (!state.summary().has_checked_at()) {
    ParityCheck::Options thorough;
    thorough.thorough = true;
    RETURN_IF_ERROR(runner_.Check(thorough).status());
  }
  v1::FixResponse response;
  int64_t left_alone = 0;
  ASSIGN_OR_RETURN(const Plan plan, MakePlan(request, left_alone));
  for (const auto& [kind, findings] : plan) {
    RETURN_IF_ERROR(Carry(context, request, kind, findings, response));
  }
  response.set_left_alone(response.left_alone() + left_alone);
  return response;
}

absl::Status ParityFix::Carry(const CallContext& context, const v1::FixRequest& request,
                              v1::FixKind kind, const std::vector<v1::Finding>& findings,
                              v1::FixResponse& response) {
  switch (kind) {
    case v1::FIX_KIND_FETCH:
      return Fetch(context, request, findings, response);
    case v1::FIX_KIND_DECLINE:
    case v1::FIX_KIND_SUPPRESS:
      return Hide(context, request, kind, findings, response);
    default:
      return Send(context, request, kind, findings, response);
  }
}

absl::Status ParityFix::Fetch(const CallContext& context, const v1::FixRequest& request,
                              const std::vector<v1::Finding>& findings, v1::FixResponse& response) {
  std::vector<v1::Finding> by_sync;
  CatalogChange change;
  for (const v1::Finding& finding : findings) {
    if (!IsContent(finding.finding_class())) {
      by_sync.push_back(finding);
      continue;
    }
    ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(finding.sha256()));
    AddAction(v1::FIX_KIND_FETCH,
              absl::StrCat("fetch file ", finding.sha256(), " of \"", finding.title(), "\" again"),
              {finding}, response);
    if (request.validate_only()) continue;
    options_.audit(context, "fetch file again", finding.sha256(), finding.title(), change);
    RETURN_IF_ERROR(content_.Remove(digest));
    options_.refetch(digest);
  }
  if (!by_sync.empty()) {
    AddAction(v1::FIX_KIND_FETCH, "synchronise with the upstream", by_sync, response);
  }
  if (request.validate_only()) return absl::OkStatus();
  if (!by_sync.empty()) {
    options_.audit(context, "synchronise", options_.upstream_target,
                   absl::StrCat("to mend ", by_sync.size(), " findings"), change);
  }
  RETURN_IF_ERROR(catalog_.Commit(change).status());
  if (!by_sync.empty()) options_.start_sync();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Petition>> ParityFix::MakePetitions(
    v1::FixKind kind, const std::vector<v1::Finding>& findings) const {
  const CatalogReader reader = catalog_.Read();
  if (kind == v1::FIX_KIND_PIN) return MakePins(reader, findings);
  if (kind == v1::FIX_KIND_RETURN) return MakeReturns(reader, findings);
  ASSIGN_OR_RETURN(const v1::HelloResponse above, ReadUpstreamHello(reader));
  return MakeWiden(reader, above.subscription(), findings);
}

absl::Status ParityFix::Send(const CallContext& context, const v1::FixRequest& request,
                             v1::FixKind kind, const std::vector<v1::Finding>& findings,
                             v1::FixResponse& response) {
  ASSIGN_OR_RETURN(std::vector<v1::Petition> petitions, MakePetitions(kind, findings));
  if (petitions.empty()) {
    response.set_left_alone(response.left_alone() + static_cast<int64_t>(findings.size()));
    return absl::OkStatus();
  }
  for (v1::Petition& petition : petitions) {
    v1::FixAction& action =
        AddAction(kind, absl::StrCat("ask the upstream: ", petition.summary()), findings, response);
    if (request.validate_only()) continue;
    petition.set_asked_by(options_.actor(context));
    petition.set_comment(request.comment());
    CatalogChange change;
    options_.audit(context, "send petition", options_.upstream_target, petition.summary(), change);
    ASSIGN_OR_RETURN(const v1::Petition sent, options_.ask(std::move(petition), std::move(change)));
    action.set_petition_id(sent.petition_id());
  }
  return absl::OkStatus();
}

absl::Status ParityFix::Hide(const CallContext& context, const v1::FixRequest& request,
                             v1::FixKind kind, const std::vector<v1::Finding>& findings,
                             v1::FixResponse& response) {
  const bool decline = kind == v1::FIX_KIND_DECLINE;
  const v1::FixAction& action =
      AddAction(kind,
                decline ? "decline what the upstream will never have"
                        : "hide here and below what the upstream will never have",
                findings, response);
  return (decline ? options_.decline : options_.suppress)(context, request, action.update_ids());
}

}  // namespace sluice
