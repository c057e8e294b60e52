// Human: numbers, times and states in the words of people.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/protobuf/timestamp.pb.h"

namespace sluice {

// "0 B", "812 B", "3.4 KiB", "70 MiB", "1.2 TiB".
std::string HumanBytes(int64_t bytes);

// The largest fitting unit: "0 s", "12 s", "5 min", "3 h", "4 d"; a negative one as "0 s".
std::string HumanDuration(absl::Duration duration);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
google::protobuf::Timestamp ToTimestamp(absl::Time time);

// "2026-11-24 03:00:07" in `zone`.
std::string HumanTime(absl::Time time, absl::TimeZone zone);

// An enum's value in lower case without its prefix, as in "not approved"; "-" for the unspecified
// one, the number for one that a newer node knows.
std::string EnumWord(const google::protobuf::EnumDescriptor& type, int number);

template <typename Enum>
std::string WordOf(Enum value) {
  return EnumWord(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

// "1 update", "3 updates".
std::string Plural(int64_t count, absl::string_view noun);

}  // namespace sluice
