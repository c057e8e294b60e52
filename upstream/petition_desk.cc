#include "upstream/petition_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

constexpr int kDepthMax = 64;
constexpr absl::Duration kAskAgainAfter = absl::Hours(6);
// In one turn; the next synchronisation goes on.
constexpr int kSentPerTurn = 100;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

v1::PetitionAnswer AnswerOf(const v1::Petition& petition) {
  v1::PetitionAnswer answer;
  answer.set_petition_id(petition.petition_id());
  answer.set_state(petition.state());
  answer.set_decided_by(petition.decided_by());
  answer.set_answer(petition.answer());
  *answer.mutable_decided_at() = petition.decided_at();
  return answer;
}

// Texts from another node, within what a row may hold.
void Apply(const v1::PetitionAnswer& answer, v1::Petition& petition) {
  constexpr size_t kTextBytesMax = 1024;
  petition.set_state(answer.state());
  petition.set_decided_by(answer.decided_by().substr(0, kTextBytesMax));
  petition.set_answer(answer.answer().substr(0, kTextBytesMax));
  *petition.mutable_decided_at() = answer.decided_at();
}

bool WentUp(const v1::Petition& petition) {
  return petition.state() == v1::PETITION_STATE_FORWARDED ||
         (petition.state() == v1::PETITION_STATE_WAITING && petition.from_node_id().empty());
}

}  // namespace

PetitionDesk::PetitionDesk(Catalog& catalog, ReportBoard& board, Clock& clock, Options options)
    : catalog_(catalog), board_(board), clock_(clock), options_(std::move(options)) {
  const auto petitions = ReadPetitions(catalog_.Read());
  if (!petitions.ok()) return;  // Whoever lists them meets the same.
  MutexLock lock(mutex_);
  for (const v1::Petition& petition : *petitions) {
    const absl::StatusOr<Uuid> from = Uuid::FromBytes(petition.from_node_id());
    if (from.ok() && !IsOpen(petition)) to_tell_[*from].insert(petition.petition_id());
  }
}

// A node speaks for itself and for those that reported to be below it.
absl::Status PetitionDesk::CheckSender(const CatalogReader& reader, const Uuid& caller,
                                       const Uuid& asked_first) const {
  Uuid at = asked_first;
  for (int depth = 0; depth < kDepthMax && at != caller; ++depth) {
    const absl::StatusOr<v1::TreeNode> node =
        reader.GetRow<v1::TreeNode>(Family::kNodes, at.view());
    const absl::StatusOr<Uuid> above =
        node.ok() ? Uuid::FromBytes(node->status().upstream_id()) : node.status();
    if (!above.ok()) break;
    at = *above;
  }
  if (at == caller) return absl::OkStatus();
  return InvalidRequest(
      {{"petition.node_id", "is neither the caller nor a node that reported to be below it"}});
}

