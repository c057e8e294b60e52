#include "storage/acknowledgements.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "google/protobuf/wrappers.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "storage/root_cursor.h"

namespace sluice {
namespace {

constexpr size_t kTimeBytes = 8;
constexpr int kNodesMax = 10'000;
constexpr int kRowsAtATime = 100'000;
// Family::kSettings: the epoch in which this node heard of others last.
constexpr absl::string_view kHeardInSetting = "heard_in";
// Family::kSettings: how often rows were forgotten.
constexpr absl::string_view kForgottenSetting = "acknowledgements_forgotten";

// Entries begin with the nil UUID, which no node has.
std::string ToTellPrefix() { return Uuid().bytes(); }

std::string BigEndian(uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
  return bytes;
}

// The first key behind all rows of a node.
std::string AfterRowsOf(const Uuid& node_id) {
  return absl::StrCat(node_id.view(), std::string(Uuid::kSizeBytes + 1, '\xff'));
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixMicros(google::protobuf::util::TimeUtil::TimestampToMicroseconds(timestamp));
}

}  // namespace

std::string AcknowledgementKey(const Uuid& node_id, const Uuid& update_id) {
  return absl::StrCat(node_id.view(), update_id.view());
}

absl::StatusOr<v1::UpdateAcknowledgement> ReadAcknowledgement(const CatalogReader& reader,
                                                              const Uuid& node_id,
                                                              const Uuid& update_id) {
  absl::StatusOr<v1::UpdateAcknowledgement> row = reader.GetRow<v1::UpdateAcknowledgement>(
      Family::kAcknowledgements, AcknowledgementKey(node_id, update_id));
  if (absl::IsNotFound(row.status())) return v1::UpdateAcknowledgement();
  return row;
}

ToTellRange ToTellKeys() {
  std::string until = ToTellPrefix();
  until.back() = '\x01';
  return {ToTellPrefix(), until};
}

std::string ToTellKey(const v1::UpdateAcknowledgement& acknowledgement) {
  const int64_t changed_at =
      google::protobuf::util::TimeUtil::TimestampToMicroseconds(acknowledgement.changed_at());
  return absl::StrCat(ToTellPrefix(), BigEndian(static_cast<uint64_t>(changed_at)),
                      acknowledgement.node_id(), acknowledgement.update_id());
}

std::string RowOfToTellKey(absl::string_view key) {
  constexpr size_t kBefore = Uuid::kSizeBytes + kTimeBytes;
  return std::string(key.substr(std::min(key.size(), kBefore)));
}

absl::Status PutAcknowledgement(const CatalogReader& reader,
                                const v1::UpdateAcknowledgement& acknowledgement,
                                CatalogChange& change) {
  ASSIGN_OR_RETURN(const Uuid node, Uuid::FromBytes(acknowledgement.node_id()));
  ASSIGN_OR_RETURN(const Uuid update, Uuid::FromBytes(acknowledgement.update_id()));
  ASSIGN_OR_RETURN(const v1::UpdateAcknowledgement known,
                   ReadAcknowledgement(reader, node, update));
  if (known.SerializeAsString() == acknowledgement.SerializeAsString()) return absl::OkStatus();
  const std::string key = AcknowledgementKey(node, update);
  const bool over = acknowledgement.policy_digest().empty();
  if (over && known.update_id().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool is_root, IsRoot(reader));
  if (!known.update_id().empty()) change.DeleteRow(Family::kAcknowledgements, ToTellKey(known));
  if (is_root && over) {
    change.DeleteRow(Family::kAcknowledgements, key);
    return absl::OkStatus();
  }
  change.PutRow(Family::kAcknowledgements, key, acknowledgement);
  if (is_root) return absl::OkStatus();
  change.PutRow(Family::kAcknowledgements, ToTellKey(acknowledgement), v1::UpdateAcknowledgement());
  return absl::OkStatus();
}

absl::Status TakeAcknowledgements(
    const CatalogReader& reader, const google::protobuf::RepeatedPtrField<v1::NodeStatus>& nodes,
    const google::protobuf::RepeatedPtrField<v1::UpdateAcknowledgement>& acknowledgements,
    CatalogChange& change) {
  if (acknowledgements.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  std::set<std::string> reported;
  for (const v1::NodeStatus& node : nodes) reported.insert(node.node_id());
  reported.erase(state.node_id());
  for (const v1::UpdateAcknowledgement& acknowledgement : acknowledgements) {
    const bool wrong = acknowledgement.update_id().size() != Uuid::kSizeBytes;
    if (wrong || !reported.contains(acknowledgement.node_id())) continue;
    RETURN_IF_ERROR(PutAcknowledgement(reader, acknowledgement, change));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> TimesForgotten(const CatalogReader& reader) {
  const auto row =
      reader.GetRow<google::protobuf::UInt64Value>(Family::kSettings, kForgottenSetting);
  if (absl::IsNotFound(row.status())) return uint64_t{0};
  if (!row.ok()) return row.status();
  return row->value();
}

absl::StatusOr<bool> ForgetAcknowledgementsOf(const CatalogReader& reader, const Uuid& node_id,
                                              CatalogChange& change) {
  ASSIGN_OR_RETURN(const auto rows, reader.ListRows<v1::UpdateAcknowledgement>(
                                        Family::kAcknowledgements, node_id.view(),
                                        AfterRowsOf(node_id), kRowsAtATime));
  if (rows.empty()) return true;
  ASSIGN_OR_RETURN(const uint64_t times, TimesForgotten(reader));
  google::protobuf::UInt64Value now;
  now.set_value(times + 1);
  change.PutRow(Family::kSettings, kForgottenSetting, now);
  for (const auto& [key, row] : rows) {
    change.DeleteRow(Family::kAcknowledgements, key);
    change.DeleteRow(Family::kAcknowledgements, ToTellKey(row));
  }
  return rows.size() < kRowsAtATime;
}

absl::Status ForgetFormerHistoryHere(const CatalogReader& reader, CatalogChange& change) {
  ASSIGN_OR_RETURN(const stored::v1::StoreState state, reader.State());
  const auto known =
      reader.GetRow<google::protobuf::BytesValue>(Family::kSettings, kHeardInSetting);
  if (known.ok() && known->value() == state.epoch().epoch_id()) return absl::OkStatus();
  google::protobuf::BytesValue now;
  now.set_value(state.epoch().epoch_id());
  change.PutRow(Family::kSettings, kHeardInSetting, now);
  if (!known.ok()) return absl::OkStatus();  // Nothing was heard before.
  ASSIGN_OR_RETURN(const auto nodes,
                   reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  for (const auto& [key, node] : nodes) {
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(key));
    RETURN_IF_ERROR(ForgetAcknowledgementsOf(reader, id, change).status());
  }
  return absl::OkStatus();
}

absl::Status ForgetSilentNodes(const CatalogReader& reader, absl::Time now, CatalogChange& change) {
  ASSIGN_OR_RETURN(const auto nodes,
                   reader.ListRows<v1::TreeNode>(Family::kNodes, "", "", kNodesMax));
  for (const auto& [key, node] : nodes) {
    if (now - ToTime(node.heard_at()) < kNodeForgottenAfter) continue;
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(key));
    ASSIGN_OR_RETURN(const bool all, ForgetAcknowledgementsOf(reader, id, change));
    // The node's own row goes with the last of them, so that the rest goes the next time.
    if (all) change.DeleteRow(Family::kNodes, key);
  }
  return absl::OkStatus();
}

}  // namespace sluice
