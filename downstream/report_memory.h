// Report memory: what the upstream was told of this node last, so that a synchronisation that
// brought nothing new is not followed by a report that says nothing new either.
//
// That the node was there, and in order, the upstream knows from its greeting. Now and then it is
// told all the same: an upstream of an earlier release does not.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "sluice/v1/replication_service.pb.h"

namespace sluice {

class ReportMemory {
 public:
  // Whether the upstream has heard, not too long ago, all that `report` says but when it was made
  // and when the node last succeeded.
  bool Knows(const v1::ReportRequest& report, absl::Time now) const;

  void Sending(const v1::ReportRequest& report, absl::Time now);
  // Whether the report that was last sent was heard.
  void Answered(bool heard);

 private:
  std::string sending_;  // What of a report is remembered: a digest.
  std::string told_;     // Empty: nothing.
  absl::Time sent_at_ = absl::InfinitePast();
};

}  // namespace sluice
