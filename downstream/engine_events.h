// Engine events and actions: all that goes into the sync engine and all that comes out of it, as
// values.
//
// Calls to the upstream are numbered by the engine; an answer carries the number of its call, and
// one that nobody waits for any more is ignored.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/digest.h"
#include "sluice/v1/content_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "storage/content_store.h"
#include "storage/record_key.h"

namespace sluice {

using CallNumber = uint64_t;

// ---- What happened.

// The process begins: the first event.
struct Started {};
// The time asked for by the last SetTimer has come.
struct TimerFired {};
// Somebody wants a synchronisation.
struct SyncRequested {
  v1::SyncTrigger trigger;
};
struct SyncCancelled {};
struct HelloAnswered {
  CallNumber call;
  absl::StatusOr<v1::HelloResponse> response;
};
struct ChangesReceived {
  CallNumber call;
  v1::ChangesResponse response;
};
struct ChangesEnded {
  CallNumber call;
  absl::Status status;
};
struct LoadReceived {
  CallNumber call;
  v1::LoadResponse response;
};
struct LoadEnded {
  CallNumber call;
  absl::Status status;
};
struct ReconcileReceived {
  CallNumber call;
  v1::ReconcileResponse response;
};
struct ReconcileEnded {
  CallNumber call;
  absl::Status status;
};
struct RecordsAnswered {
  CallNumber call;
  absl::StatusOr<v1::GetRecordsResponse> response;
};
// A file was fetched, is verified and stored; or was not.
struct FileFetched {
  Digest digest;
  absl::Status status;
  int64_t wire_bytes = 0;
};
struct ContentAnswered {
  CallNumber call;
  absl::StatusOr<v1::RequestResponse> response;
};
// A node below wants a file.
struct ContentWanted {
  Digest digest;
};
// A stored file was found wrong and set aside.
struct ContentLost {
  Digest digest;
};
// These files, which no record named any more, are gone.
struct FilesReleased {
  std::vector<Digest> files;
};
struct ReportAnswered {
  CallNumber call;
  absl::Status status;
  // What the upstream has to say; the engine passes it by.
  v1::ReportResponse response = {};
};
// What this node has to report changed.
struct ReportDue {};
// Calls go to another upstream from now on.
struct UpstreamSwitched {
  std::string peer;  // Its target.
  std::string why;   // For the session's summary, as in "the preferred one answers again".
  bool at_once = true;
};
// Records were removed here by an operator.
struct RecordsRemoved {};
// Somebody else at this node changed records: an operator decided, or holds something back.
struct RecordsChanged {
  std::vector<RecordKey> keys;
};

using EngineEvent =
    std::variant<Started, TimerFired, SyncRequested, SyncCancelled, HelloAnswered, ChangesReceived,
                 ChangesEnded, LoadReceived, LoadEnded, ReconcileReceived, ReconcileEnded,
                 RecordsAnswered, FileFetched, ContentAnswered, ContentWanted, ContentLost,
                 FilesReleased, ReportAnswered, ReportDue, UpstreamSwitched, RecordsRemoved,
                 RecordsChanged>;

// ---- What is to be done.

struct CallHello {
  CallNumber call;
  v1::HelloRequest request;
};
struct OpenChanges {
  CallNumber call;
  v1::ChangesRequest request;
};
struct CloseChanges {
  CallNumber call;
};
struct OpenLoad {
  CallNumber call;
  v1::LoadRequest request;
};
struct CloseLoad {
  CallNumber call;
};
// Opens the exchange and sends the first request.
struct OpenReconcile {
  CallNumber call;
  v1::ReconcileRequest request;
};
struct SendReconcile {
  CallNumber call;
  v1::ReconcileRequest request;
};
struct CloseReconcile {
  CallNumber call;
};
struct CallGetRecords {
  CallNumber call;
  v1::GetRecordsRequest request;
};
struct FetchFile {
  ContentInfo file;
};
struct CallRequestContent {
  CallNumber call;
  v1::RequestRequest request;
};
// Files are noted that no record may name any more: ReleaseNoted (storage/file_release.h). Answered
// by `FilesReleased`.
struct ReleaseFiles {};
struct CallReport {
  CallNumber call;
  v1::ReportRequest request;
};
// Replaces the timer; infinite future: none.
struct SetTimer {
  absl::Time at;
};
// For those who watch. Stored by the engine itself.
struct SessionChanged {
  v1::Session session;
  int64_t phase_total = 0;
  int64_t phase_done = 0;
};
// Where a wanted file stands, for nodes below that wait for it.
struct ContentChanged {
  v1::ContentAnswer answer;
};

using EngineAction =
    std::variant<CallHello, OpenChanges, CloseChanges, OpenLoad, CloseLoad, OpenReconcile,
                 SendReconcile, CloseReconcile, CallGetRecords, FetchFile, CallRequestContent,
                 ReleaseFiles, CallReport, SetTimer, SessionChanged, ContentChanged>;

}  // namespace sluice
