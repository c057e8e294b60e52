#include "storage/audit_chain.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

constexpr int kEntriesPerRead = 1000;

// What is wrong with an entry that should be number `id` and follow `previous`; empty: nothing.
std::string ProblemOf(const v1::AuditEntry& entry, uint64_t id, const std::string& previous) {
  if (entry.entry_id() != id) {
    return absl::StrCat("entry ", id, " is missing; ", entry.entry_id(), " follows");
  }
  if (entry.previous_hash() != previous) {
    return absl::StrCat("entry ", id, " does not follow the one before it");
  }
  if (entry.hash() != HashOfAuditEntry(entry).bytes()) {
    return absl::StrCat("entry ", id, " was changed");
  }
  return "";
}

}  // namespace

void LinkAuditEntry(v1::AuditEntry& entry, stored::v1::StoreState& state) {
  state.set_audit_entries(state.audit_entries() + 1);
  entry.set_entry_id(state.audit_entries());
  entry.set_previous_hash(state.audit_hash().empty() ? Digest().bytes() : state.audit_hash());
  entry.set_hash(HashOfAuditEntry(entry).bytes());
  state.set_audit_hash(entry.hash());
}

Digest HashOfAuditEntry(const v1::AuditEntry& entry) {
  v1::AuditEntry hashed = entry;
  hashed.clear_hash();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    hashed.SerializeToCodedStream(&out);
  }
  return Hasher().Update(entry.previous_hash()).Update(bytes).Finish();
}

absl::StatusOr<v1::VerifyAuditResponse> VerifyAuditChain(const CatalogReader& reader) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  v1::VerifyAuditResponse response;
  std::string previous = Digest().bytes();
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(const auto rows,
                     reader.ListRows<v1::AuditEntry>(Family::kAudit, after, "", kEntriesPerRead));
    if (rows.empty()) break;
    for (const auto& [key, entry] : rows) {
      response.set_entries(response.entries() + 1);
      const auto id = static_cast<uint64_t>(response.entries());
      std::string problem = ProblemOf(entry, id, previous);
      if (problem.empty() && key != EncodeSeq(id)) problem = absl::StrCat("entry ", id, " moved");
      if (!problem.empty()) {
        response.set_problem(std::move(problem));
        return response;
      }
      previous = entry.hash();
    }
    after = rows.back().first;
  }
  response.set_head_hash(previous);
  const bool complete =
      static_cast<uint64_t>(response.entries()) == state.audit_entries() &&
      previous == (state.audit_hash().empty() ? Digest().bytes() : state.audit_hash());
  if (!complete) {
    response.set_problem(absl::StrCat("the end is missing: there are ", response.entries(),
                                      " entries, and ", state.audit_entries(), " were made"));
  }
  return response;
}

}  // namespace sluice