// Makes room among the decided ones; there is none to be made among the others.
absl::Status PetitionDesk::CheckRoom(const CatalogReader& reader, v1::PetitionKind kind,
                                     CatalogChange& change) const {
  ASSIGN_OR_RETURN(const std::vector<v1::Petition> petitions, ReadPetitions(reader));
  int open = 0;
  int returns = 0;
  int decided = 0;
  for (const v1::Petition& petition : petitions) {
    if (IsOpen(petition)) {
      ++open;
      if (petition.kind() == v1::PETITION_KIND_RETURN) ++returns;
    } else if (++decided >= kOpenPetitionsMax) {
      DeletePetition(petition.petition_id(), change);
    }
  }
  if (open >= kOpenPetitionsMax) {
    return absl::ResourceExhaustedError("1,000 petitions wait here already");
  }
  if (kind == v1::PETITION_KIND_RETURN && returns >= kOpenReturnsMax) {
    return absl::ResourceExhaustedError("100 petitions with records wait here already");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Petition> PetitionDesk::Submit(const v1::SubmitPetitionRequest& request) {
  ASSIGN_OR_RETURN(const Uuid caller, Uuid::FromBytes(request.node_id()));
  v1::Petition petition = request.petition();
  RETURN_IF_ERROR(CheckPetition(petition));
  {
    MutexLock lock(mutex_);
    const CatalogReader reader = catalog_.Read();
    const absl::StatusOr<v1::Petition> known = ReadPetition(reader, petition.petition_id());
    if (known.ok()) {
      if (known->from_node_id() != request.node_id()) {
        return absl::AlreadyExistsError("another node sent a petition of this id");
      }
      v1::Petition state = *known;
      state.clear_records();
      return state;
    }
    ASSIGN_OR_RETURN(const Uuid asked_first, Uuid::FromBytes(petition.node_id()));
    RETURN_IF_ERROR(CheckSender(reader, caller, asked_first));
    // What is offered back is for the root alone to take.
    const bool passes = petition.kind() == v1::PETITION_KIND_RETURN && !is_root();
    petition.set_state(passes ? v1::PETITION_STATE_FORWARDED : v1::PETITION_STATE_WAITING);
    petition.set_from_node_id(request.node_id());
    petition.clear_decided_by();
    petition.clear_decided_at();
    petition.clear_answer();
    *petition.mutable_asked_at() = ToTimestamp(clock_.Now());
    CatalogChange change;
    RETURN_IF_ERROR(CheckRoom(reader, petition.kind(), change));
    PutPetition(petition, change);
    RETURN_IF_ERROR(catalog_.Commit(change).status());
  }
  if (petition.state() == v1::PETITION_STATE_FORWARDED) SendUp(petition.petition_id());
  petition.clear_records();
  petition.clear_shards();
  petition.clear_dictionaries();
  return petition;
}

absl::StatusOr<v1::Petition> PetitionDesk::Ask(v1::Petition petition, CatalogChange change) {
  if (is_root()) return MakeError(v1::REASON_NO_UPSTREAM, "there is no node above to ask");
  petition.set_petition_id(Uuid::Random().ToString());
  petition.set_node_id(catalog_.node_id().bytes());
  petition.set_state(v1::PETITION_STATE_WAITING);
  *petition.mutable_asked_at() = ToTimestamp(clock_.Now());
  RETURN_IF_ERROR(CheckPetition(petition));
  {
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(CheckRoom(catalog_.Read(), petition.kind(), change));
    PutPetition(petition, change);
    RETURN_IF_ERROR(catalog_.Commit(change).status());
  }
  SendUp(petition.petition_id());
  return ReadPetition(catalog_.Read(), petition.petition_id());
}

absl::StatusOr<v1::Petition> PetitionDesk::Waiting(const std::string& id) const {
  ASSIGN_OR_RETURN(v1::Petition petition, ReadPetition(catalog_.Read(), id));
  if (petition.from_node_id().empty()) {
    return absl::FailedPreconditionError(
        "this node asked it of the one above, whose operator decides");
  }
  if (petition.state() != v1::PETITION_STATE_WAITING) {
    return MakeError(v1::REASON_STALE_VERSION,
                     absl::StrCat("petition ", id, " is decided already"));
  }
  return petition;
}

absl::StatusOr<v1::Petition> PetitionDesk::Decide(const v1::PetitionAnswer& decision,
                                                  CatalogChange change) {
  v1::Petition petition;
  {
    MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(petition, Waiting(decision.petition_id()));
    Apply(decision, petition);
    *petition.mutable_decided_at() = ToTimestamp(clock_.Now());
    PutPetitionState(petition, change);
    RETURN_IF_ERROR(catalog_.Commit(change).status());
  }
  if (petition.state() == v1::PETITION_STATE_FORWARDED) {
    SendUp(petition.petition_id());
    ASSIGN_OR_RETURN(petition, ReadPetition(catalog_.Read(), petition.petition_id()));
  } else {
    Tell(petition);
  }
  petition.clear_records();
  return petition;
}

// A failure is no harm: it is sent again after the next synchronisation.
void PetitionDesk::SendUp(const std::string& id) {
  absl::StatusOr<v1::Petition> petition = ReadPetition(catalog_.Read(), id);
  if (!petition.ok() || is_root()) return;
  petition->clear_from_node_id();
  petition->clear_decided_by();
  petition->clear_decided_at();
  petition->clear_answer();
  const absl::StatusOr<v1::Petition> above = options_.send_up(*petition);
  if (above.ok()) {
    {
      MutexLock lock(mutex_);
      sent_[id] = clock_.Now();
    }
    if (!IsOpen(*above)) TakeAnswer(AnswerOf(*above));
    return;
  }
  // It will never be taken there as it is.
  if (absl::IsInvalidArgument(above.status()) && petition->node_id() == catalog_.node_id().view()) {
    v1::PetitionAnswer refused;
    refused.set_petition_id(id);
    refused.set_state(v1::PETITION_STATE_REFUSED);
    refused.set_answer(std::string(above.status().message()));
    *refused.mutable_decided_at() = ToTimestamp(clock_.Now());
    TakeAnswer(refused);
  }
}

void PetitionDesk::TakeAnswers(
    const google::protobuf::RepeatedPtrField<v1::PetitionAnswer>& answers) {
  for (const v1::PetitionAnswer& answer : answers) TakeAnswer(answer);
}

void PetitionDesk::TakeAnswer(const v1::PetitionAnswer& answer) {
  v1::Petition petition;
  {
    MutexLock lock(mutex_);
    absl::StatusOr<v1::Petition> known = ReadPetition(catalog_.Read(), answer.petition_id());
    if (!known.ok() || !WentUp(*known)) return;
    petition = *std::move(known);
    const bool decided = answer.state() == v1::PETITION_STATE_GRANTED ||
                         answer.state() == v1::PETITION_STATE_REFUSED;
    if (!decided) return;
    Apply(answer, petition);
    CatalogChange change;
    PutPetitionState(petition, change);
    if (!catalog_.Commit(change).ok()) return;  // The answer comes again.
  }
  Tell(petition);
}

void PetitionDesk::Tell(const v1::Petition& petition) {
  const absl::StatusOr<Uuid> from = Uuid::FromBytes(petition.from_node_id());
  if (!from.ok()) return;
  {
    MutexLock lock(mutex_);
    to_tell_[*from].insert(petition.petition_id());
  }
  board_.Call(*from);
}

absl::Status PetitionDesk::AnswerReport(const Uuid& child, v1::ReportResponse& response) {
  std::set<std::string> told;
  {
    MutexLock lock(mutex_);
    const auto found = to_tell_.find(child);
    if (found == to_tell_.end()) return absl::OkStatus();
    told = std::move(found->second);
    to_tell_.erase(found);
  }
  const CatalogReader reader = catalog_.Read();
  for (const std::string& id : told) {
    const absl::StatusOr<v1::Petition> petition = ReadPetition(reader, id);
    if (petition.ok()) *response.add_petition_answers() = AnswerOf(*petition);
  }
  return absl::OkStatus();
}

void PetitionDesk::AskAgain() {
  const absl::StatusOr<std::vector<v1::Petition>> petitions = ReadPetitions(catalog_.Read());
  if (!petitions.ok()) return;
  int sent = 0;
  for (const v1::Petition& petition : *petitions) {
    if (!WentUp(petition) || sent == kSentPerTurn) continue;
    {
      MutexLock lock(mutex_);
      const auto last = sent_.find(petition.petition_id());
      if (last != sent_.end() && clock_.Now() < last->second + kAskAgainAfter) continue;
    }
    SendUp(petition.petition_id());
    ++sent;
  }
}

int64_t PetitionDesk::waiting() const {
  const absl::StatusOr<std::vector<v1::Petition>> petitions = ReadPetitions(catalog_.Read());
  if (!petitions.ok()) return 0;
  return std::count_if(petitions->begin(), petitions->end(), [](const v1::Petition& petition) {
    return petition.state() == v1::PETITION_STATE_WAITING && !petition.from_node_id().empty();
  });
}

}  // namespace sluice
