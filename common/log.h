// Log: structured events, one line each, in logfmt or as JSON.
//
// An event is a constant name, `noun_pasttense`; facts go into fields, with their unit in the key
// and no secrets:
//   log.Info("sync_finished", {{"upstream", target}, {"from_seq", 41}, {"duration_seconds",
//   elapsed}});
// prints
//   time=2026-11-24T03:00:07.120Z level=info event=sync_finished upstream=hq:8531 from_seq=41
//   duration_seconds=3.2
// or, as JSON, {"time":"...","level":"info","event":"sync_finished","upstream":"hq:8531",...}.
// Info: somebody may care tomorrow. Warn: it heals itself. Error: somebody must act, and a field
// says how.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// "debug", "info", "warn" or "error". Errors: INVALID_ARGUMENT another text.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text);

enum class LogFormat { kLogfmt, kJson };

// "logfmt" or "json". Errors: INVALID_ARGUMENT another text.
absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view text);

// One fact. A duration is written in seconds, a time as RFC 3339 in UTC, a status as "CODE:
// message".
class LogField {
 public:
  LogField(absl::string_view key, absl::string_view value) : key_(key), value_(value) {}
  LogField(absl::string_view key, const char* value) : key_(key), value_(value) {}
  LogField(absl::string_view key, const std::string& value) : key_(key), value_(value) {}
  LogField(absl::string_view key, absl::Duration value);
  LogField(absl::string_view key, absl::Time value);
  LogField(absl::string_view key, const absl::Status& value);
  template <typename T>
  requires std::integral<T> || std::floating_point<T> LogField(absl::string_view key, T value)
      : key_(key),
        value_(TextOf(value)),
        is_literal_(!std::floating_point<T> || std::isfinite(value)) {}

  absl::string_view key() const { return key_; }
  absl::string_view value() const { return value_; }
  // A number, true or false: JSON has it without quotes.
  bool is_literal() const { return is_literal_; }

 private:
  static std::string TextOf(bool value) { return value ? "true" : "false"; }
  template <typename T>
  static std::string TextOf(T value) {
    return absl::StrCat(value);
  }

  absl::string_view key_;
  std::string value_;
  bool is_literal_ = false;
};

// Writes events of a level and above to a stream. All methods may be called from several threads; a
// line is never torn.
class Log {
 public:
  // `out` stays the caller's and must outlive the log.
  explicit Log(LogLevel level, std::FILE* out = stderr, LogFormat format = LogFormat::kLogfmt);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void SetLevel(LogLevel level);

  void Debug(absl::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kDebug, event, fields);
  }
  void Info(absl::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kInfo, event, fields);
  }
  void Warn(absl::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kWarn, event, fields);
  }
  void Error(absl::string_view event, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kError, event, fields);
  }

 private:
  struct Writer;  // Hides spdlog, whose header is dear to compile.

  void Write(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields);

  const LogFormat format_;
  const std::unique_ptr<Writer> writer_;
};

// One line without time: "level=info event=... key=value". Values are quoted where they hold more
// than one plain word, control characters are escaped, and a value longer than 4 KiB is cut.
std::string FormatLogLine(LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields);

// The members of a JSON object without the time and the braces.
std::string FormatLogMembers(LogLevel level, absl::string_view event,
                             std::initializer_list<LogField> fields);

}  // namespace sluice
