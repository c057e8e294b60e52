// Site notices: what this node and those above it hold back, and what that comes to. Pure reading.
//
// A notice hides an update or offers it only from a time on, whatever the origin decided; the
// strictest one counts. All notices here are in force: those of nodes that are no longer above
// leave the store.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/uuid.h"
#include "sluice/v1/record.pb.h"
#include "storage/catalog.h"

namespace sluice {

class SiteNotices {
 public:
  SiteNotices() = default;

  // Errors: DATA_LOSS damaged rows.
  static absl::StatusOr<SiteNotices> Read(const CatalogReader& reader);

  // The strictest notice that hides the update at `now`: one that suppresses it, else that which
  // holds it longest. None: nobody holds it back.
  std::optional<v1::SiteNotice> HeldBack(const Uuid& update_id, absl::Time now) const;

  // Whether some node hides it altogether, so that its files are not wanted.
  bool Suppressed(const Uuid& update_id) const;

  // The updates about which the two do not say the same.
  std::vector<Uuid> Differing(const SiteNotices& other) const;

 private:
  friend absl::StatusOr<std::optional<v1::SiteNotice>> HeldBack(const CatalogReader& reader,
                                                                const Uuid& update_id,
                                                                absl::Time now);
  // Null: of all updates.
  static absl::StatusOr<SiteNotices> Read(const CatalogReader& reader, const Uuid* only);

  // By update; each node has one about it at most.
  std::map<Uuid, std::vector<v1::SiteNotice>> by_update_;
};

// The same for a single update. Who asks about many reads all notices once.
absl::StatusOr<std::optional<v1::SiteNotice>> HeldBack(const CatalogReader& reader,
                                                       const Uuid& update_id, absl::Time now);

// Until when a notice that does not suppress holds back.
absl::Time HeldUntil(const v1::SiteNotice& notice);

}  // namespace sluice
