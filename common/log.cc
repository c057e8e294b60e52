#include "common/log.h"

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "spdlog/logger.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace sluice {
namespace {

constexpr size_t kValueBytesMax = 4096;
constexpr std::array<absl::string_view, 5> kLevelNames = {"debug", "info", "warn", "error", "off"};

absl::string_view NameOf(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

// Letters, digits and punctuation that no reader of logfmt takes for its own; bytes of UTF-8
// sequences pass.
bool IsPlain(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '=' && c != '\\' && c != '\x7f';
}

// In quotes, with what JSON forbids in a string escaped; logfmt's readers know the same.
void AppendQuoted(absl::string_view value, std::string& line) {
  bool cut = false;
  if (value.size() > kValueBytesMax) {
    size_t end = kValueBytesMax;
    // Not within a character of UTF-8.
    while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U) --end;
    value = value.substr(0, end);
    cut = true;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      absl::StrAppendFormat(&line, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      line += c;
    }
  }
  line += cut ? "...\"" : "\"";
}

void AppendValue(absl::string_view value, std::string& line) {
  bool plain = !value.empty() && value.size() <= kValueBytesMax;
  for (const char c : value) plain = plain && IsPlain(c);
  if (plain) {
    absl::StrAppend(&line, value);
  } else {
    AppendQuoted(value, line);
  }
}

// The plainest decimal number, as in "3.2".
std::string SecondsText(absl::Duration value) { return absl::StrCat(absl::ToDoubleSeconds(value)); }

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (NameOf(level) == text) return level;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is none of debug, info, warn, error"));
}

absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view text) {
  if (text == "logfmt") return LogFormat::kLogfmt;
  if (text == "json") return LogFormat::kJson;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is neither logfmt nor json"));
}

LogField::LogField(absl::string_view key, absl::Duration value)
    : key_(key),
      value_(SecondsText(value)),
      is_literal_(absl::AbsDuration(value) < absl::InfiniteDuration()) {}

LogField::LogField(absl::string_view key, absl::Time value)
    : key_(key), value_(absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", value, absl::UTCTimeZone())) {}

LogField::LogField(absl::string_view key, const absl::Status& value)
    : key_(key),
      value_(value.ok()
                 ? "OK"
                 : absl::StrCat(absl::StatusCodeToString(value.code()), ": ", value.message())) {}

struct Log::Writer {
  Writer(std::FILE* out, LogFormat format)
      : logger("sluice",
               std::make_shared<spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>>(
                   out)) {
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        format == LogFormat::kJson ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}"
                                   : "time=%Y-%m-%dT%H:%M:%S.%eZ %v",
        spdlog::pattern_time_type::utc));
  }

  spdlog::logger logger;
};

Log::Log(LogLevel level, std::FILE* out, LogFormat format)
    : format_(format), writer_(std::make_unique<Writer>(out, format)) {
  SetLevel(level);
}

Log::~Log() = default;

void Log::SetLevel(LogLevel level) { writer_->logger.set_level(ToSpdlog(level)); }

void Log::Write(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) {
  const spdlog::level::level_enum at = ToSpdlog(level);
  if (!writer_->logger.should_log(at)) return;
  const std::string line = format_ == LogFormat::kJson ? FormatLogMembers(level, event, fields)
                                                       : FormatLogLine(level, event, fields);
  writer_->logger.log(at, spdlog::string_view_t(line.data(), line.size()));
}

std::string FormatLogLine(LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields) {
  std::string line = absl::StrCat("level=", NameOf(level), " event=", event);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key(), "=");
    AppendValue(field.value(), line);
  }
  return line;
}

std::string FormatLogMembers(LogLevel level, absl::string_view event,
                             std::initializer_list<LogField> fields) {
  std::string members = absl::StrCat("\"level\":\"", NameOf(level), "\",\"event\":");
  AppendQuoted(event, members);
  for (const LogField& field : fields) {
    members += ',';
    AppendQuoted(field.key(), members);
    members += ':';
    if (field.is_literal()) {
      absl::StrAppend(&members, field.value());
    } else {
      AppendQuoted(field.value(), members);
    }
  }
  return members;
}

}  // namespace sluice
