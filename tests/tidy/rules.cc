#include "tests/tidy/rules.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "tests/tidy/function_scan.h"

namespace sluice::tidy {
namespace {

constexpr int kFileLinesMax = 500;
constexpr int kFunctionLinesMax = 70;
constexpr int kColumnsMax = 100;

int LineNumber(size_t index) { return static_cast<int>(index) + 1; }

// What `line` includes, with its brackets or quotes removed; empty when it includes nothing.
std::string Included(const std::string& line) {
  if (line.rfind("#include", 0) != 0) return "";
  const size_t begin = line.find_first_of("\"<");
  const size_t end = line.find_last_of("\">");
  if (begin == std::string::npos || end <= begin) return "";
  return line.substr(begin + 1, end - begin - 1);
}

bool StartsWith(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

// "CamelCase", "kCamelCase" and "snake_case" as lower-case words.
std::vector<std::string> Words(const std::string& name) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(word);
    word.clear();
  };
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (!std::isalpha(byte) || std::isupper(byte)) end_word();
    if (std::isalpha(byte)) word += static_cast<char>(std::tolower(byte));
  }
  end_word();
  return words;
}

// Banned word -> what to write instead.
const std::map<std::string, std::string>& BannedWords() {
  static const auto& words = *new std::map<std::string, std::string>{
      {"util", "the name of the concept"},
      {"utils", "the name of the concept"},
      {"helper", "the name of the concept"},
      {"helpers", "the name of the concept"},
      {"manager", "what it does"},
      {"misc", "the name of the concept"},
      {"master", "\"upstream\" or \"root\""},
      {"slave", "\"downstream\""},
      {"primary", "\"upstream\""},
      {"mirror", "\"downstream\" or \"replica\""},
      {"blob", "\"content\""},
  };
  return words;
}

void CheckName(const std::string& name, const std::string& what, int line,
               std::vector<Wrong>& wrongs) {
  for (const std::string& word : Words(name)) {
    const auto banned = BannedWords().find(word);
    if (banned == BannedWords().end()) continue;
    wrongs.push_back(
        {line, what + " \"" + name + "\": instead of \"" + word + "\" write " + banned->second});
  }
}

bool IsWordAt(const std::string& line, size_t at, size_t size) {
  const auto is_part = [&](size_t i) {
    return std::isalnum(static_cast<unsigned char>(line[i])) || line[i] == '_';
  };
  return (at == 0 || !is_part(at - 1)) && (at + size >= line.size() || !is_part(at + size));
}

bool HasWord(const std::string& line, const std::string& word) {
  for (size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    if (IsWordAt(line, at, word.size())) return true;
  }
  return false;
}

// In characters, not bytes.
int Columns(const std::string& line) {
  return static_cast<int>(
      std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool IsBlank(const std::string& line) { return line.find_first_not_of(" \t") == std::string::npos; }

}  // namespace

std::vector<Wrong> CheckArrows(const SourceFile& file) {
  static const auto& kMayInclude = *new std::map<std::string, std::set<std::string>>{
      {"common", {"common"}},
      {"storage", {"common", "storage"}},
      {"upstream", {"common", "storage", "upstream"}},
      {"downstream", {"common", "storage", "downstream"}},
      {"cli", {"common", "cli"}},
  };
  static const auto& kFolders =
      *new std::set<std::string>{"common", "storage", "upstream", "downstream", "cli", "tests"};
  std::vector<Wrong> wrongs;
  const auto allowed = kMayInclude.find(file.Folder());
  if (!file.IsCpp() || allowed == kMayInclude.end()) return wrongs;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string included = Included(file.lines[i]);
    const std::string folder = included.substr(0, included.find('/'));
    if (!kFolders.count(folder) || allowed->second.count(folder)) continue;
    if (file.path == "downstream/main.cc" && folder == "upstream") continue;
    wrongs.push_back({LineNumber(i), file.Folder() + "/ may not include " + included +
                                         "; the arrows are in docs/architecture.md"});
  }
  return wrongs;
}

std::vector<Wrong> CheckForeignIncludes(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsCpp()) return wrongs;
  const bool may_grpc =
      file.IsUnder("common/rpc") || file.IsUnder("tests") || file.path == "cli/raw/call.cc";
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string included = Included(file.lines[i]);
    if (StartsWith(included, "grpcpp/") && !may_grpc) {
      wrongs.push_back({LineNumber(i), "gRPC is seen in common/rpc/ only; use Router and Channel"});
    }
    if (StartsWith(included, "spdlog/") && file.path != "common/log.cc") {
      wrongs.push_back({LineNumber(i), "spdlog is seen in common/log.cc only; use common/log.h"});
    }
  }
  return wrongs;
}

std::vector<Wrong> CheckFileLength(const SourceFile& file) {
  const int lines = static_cast<int>(file.lines.size());
  const bool limited = file.IsCpp() || file.IsProto() || file.IsShell();
  if (!limited || lines <= kFileLinesMax) return {};
  return {{0, "has " + std::to_string(lines) + " lines, at most " + std::to_string(kFileLinesMax) +
                  ": give one of its concepts a file of its own"}};
}

std::vector<Wrong> CheckFunctionLength(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsCpp()) return wrongs;
  for (const ScannedFunction& function : ScanCpp(file).functions) {
    const int lines = function.last_line - function.first_line + 1;
    if (lines <= kFunctionLinesMax) continue;
    wrongs.push_back(
        {function.first_line, function.name + " has " + std::to_string(lines) + " lines, at most " +
                                  std::to_string(kFunctionLinesMax) + ": name its parts"});
  }
  return wrongs;
}

