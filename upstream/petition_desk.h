// Petition desk: where petitions lie until they are decided: those of the nodes below, and those
// that this node sent up, its own and the ones that it passes on.
//
// A petition keeps its id on its whole way, and sending it again changes nothing. What becomes of
// it comes down the same way in answers to reports. An answer that is lost is not missed for long:
// who asked asks again after a synchronisation.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "sluice/v1/petition.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "storage/catalog.h"
#include "storage/petition_rows.h"
#include "upstream/report_board.h"

namespace sluice {

class PetitionDesk {
 public:
  struct Options {
    // Sends a petition to the node above and returns it as it lies there. Empty at the root.
    std::function<absl::StatusOr<v1::Petition>(const v1::Petition&)> send_up;
  };

  // References must outlive the desk.
  PetitionDesk(Catalog& catalog, ReportBoard& board, Clock& clock, Options options);

  bool is_root() const { return !options_.send_up; }

  // Takes a petition from the node below that calls, for itself or one below it.
  //
  // Errors:
  //   INVALID_ARGUMENT    malformed, too large, or about a node that is not below the caller.
  //   ALREADY_EXISTS      another node sent one of this id.
  //   RESOURCE_EXHAUSTED  too many wait here.
  absl::StatusOr<v1::Petition> Submit(const v1::SubmitPetitionRequest& request);

  // Sends a petition of this node up. It lies here until it is answered; a node above that cannot
  // be reached now is asked later. `change` is committed with it.
  absl::StatusOr<v1::Petition> Ask(v1::Petition petition, CatalogChange change);

  // Decides one: the state, and what else is in `change`, in one commit; and who sent it is called.
  //
  // Errors:
  //   NOT_FOUND             no such petition.
  //   ABORTED STALE_VERSION it is decided already.
  //   FAILED_PRECONDITION   it is this node's own.
  absl::StatusOr<v1::Petition> Decide(const v1::PetitionAnswer& decision, CatalogChange change);
  // Whether it can be decided here. Errors: as above.
  absl::StatusOr<v1::Petition> Waiting(const std::string& id) const;

  // What the node above says of petitions that went through here.
  void TakeAnswers(const google::protobuf::RepeatedPtrField<v1::PetitionAnswer>& answers);

  // Adds what a node below has to hear.
  absl::Status AnswerReport(const Uuid& child, v1::ReportResponse& response);

  // Sends up what has not been sent by this process, and asks about what has waited long.
  void AskAgain();

  // That wait for this node's operator.
  int64_t waiting() const;

 private:
  absl::Status CheckSender(const CatalogReader& reader, const Uuid& caller,
                           const Uuid& asked_first) const;
  absl::Status CheckRoom(const CatalogReader& reader, v1::PetitionKind kind,
                         CatalogChange& change) const;
  void SendUp(const std::string& id);
  void TakeAnswer(const v1::PetitionAnswer& answer);
  void Tell(const v1::Petition& petition);

  Catalog& catalog_;
  ReportBoard& board_;
  Clock& clock_;
  const Options options_;
  mutable Mutex mutex_;  // Held while a row is read and written.
  // Decided ones that a node below has not heard of; by node.
  std::map<Uuid, std::set<std::string>> to_tell_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time> sent_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
