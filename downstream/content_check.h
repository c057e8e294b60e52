// Content check: whether the files that decisions here ask for are there, and whether what the
// approved updates need is here. Judged by what the store holds, never by what a row says.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "downstream/parity_peer.h"
#include "sluice/v1/parity.pb.h"
#include "storage/catalog.h"
#include "storage/content_store.h"
#include "storage/decisions.h"
#include "storage/selection.h"

namespace sluice {

class ContentCheck {
 public:
  // References must outlive the object.
  ContentCheck(const CatalogReader& reader, ContentStore& content, ParityPeer& peer)
      : reader_(reader), content_(content), peer_(peer) {}

  struct Verify {
    // Read and hash every wanted file.
    bool all = false;
    // At least these.
    std::set<Digest> these;
  };

  // Looks at the policies of all updates.
  absl::Status Run(const Verify& verify);

  int64_t files_checked() const { return static_cast<int64_t>(checked_.size()); }
  const std::vector<v1::Finding>& findings() const { return findings_; }
  // Updates that the approved ones need and that are named in these findings.
  const std::set<Uuid>& dangling() const { return dangling_; }

 private:
  // A wanted file that is not here.
  struct Missing {
    RecordColumns update;
    Digest digest;
  };

  absl::Status Look(const Uuid& update_id, const Selection& selection, const Verify& verify);
  absl::Status LookAtFile(const RecordColumns& update, const stored::v1::FileReference& file,
                          const Verify& verify);
  absl::Status LookAtNeeds(const Uuid& update_id, const WantedFiles& wanted);
  absl::Status JudgeMissing();

  const CatalogReader& reader_;
  ContentStore& content_;
  ParityPeer& peer_;
  std::set<Digest> checked_;
  std::vector<Missing> missing_;
  std::set<Uuid> dangling_;
  std::vector<v1::Finding> findings_;
};

}  // namespace sluice
