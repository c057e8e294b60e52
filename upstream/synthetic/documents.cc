#include "upstream/synthetic/documents.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "upstream/synthetic/categories.h"
#include "upstream/synthetic/draws.h"
#include "upstream/synthetic/texts.h"
#include "upstream/synthetic/update_parts.h"

namespace sluice::synthetic {
namespace {

constexpr uint64_t kBlock = 100;
// Where the roles of a block begin.
constexpr uint64_t kFirstCumulative = 6;
constexpr uint64_t kFirstPlain = 18;
constexpr uint64_t kFirstLeaf = 40;
constexpr uint64_t kTheBundle = 99;

constexpr uint64_t kBlocksPerChain = 5;
constexpr uint64_t kBundlesPerBundle = 8;
constexpr uint64_t kBlocksPerHugeDocument = 20;

constexpr size_t kDescriptionBytes = 60'000;
constexpr uint64_t kLeafBytesMin = 512;
constexpr uint64_t kLeafBytesMax = 16 << 10;
constexpr uint64_t kSimulatedBytesMin = 1 << 20;
constexpr uint64_t kSimulatedBytesMax = uint64_t{15} << 30;

enum class Role { kFoundation, kCumulative, kPlain, kLeaf, kBundle };

Role RoleOf(uint64_t index) {
  const uint64_t position = index % kBlock;
  if (position < kFirstCumulative) return Role::kFoundation;
  if (position < kFirstPlain) return Role::kCumulative;
  if (position < kFirstLeaf) return Role::kPlain;
  return position < kTheBundle ? Role::kLeaf : Role::kBundle;
}

Uuid IdOf(uint64_t seed, uint64_t index) { return UpdateId("documents", seed, index); }

// How much there is to be said about an update, and whether it is too much for a record.
struct Size {
  uint64_t bytes = 0;
  bool as_content = false;
};

Size DrawSize(uint64_t seed, uint64_t index) {
  // A few are huge, at a fixed place, so that also a small catalog has one.
  if (index % (kBlocksPerHugeDocument * kBlock) == kFirstPlain) {
    return {Draws(seed, Subject::kSize, index).Between(33 << 20, 46 << 20), true};
  }
  Draws draws(seed, Subject::kSize, index);
  const uint64_t rank = draws.Below(10'000);
  if (rank < 8'200) return {draws.Between(300, 780), false};
  if (rank < 9'500) return {draws.LogBetween(1'000, 30'000), false};
  if (rank < 9'850) return {draws.LogBetween(30'000, 300'000), false};
  if (rank < 9'917) return {draws.LogBetween(330'000, 500'000), false};
  return {draws.LogBetween(1'100'000, 6'000'000), true};
}

void AddPrerequisites(uint64_t seed, uint64_t index, Draws& draws, v1::Revision& revision) {
  const uint64_t block = index / kBlock;
  for (uint64_t left = draws.Between(1, 3); left > 0; --left) {
    std::vector<Uuid> any_of;
    for (uint64_t choices = draws.Between(1, 2); choices > 0; --choices) {
      const uint64_t back = std::min(block, draws.Between(0, 3));
      any_of.push_back(IdOf(seed, (block - back) * kBlock + draws.Below(kFirstCumulative)));
    }
    AddIds(std::move(any_of), *revision.add_prerequisites()->mutable_update_ids());
  }
}

// All earlier ones of its chain.
void AddSuperseded(uint64_t seed, uint64_t index, v1::Revision& revision) {
  const uint64_t block = index / kBlock;
  std::vector<Uuid> superseded;
  for (uint64_t b = block - block % kBlocksPerChain; b <= block; ++b) {
    for (uint64_t at = b * kBlock + kFirstCumulative;
         at < std::min(index, b * kBlock + kFirstPlain); ++at) {
      superseded.push_back(IdOf(seed, at));
    }
  }
  AddIds(std::move(superseded), *revision.mutable_supersedes());
}

void AddBundled(uint64_t seed, uint64_t index, v1::Revision& revision) {
  const uint64_t block = index / kBlock;
  std::vector<Uuid> bundled;
  for (uint64_t at = block * kBlock + kFirstLeaf; at < index; ++at)
    bundled.push_back(IdOf(seed, at));
  if (block % kBundlesPerBundle == kBundlesPerBundle - 1) {
    for (uint64_t b = block + 1 - kBundlesPerBundle; b < block; ++b) {
      bundled.push_back(IdOf(seed, b * kBlock + kTheBundle));
    }
  }
  AddIds(std::move(bundled), *revision.mutable_bundled());
}

void AddFile(const std::string& name, const std::string& digest, int64_t size_bytes,
             v1::Revision& revision) {
  v1::UpdateFile& file = *revision.add_files();
  file.set_sha256(digest);
  file.set_size_bytes(size_bytes);
  file.set_name(name);
}

// In the order of their names.
void AddFiles(uint64_t seed, uint64_t index, const Size& size, v1::Revision& revision) {
  Draws draws(seed, Subject::kFile, index);
  const std::optional<Content> content = ContentOfDocument(seed, index);
  if (RoleOf(index) == Role::kCumulative || RoleOf(index) == Role::kPlain) {
    // One after another, for compilers evaluate arguments in different orders.
    const std::string digest = DrawDigest(draws);
    const uint64_t bytes = draws.LogBetween(kSimulatedBytesMin, kSimulatedBytesMax);
    AddFile(absl::StrCat("kb", index, ".cab"), digest, static_cast<int64_t>(bytes), revision);
  }
  if (!content.has_value()) return;
  AddFile(size.as_content ? "rules.xml" : "leaf.bin", content->ComputeDigest().bytes(),
          content->size_bytes(), revision);
  // The leaves of each tenth block are for one language each.
  if (RoleOf(index) == Role::kLeaf && (index / kBlock) % kLanguages.size() == 3) {
    const std::string language(kLanguages[index % kLanguages.size()]);
    for (v1::UpdateFile& file : *revision.mutable_files()) file.add_languages(language);
  }
}

// Texts that fill the record up to `bytes`, in as few languages as that takes.
void AddTexts(uint64_t seed, uint64_t index, uint64_t bytes, v1::Revision& revision) {
  Draws draws(seed, Subject::kText, index);
  const std::string title =
      absl::StrCat("Update ", index, ": ", Sentence(draws, kEnglish, draws.Between(20, 60)));
  const size_t used = revision.ByteSizeLong() + title.size() + 2;
  const size_t left = bytes > used ? bytes - used : 0;
  const size_t count = std::min(left / kDescriptionBytes + 1, kLanguages.size());
  for (size_t language = 0; language < kLanguages.size(); ++language) {
    // English is one of them.
    const bool is_written = language == kEnglish || language + (language < kEnglish) < count;
    if (!is_written) continue;
    AddText(language, title, Sentence(draws, language, std::min(left / count, kDescriptionBytes)),
            revision);
  }
}

}  // namespace

v1::Revision DocumentUpdate(uint64_t seed, uint64_t index) {
  const uint64_t block = index / kBlock;
  const Role role = RoleOf(index);
  const Size size = DrawSize(seed, index);
  Draws draws(seed, Subject::kUpdate, index);
  const size_t classification = DrawClassification(draws);
  v1::Revision revision;
  revision.set_update_id(IdOf(seed, index).bytes());
  // What belongs together is for one product, so that mostly a selection has it all.
  Draws of_block(seed, Subject::kPackage, block);
  *revision.add_product_ids() = ProductId(DrawProduct(of_block)).bytes();
  revision.set_classification_id(ClassificationId(classification).bytes());
  AddAdvisory(classification, draws, revision);
  if (role != Role::kFoundation) AddPrerequisites(seed, index, draws, revision);
  if (role == Role::kCumulative) AddSuperseded(seed, index, revision);
  if (role == Role::kBundle) AddBundled(seed, index, revision);
  AddFiles(seed, index, size, revision);
  AddTexts(seed, index, size.as_content ? 0 : size.bytes, revision);
  return revision;
}

std::optional<Content> ContentOfDocument(uint64_t seed, uint64_t index) {
  const Size size = DrawSize(seed, index);
  if (size.as_content) return Content(seed, index, static_cast<int64_t>(size.bytes));
  if (RoleOf(index) != Role::kLeaf) return std::nullopt;
  Draws draws(seed, Subject::kContent, index);
  return Content(seed, index, static_cast<int64_t>(draws.LogBetween(kLeafBytesMin, kLeafBytesMax)));
}

}  // namespace sluice::synthetic
