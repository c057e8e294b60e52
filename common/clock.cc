#include "common/clock.h"

#include "absl/time/clock.h"

namespace sluice {

absl::Time SystemClock::Now() { return absl::Now(); }

}  // namespace sluice
