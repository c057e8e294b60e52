// Session log: the session that runs and those before it, as rows of the catalog.
//
// The row is there from the first moment on, and moves with each phase; so after a kill it says
// where the session was.
#pragma once

#include <optional>
#include <string>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/catalog.h"

namespace sluice {

class SessionLog {
 public:
  SessionLog(Catalog& catalog, std::string peer);

  // The next session is with another peer; it is a new one also when it is a retry.
  void SetPeer(std::string peer);

  // Marks sessions that were running when the process ended as interrupted.
  absl::Status CloseInterrupted(absl::Time now);

  // Begins a session. A retry goes on with the row of the attempt that failed before it.
  absl::Status Begin(v1::SyncTrigger trigger, absl::Time now, absl::BitGenRef random);

  // The same, but the row is stored with the first commit that takes it along (`Put`): for what
  // came over an open watch, and is to be on disk before anything else.
  void BeginWithCommit(v1::SyncTrigger trigger, absl::Time now, absl::BitGenRef random);

  // Enters a phase and stores the row.
  absl::Status Enter(v1::SyncPhase phase);

  // Ends it: SUCCEEDED or PARTIAL by its items when `failure` is OK, CANCELLED by its reason, else
  // FAILED with the failure's chain.
  // `change` goes into the same commit.
  absl::Status End(const absl::Status& failure, absl::Time now, CatalogChange change = {});

  // An item that could not be had.
  void AddItem(absl::string_view item, const absl::Status& status);

  // Puts the row into a change that is committed anyhow.
  void Put(CatalogChange& change) const;

  bool running() const { return running_; }
  int attempt() const { return session_.attempt(); }
  v1::Session& session() { return session_; }
  const v1::Session& session() const { return session_; }

 private:
  absl::Status Store(CatalogChange change = {});
  absl::Status RemoveOldest();

  Catalog& catalog_;
  std::string peer_;
  v1::Session session_;
  bool running_ = false;
  int64_t begun_ = 0;
};

// The row key of a session, from its id in text. Errors: INVALID_ARGUMENT it is none.
absl::StatusOr<std::string> SessionRowKey(absl::string_view session_id);

}  // namespace sluice
