// Fake source: an update source that offers what a test puts into it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/mutex.h"
#include "tests/storage/test_catalog.h"
#include "tests/upstream/source_catalog.h"
#include "upstream/manifest.h"
#include "upstream/update_source.h"

namespace sluice {

class FakeSource : public UpdateSource {
 public:
  explicit FakeSource(std::string name) : name_(std::move(name)) {}

  const std::string& name() const override { return name_; }

  absl::StatusOr<SourceReading> Read(const std::string& state, const FactSink& sink,
                                     std::stop_token /*stop*/) override {
    SourceCatalog catalog;
    {
      MutexLock lock(mutex_);
      ++readings_;
      if (!failure_.ok()) return failure_;
      catalog = offered_;
    }
    if (!state.empty() && state == catalog.state) {
      SourceReading same;
      same.unchanged = true;
      return same;
    }
    // One update a part, so that whoever takes them in sees many.
    SourceFacts facts;
    facts.categories = std::move(catalog.categories);
    facts.files = std::move(catalog.files);
    facts.problems = std::move(catalog.problems);
    for (v1::Revision& revision : catalog.revisions) {
      facts.revisions.push_back(std::move(revision));
      const absl::Status taken = sink(std::exchange(facts, SourceFacts()));
      if (!taken.ok()) return taken;
    }
    const absl::Status taken = sink(std::move(facts));
    if (!taken.ok()) return taken;
    return static_cast<SourceReading>(catalog);
  }

  absl::Status ReadFile(const stored::v1::ContentOrigin& origin, int64_t offset,
                        const std::function<absl::Status(absl::string_view)>& sink,
                        std::stop_token /*stop*/) override {
    std::string bytes;
    {
      MutexLock lock(mutex_);
      const auto file = files_.find(origin.path());
      if (file == files_.end()) {
        return MakeError(v1::REASON_CONTENT_SOURCE_GONE, origin.path() + " is gone");
      }
      offsets_.push_back(offset);
      bytes = file->second;
    }
    return sink(absl::string_view(bytes).substr(static_cast<size_t>(offset)));
  }

  // Offers exactly these from now on; their categories and files come with them.
  void Offer(const std::vector<UpdateFacts>& updates) {
    MutexLock lock(mutex_);
    offered_ = SourceCatalog();
    for (const UpdateFacts& facts : updates) {
      v1::UpdateManifest words;
      words.add_products(facts.product);
      words.set_classification(facts.classification);
      for (v1::Category& category : CategoriesOf(words)) {
        offered_.categories.push_back(std::move(category));
      }
      offered_.revisions.push_back(MakeRevision(facts));
      for (const std::string& bytes : facts.contents) {
        FileOrigin file;
        file.digest = Digest::Of(bytes);
        file.origin.set_source(name_);
        file.origin.set_path(file.digest.ToHex());
        file.origin.set_size_bytes(static_cast<int64_t>(bytes.size()));
        files_[file.origin.path()] = bytes;
        offered_.files.push_back(std::move(file));
      }
    }
    offered_.state = std::to_string(++states_);
  }

  // Changes what is offered, by hand.
  template <typename Edit>
  void Change(const Edit& edit) {
    MutexLock lock(mutex_);
    edit(offered_);
    offered_.state = std::to_string(++states_);
  }
  void Fail(absl::Status failure) {
    MutexLock lock(mutex_);
    failure_ = std::move(failure);
  }
  // The source has other bytes for the file with these, or none.
  void SetFile(absl::string_view bytes, absl::string_view now) {
    MutexLock lock(mutex_);
    files_[Digest::Of(bytes).ToHex()] = std::string(now);
  }
  void DropFile(absl::string_view bytes) {
    MutexLock lock(mutex_);
    files_.erase(Digest::Of(bytes).ToHex());
  }

  int readings() const {
    MutexLock lock(mutex_);
    return readings_;
  }
  // Where each reading of a file began.
  std::vector<int64_t> offsets() const {
    MutexLock lock(mutex_);
    return offsets_;
  }

 private:
  const std::string name_;
  mutable Mutex mutex_;
  SourceCatalog offered_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> files_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> offsets_ ABSL_GUARDED_BY(mutex_);
  int states_ ABSL_GUARDED_BY(mutex_) = 0;
  int readings_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sluice
