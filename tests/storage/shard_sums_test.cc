// The books of shards are kept incrementally; here they are recomputed after many random edits.
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/catalog_invariants.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

constexpr int kEdits = 10'000;
constexpr int kEditsBetweenChecks = 2'000;

class RandomEdits {
 public:
  explicit RandomEdits(uint64_t seed) : random_(seed) {}

  TestCatalog& catalog() { return catalog_; }

  void Edit() {
    const std::string name = absl::StrCat("update-", Pick(40));
    const bool is_here = catalog_.Read().CurrentRevision(UpdateIdOf(name)).ok();
    switch (is_here ? Pick(8) : 7) {
      case 0:
        return catalog_.Approve(name);
      case 1:
        return catalog_.Decline(name);
      case 2:
        return catalog_.ClearDecline(name);
      case 3:
        return Remove();
      default:
        last_ = catalog_.AddUpdate({.name = name,
                                    .title = absl::StrCat(name, " edition ", Pick(5)),
                                    .product = absl::StrCat("Contoso/Product", Pick(6)),
                                    .classification = Pick(2) == 0 ? "Updates" : "Security Updates",
                                    .contents = {absl::StrCat("file ", Pick(50))},
                                    .languages = Languages()});
    }
  }

 private:
  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

  std::vector<std::string> Languages() {
    return Pick(2) == 0 ? std::vector<std::string>() : std::vector<std::string>{"de"};
  }

  // Deletes the update that was written last, or moves it to what only this node keeps.
  void Remove() {
    if (!last_.has_value()) return;
    CatalogChange change;
    if (Pick(2) == 0) {
      change.Delete(*last_);
    } else {
      change.Keep(*last_);
    }
    catalog_.Commit(change);
    last_.reset();
  }

  TestCatalog catalog_;
  std::mt19937_64 random_;
  std::optional<RecordKey> last_;
};

TEST(ShardSumsTest, HoldAfterTenThousandRandomEdits) {
  RandomEdits edits(/*seed=*/7);
  for (int i = 1; i <= kEdits; ++i) {
    edits.Edit();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "edit " << i;
    if (i % kEditsBetweenChecks != 0) continue;
    const absl::Status held = CheckInvariants(edits.catalog().Read());
    ASSERT_TRUE(held.ok()) << held << " after " << i << " edits";
  }
}

}  // namespace
}  // namespace sluice
