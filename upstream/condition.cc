#include "upstream/condition.h"

#include <string>

#include "common/errors.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {

v1::Condition MakeCondition(v1::Reason reason, absl::string_view message, absl::Time since) {
  const ErrorFacts& facts = FactsOf(reason);
  v1::Condition condition;
  condition.set_reason(ReasonName(reason));
  *condition.mutable_since() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(since));
  condition.set_message(std::string(message));
  condition.set_cause(std::string(facts.cause));
  condition.set_remedy(std::string(facts.remedy));
  return condition;
}

}  // namespace sluice
