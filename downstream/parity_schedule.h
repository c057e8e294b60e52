// Parity schedule: when this node compares itself with its upstream without being told to. Pure, in
// whatever time it is given.
//
// At the start and after a change of upstreams only once a synchronisation went through, since
// before that everything differs; on the clock; and at once when a node above wants to know. A
// check that came to no result is tried again twice, a quarter of an hour apart, as
// synchronisations are.
#pragma once

#include <optional>
#include <set>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "common/schedule.h"
#include "sluice/config/v1/daemon.pb.h"
#include "sluice/v1/parity.pb.h"

namespace sluice {

class ParitySchedule {
 public:
  struct Options {
    int times_a_day = 1;  // 0: never by the clock.
    bool at_start = true;
    absl::TimeZone time_zone = absl::LocalTimeZone();
  };

  // A check that is due.
  struct Due {
    v1::ParityTrigger trigger = v1::PARITY_TRIGGER_UNSPECIFIED;
    // With SUBTREE: since when a node above has wanted it.
    absl::Time wanted_at = absl::InfinitePast();
  };

  // What a checked configuration says.
  static Options From(const config::v1::ParitySchedule& config);

  ParitySchedule(Options options, absl::Time now, absl::BitGenRef random);

  // Check once the next synchronisation has gone through.
  void CheckSoon(v1::ParityTrigger trigger);
  // One has.
  void Synchronised();
  // A node above has wanted a check since `at`.
  void Wanted(absl::Time at);

  // When to call `Take`.
  absl::Time next_due() const;
  // The check that is due now, if any; what else is due is settled by the same.
  std::optional<Due> Take(absl::Time now);
  // What was taken came to a result, or to none.
  void Ended(bool checked, absl::Time now);

 private:
  const Options options_;
  const absl::BitGenRef random_;
  std::set<v1::ParityTrigger> after_sync_;  // Wait for a synchronisation.
  std::set<v1::ParityTrigger> now_;         // Due.
  absl::Time wanted_at_ = absl::InfinitePast();
  absl::Time next_scheduled_;
  absl::Time retry_at_ = absl::InfiniteFuture();
  Due last_;
  int failures_ = 0;
};

}  // namespace sluice
