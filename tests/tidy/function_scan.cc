#include "tests/tidy/function_scan.h"

#include <cctype>
#include <regex>

namespace sluice::tidy {
namespace {

enum class Scope { kNamespace, kType, kFunction, kOther };

bool IsNameCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// "template <...>" in front of a declaration says nothing about what it declares.
std::string WithoutTemplate(std::string head) {
  while (head.rfind("template", 0) == 0) {
    size_t at = head.find('<');
    if (at == std::string::npos) break;
    int depth = 0;
    do {
      if (head[at] == '<') ++depth;
      if (head[at] == '>') --depth;
      ++at;
    } while (depth > 0 && at < head.size());
    head.erase(0, head.find_first_not_of(' ', at));
  }
  return head;
}

// The name before the first "(" that is not inside of template arguments.
std::string FunctionName(const std::string& head) {
  const size_t paren = head.find('(');
  if (paren == std::string::npos) return "";
  size_t end = paren;
  while (end > 0 && head[end - 1] == ' ') --end;
  size_t begin = end;
  while (begin > 0 && IsNameCharacter(head[begin - 1])) --begin;
  return head.substr(begin, end - begin);
}

class Scanner {
 public:
  Scan Run(const SourceFile& file) {
    for (size_t i = 0; i < file.code.size(); ++i) {
      line_ = static_cast<int>(i) + 1;
      for (const char c : file.code[i]) Take(c);
      if (!head_.empty()) head_ += ' ';
    }
    return std::move(scan_);
  }

 private:
  struct Open {
    Scope scope;
    size_t function;  // Index in scan_.functions, for kFunction.
  };

  void Take(char c) {
    if (c == '(') ++parens_;
    if (c == ')') --parens_;
    // Inside of parentheses a brace holds a default value or a lambda's body.
    const bool in_argument = InDeclarations() && parens_ > 0;
    if (c == '{' && !in_argument) return Enter();
    if (c == '}' && !in_argument) return Leave();
    if (c == ';' && !in_argument) return EndHead();
    if (c == ':' && (head_ == "public" || head_ == "protected" || head_ == "private")) {
      return EndHead();
    }
    if (head_.empty() && c == ' ') return;
    if (head_.empty()) head_line_ = line_;
    head_ += c;
  }

  void EndHead() {
    head_.clear();
    parens_ = 0;
  }

  bool InDeclarations() const {
    return open_.empty() || open_.back().scope == Scope::kNamespace ||
           open_.back().scope == Scope::kType;
  }

  void Enter() {
    const std::string head = WithoutTemplate(head_);
    Open open = {Scope::kOther, 0};
    if (InDeclarations()) {
      // An alignment or capability in front of the name has parentheses of its own.
      static const std::regex kType(
          "^(?:typedef )?(?:class|struct|union|enum(?: "
          "class)?)\\b(?:[^:=({]|\\([^)]*\\)|::)*?(\\w+)"
          "\\s*(?:final\\s*)?(?::(?!:).*)?$");
      std::smatch match;
      if (head.rfind("namespace", 0) == 0 || head.rfind("extern", 0) == 0 ||
          head.rfind("inline namespace", 0) == 0) {
        open.scope = Scope::kNamespace;
      } else if (std::regex_match(head.begin(), head.begin() + static_cast<long>(TrimmedSize(head)),
                                  match, kType)) {
        open.scope = Scope::kType;
        scan_.types.push_back({match[1], head_line_});
      } else if (head.find('(') != std::string::npos && !IsValue(head)) {
        open.scope = Scope::kFunction;
        open.function = scan_.functions.size();
        scan_.functions.push_back({FunctionName(head), head_line_, line_});
      }
    }
    open_.push_back(open);
    EndHead();
  }

  static size_t TrimmedSize(const std::string& head) { return head.find_last_not_of(' ') + 1; }

  // "... = {" and "... = Thing(...){" hold values, not code.
  static bool IsValue(const std::string& head) {
    const size_t equals = head.find(" = ");
    return equals != std::string::npos && equals < head.find('(');
  }

  void Leave() {
    if (!open_.empty()) {
      if (open_.back().scope == Scope::kFunction) {
        scan_.functions[open_.back().function].last_line = line_;
      }
      open_.pop_back();
    }
    EndHead();
  }

  Scan scan_;
  std::vector<Open> open_;
  std::string head_;  // What stands since the last ";" or brace.
  int head_line_ = 1;
  int line_ = 1;
  int parens_ = 0;
};

}  // namespace

Scan ScanCpp(const SourceFile& file) { return Scanner().Run(file); }

}  // namespace sluice::tidy
