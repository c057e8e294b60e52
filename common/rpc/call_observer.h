// Call observer: is told what a server's calls do, so that they can be counted.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sluice {

struct Method;

// All methods are called from any thread and must not block. `method` is one of the server's
// router; null stands for all that callers ask for and that does not exist.
class CallObserver {
 public:
  virtual ~CallObserver() = default;

  // A call has come, also one that is then refused.
  virtual void OnStart(const Method* method) = 0;
  // A message of the caller has arrived.
  virtual void OnMessageIn(const Method* method) = 0;
  // A message is on its way to the caller.
  virtual void OnMessageOut(const Method* method) = 0;
  // Once after each OnStart.
  virtual void OnEnd(const Method* method, absl::StatusCode code, absl::Duration duration) = 0;
};

}  // namespace sluice
