// Test catalog: a catalog in memory, and short ways to put facts into it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "sluice/v1/record.pb.h"
#include "storage/anchor.h"
#include "storage/catalog.h"
#include "storage/memory_ordered_store.h"

namespace sluice {

// One update in words.
struct UpdateFacts {
  std::string name;  // Its id is derived from it.
  std::string title;
  std::string product = "Contoso/Agent";
  std::string classification = "Security Updates";
  std::vector<std::string> contents;   // One file each, with these bytes.
  std::vector<std::string> languages;  // Of all its files.
  std::vector<std::string> prerequisites;
};

// Ids and messages as sources would make them.
Uuid UpdateIdOf(absl::string_view name);
v1::Revision MakeRevision(const UpdateFacts& facts);
v1::Decision MakeApproval(absl::string_view update, const Uuid& group);
v1::Decision MakeDecline(absl::string_view update);
v1::SiteNotice MakeHold(absl::string_view update, const Uuid& node, absl::Time until);
v1::SiteNotice MakeSuppression(absl::string_view update, const Uuid& node);

class TestCatalog {
 public:
  explicit TestCatalog(absl::Time start = absl::FromUnixSeconds(1'700'000'000),
                       const Uuid& node_id = Uuid::Random(),
                       v1::NodeMode mode = v1::NODE_MODE_UNSPECIFIED);

  Catalog& operator*() { return *catalog_; }
  Catalog* operator->() { return catalog_.get(); }
  CatalogReader Read() const { return catalog_->Read(); }

  // Each commits at once; a failure fails the test.
  RecordKey AddUpdate(const UpdateFacts& facts);
  // Adds all categories of the path that are missing. `parent` hangs the last one elsewhere.
  void AddProduct(absl::string_view path, absl::string_view parent = "");
  void Decide(const v1::Decision& decision);
  void Approve(absl::string_view update);
  void Decline(absl::string_view update);
  void ClearDecline(absl::string_view update);
  CommitOutcome Commit(const CatalogChange& change);

 private:
  MemoryOrderedStore store_;
  MemoryAnchor anchor_;
  ManualClock clock_;
  std::unique_ptr<Catalog> catalog_;
};

}  // namespace sluice
