#include "storage/acknowledgement_outbox.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "google/protobuf/wrappers.pb.h"
#include "storage/acknowledgements.h"

namespace sluice {
namespace {

// Family::kSettings: whom the rows were told, and up to which row where not all of them yet.
constexpr absl::string_view kToldSetting = "acknowledgements_told";
constexpr absl::string_view kWalkSetting = "acknowledgements_walk";

absl::StatusOr<std::optional<std::string>> ReadSetting(const CatalogReader& reader,
                                                       absl::string_view name) {
  const auto row = reader.GetRow<google::protobuf::BytesValue>(Family::kSettings, name);
  if (absl::IsNotFound(row.status())) return std::optional<std::string>();
  if (!row.ok()) return row.status();
  return std::optional<std::string>(row->value());
}

void PutSetting(absl::string_view name, const std::string& value, CatalogChange& change) {
  google::protobuf::BytesValue row;
  row.set_value(value);
  change.PutRow(Family::kSettings, name, row);
}

}  // namespace

absl::Status AcknowledgementOutbox::Fill(const CatalogReader& reader,
                                         const v1::HelloResponse& upstream,
                                         v1::ReportRequest& report) {
  more_ = false;
  entries_.clear();
  over_.clear();
  walked_to_.reset();
  walk_done_ = false;
  told_ =
      absl::StrCat(upstream.node_id(), upstream.epoch().epoch_id(), catalog_.epoch().epoch_id());
  ASSIGN_OR_RETURN(forgotten_, TimesForgotten(reader));
  RETURN_IF_ERROR(FillChanged(reader, report));
  return FillAll(reader, report);
}

absl::Status AcknowledgementOutbox::FillChanged(const CatalogReader& reader,
                                                v1::ReportRequest& report) {
  const ToTellRange range = ToTellKeys();
  ASSIGN_OR_RETURN(const auto entries, reader.ListRows<v1::UpdateAcknowledgement>(
                                           Family::kAcknowledgements, range.from, range.until,
                                           kAcknowledgementsPerReport));
  more_ = entries.size() == kAcknowledgementsPerReport;
  for (const auto& [key, nothing] : entries) {
    entries_.push_back(key);
    absl::StatusOr<v1::UpdateAcknowledgement> row =
        reader.GetRow<v1::UpdateAcknowledgement>(Family::kAcknowledgements, RowOfToTellKey(key));
    if (absl::IsNotFound(row.status())) continue;
    if (!row.ok()) return row.status();
    if (row->policy_digest().empty()) over_.push_back(*row);
    *report.add_acknowledgements() = *std::move(row);
  }
  return absl::OkStatus();
}

absl::Status AcknowledgementOutbox::FillAll(const CatalogReader& reader,
                                            v1::ReportRequest& report) {
  ASSIGN_OR_RETURN(const std::optional<std::string> told, ReadSetting(reader, kToldSetting));
  ASSIGN_OR_RETURN(std::optional<std::string> walked, ReadSetting(reader, kWalkSetting));
  if (told != told_) walked = "";
  if (!walked.has_value()) return absl::OkStatus();
  const int room = kAcknowledgementsPerReport - report.acknowledgements_size();
  const std::string after = std::max(*walked, ToTellKeys().until);
  ASSIGN_OR_RETURN(auto rows, reader.ListRows<v1::UpdateAcknowledgement>(Family::kAcknowledgements,
                                                                         after, "", room));
  walked_to_ = rows.empty() ? after : rows.back().first;
  walk_done_ = static_cast<int>(rows.size()) < room;
  more_ |= !walk_done_;
  std::set<std::string> changed;
  for (const std::string& entry : entries_) changed.insert(RowOfToTellKey(entry));
  for (auto& [key, row] : rows) {
    if (!changed.contains(key)) *report.add_acknowledgements() = std::move(row);
  }
  return absl::OkStatus();
}

absl::Status AcknowledgementOutbox::Delivered() {
  CatalogChange change;
  const CatalogReader reader = catalog_.Read();
  ASSIGN_OR_RETURN(const uint64_t forgotten, TimesForgotten(reader));
  if (forgotten != forgotten_) {
    // A node began another history since, told the same again, and is to be told again: those above
    // forget it too.
    entries_.clear();
    over_.clear();
  }
  for (const std::string& key : entries_) change.DeleteRow(Family::kAcknowledgements, key);
  for (const v1::UpdateAcknowledgement& row : over_) {
    const std::string key = absl::StrCat(row.node_id(), row.update_id());
    const auto now = reader.GetRow<v1::UpdateAcknowledgement>(Family::kAcknowledgements, key);
    const bool same = now.ok() && now->SerializeAsString() == row.SerializeAsString();
    if (same) change.DeleteRow(Family::kAcknowledgements, key);
  }
  if (walked_to_.has_value()) {
    PutSetting(kToldSetting, told_, change);
    if (walk_done_) {
      change.DeleteRow(Family::kSettings, kWalkSetting);
    } else {
      PutSetting(kWalkSetting, *walked_to_, change);
    }
  }
  entries_.clear();
  over_.clear();
  walked_to_.reset();
  return change.empty() ? absl::OkStatus() : catalog_.Commit(change).status();
}

}  // namespace sluice
