// Upstream answers: what the node above says about the records in which the two differ, so that a
// difference gets the class that tells what to do about it.
//
// The cost follows the difference and is bounded: 20,000 records and policies are asked about; what
// is beyond keeps the class that can be seen without asking.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "downstream/parity_peer.h"
#include "downstream/record_comparison.h"
#include "sluice/stored/v1/stored.pb.h"
#include "storage/catalog.h"
#include "storage/selection.h"

namespace sluice {

class UpstreamAnswers {
 public:
  // `hello`: what the upstream said of itself. References must outlive the object.
  UpstreamAnswers(const CatalogReader& reader, ParityPeer& peer, const v1::HelloResponse& hello)
      : reader_(reader), peer_(peer), hello_(hello) {}

  // The findings that the differences come to.
  //
  // Errors: those of the link to the upstream; DATA_LOSS the own store is damaged.
  absl::StatusOr<std::vector<v1::Finding>> Refine(std::vector<Difference> differences);

 private:
  using Item = v1::GetRecordsItem;

  absl::Status ReadRefused();
  // What can be said without asking.
  absl::Status Look(const Selection& taken, Difference& difference) const;
  absl::Status LookAtOwn(const Selection& taken, Difference& difference) const;
  // What the upstream has under these keys, at most `max` of them; by key.
  absl::Status Ask(const std::vector<RecordKey>& keys, size_t max);
  void JudgeAbsent(Difference& difference) const;
  absl::Status ComparePolicy(const Difference& difference,
                             std::vector<v1::Finding>& findings) const;
  // The key under which the upstream would have it; none where it need not be asked.
  std::vector<RecordKey> KeysToAsk(const std::vector<Difference>& differences) const;
  static RecordKey KeyThere(const Difference& difference);

  const CatalogReader& reader_;
  ParityPeer& peer_;
  const v1::HelloResponse& hello_;
  // Records of the upstream that could not be taken here, by key in words.
  absl::flat_hash_map<std::string, v1::ItemStatus> refused_;
  absl::flat_hash_map<RecordKey, Item> items_;
};

}  // namespace sluice
