#include "upstream/audit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "storage/audit_chain.h"
#include "storage/seq_times.h"
#include "upstream/page.h"

namespace sluice {
namespace {

constexpr int kEntriesMax = 1 << 20;

}  // namespace

Audit::Audit(Catalog& catalog, Clock& clock) : catalog_(catalog), clock_(clock) {}

void Audit::Add(const CallContext& context, absl::string_view action, absl::string_view subject,
                absl::string_view detail, CatalogChange& change) const {
  v1::AuditEntry entry;
  *entry.mutable_at() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  entry.set_actor(ActorOf(context));
  entry.set_action(std::string(action));
  entry.set_subject(std::string(subject));
  entry.set_detail(std::string(detail));
  change.AddAuditEntry(std::move(entry));
  // Should it fail, records only look younger than they are.
  NoteSeqTime(catalog_.Read(), clock_.Now(), change).IgnoreError();
}

absl::StatusOr<v1::VerifyAuditResponse> Audit::Verify() const {
  return VerifyAuditChain(catalog_.Read());
}

absl::StatusOr<v1::ListAuditEntriesResponse> Audit::List(
    const v1::ListAuditEntriesRequest& request) const {
  ASSIGN_OR_RETURN(const Page page, PageOf(request));
  ASSIGN_OR_RETURN(auto rows, catalog_.Read().ListRows<v1::AuditEntry>(Family::kAudit, "",
                                                                       page.after, kEntriesMax));
  v1::ListAuditEntriesResponse response;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (response.entries_size() == page.size) {
      response.set_next_page_token(PageToken(std::prev(row)->first));
      break;
    }
    *response.add_entries() = std::move(row->second);
  }
  return response;
}

std::string ActorOf(const CallContext& context) {
  const std::string who = context.identity.has_value()
                              ? context.identity->Text()
                              : absl::StrCat(context.local_identity, ", unverified");
  return absl::StrCat(who, " (", absl::StrJoin(context.roles.Names(), ", "), ")");
}

}  // namespace sluice