std::vector<Wrong> CheckLineWidth(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsCpp()) return wrongs;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    if (Columns(file.lines[i]) <= kColumnsMax) continue;
    wrongs.push_back({LineNumber(i), "is wider than " + std::to_string(kColumnsMax) +
                                         " columns: clang-format, or split the text"});
  }
  return wrongs;
}

std::vector<Wrong> CheckNames(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  CheckName(file.path, "path", 0, wrongs);
  if (!file.IsCpp()) return wrongs;
  const Scan scan = ScanCpp(file);
  for (const ScannedType& type : scan.types) CheckName(type.name, "type", type.line, wrongs);
  for (const ScannedFunction& function : scan.functions) {
    CheckName(function.name, "function", function.first_line, wrongs);
  }
  const bool is_snake = std::all_of(file.path.begin(), file.path.end(), [](char c) {
    return !std::isupper(static_cast<unsigned char>(c)) && c != '-';
  });
  if (!is_snake) wrongs.push_back({0, "file names are snake_case"});
  return wrongs;
}

std::vector<Wrong> CheckHeader(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsHeader()) return wrongs;
  const std::string first = file.lines.empty() ? "" : file.lines[0];
  const size_t colon = first.find(": ");
  if (!StartsWith(first, "// ") || first.size() < 4 ||
      !std::isupper(static_cast<unsigned char>(first[3])) || colon == std::string::npos) {
    wrongs.push_back({1, "a header opens with `// Thing: what it is.`, then the idea"});
  }
  size_t at = 0;
  while (at < file.lines.size() && (IsBlank(file.lines[at]) || StartsWith(file.lines[at], "//"))) {
    ++at;
  }
  if (at == file.lines.size() || file.lines[at] != "#pragma once") {
    wrongs.push_back({LineNumber(at), "`#pragma once` follows the opening comment"});
  }
  return wrongs;
}

std::vector<Wrong> CheckLeftovers(const SourceFile& file) {
  // Written in two parts, so that this file passes its own rule.
  static const auto& kMarks =
      *new std::vector<std::string>{std::string("TO") + "DO", std::string("FIX") + "ME",
                                    std::string("X") + "XX", std::string("HA") + "CK"};
  std::vector<Wrong> wrongs;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    for (const std::string& mark : kMarks) {
      if (!HasWord(file.lines[i], mark)) continue;
      wrongs.push_back({LineNumber(i), "finish it, or write an issue; no " + mark + " is left"});
    }
  }
  return wrongs;
}

std::vector<Wrong> CheckForbiddenCode(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsCpp()) return wrongs;
  for (size_t i = 0; i < file.code.size(); ++i) {
    if (file.code[i].find("using namespace grpc") != std::string::npos) {
      wrongs.push_back({LineNumber(i), "grpc and grpc::experimental share names: write grpc::"});
    }
    if (HasWord(file.code[i], "InsecureServerCredentials") && !file.IsUnder("tests")) {
      wrongs.push_back({LineNumber(i), "has no gate; listeners use LocalServerCredentials"});
    }
  }
  return wrongs;
}

std::vector<Wrong> CheckProtoComments(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsProto()) return wrongs;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const size_t begin = file.lines[i].find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    const std::string line = file.lines[i].substr(begin);
    const std::string kind = line.substr(0, line.find(' '));
    if (kind != "message" && kind != "enum" && kind != "rpc" && kind != "service") continue;
    const std::string name =
        line.substr(kind.size() + 1, line.find_first_of(" {(", kind.size() + 1) - kind.size() - 1);
    const auto ends_with = [&](const std::string& end) {
      return name.size() > end.size() && name.substr(name.size() - end.size()) == end;
    };
    if (kind == "message" && (ends_with("Request") || ends_with("Response"))) continue;
    const bool commented =
        i > 0 && file.lines[i - 1].find_first_not_of(' ') != std::string::npos &&
        StartsWith(file.lines[i - 1].substr(file.lines[i - 1].find_first_not_of(' ')), "//");
    if (commented) continue;
    wrongs.push_back({LineNumber(i), kind + " " + name + " has no comment for its users"});
  }
  return wrongs;
}

std::vector<Wrong> CheckShell(const SourceFile& file) {
  if (!file.IsShell()) return {};
  for (size_t i = 0; i < file.lines.size(); ++i) {
    if (IsBlank(file.lines[i]) || StartsWith(file.lines[i], "#")) continue;
    if (file.lines[i] == "set -euo pipefail") return {};
    return {{LineNumber(i), "a script starts with `set -euo pipefail`"}};
  }
  return {{0, "a script starts with `set -euo pipefail`"}};
}

std::vector<Wrong> CheckNoSleepInTests(const SourceFile& file) {
  std::vector<Wrong> wrongs;
  if (!file.IsUnder("tests") || !(file.IsCpp() || file.IsShell())) return wrongs;
  static const auto& kSleeps = *new std::vector<std::string>{
      "sleep", "usleep", "nanosleep", "sleep_for", "sleep_until", "SleepFor"};
  for (size_t i = 0; i < file.code.size(); ++i) {
    const std::string& line = file.code[i];
    if (file.IsShell() && StartsWith(line, "#")) continue;
    for (const std::string& word : kSleeps) {
      if (!HasWord(line, word)) continue;
      wrongs.push_back({LineNumber(i), word + ": wait for the condition itself, with a deadline"});
    }
  }
  return wrongs;
}

}  // namespace sluice::tidy
