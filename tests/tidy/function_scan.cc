#include "tests/tidy/function_scan.h"

#include <cctype>
#include <utility>

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

// The name that a head like "class MUTEX(x) Foo final : public Bar<int(int)>" declares: the last
// word before the bases that has no parentheses behind it. Empty when it declares no type.
std::string TypeName(const std::string& head) {
  const std::string keyword = head.substr(0, head.find(' '));
  if (keyword != "class" && keyword != "struct" && keyword != "union" && keyword != "enum")
    return "";
  std::string name;
  size_t at = keyword.size();
  while (at < head.size() && head[at] != ':') {
    if (!IsNameCharacter(head[at])) {
      ++at;
      continue;
    }
    std::string word;
    while (at < head.size() && (IsNameCharacter(head[at]) || head.compare(at, 2, "::") == 0)) {
      const bool qualified = head[at] == ':';
      at += qualified ? 2 : 1;
      word = qualified ? std::string() : word + head[at - 1];
    }
    if (at < head.size() && head[at] == '(') {
      // An attribute, or a function that returns a type so declared.
      at = head.find(')', at);
      if (at == std::string::npos) return "";
    } else if (word != "class" && word != "final") {
      name = word;
    }
  }
  return name;
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
      if (head.rfind("namespace", 0) == 0 || head.rfind("extern", 0) == 0 ||
          head.rfind("inline namespace", 0) == 0) {
        open.scope = Scope::kNamespace;
      } else if (std::string name = TypeName(head); !name.empty()) {
        open.scope = Scope::kType;
        scan_.types.push_back({name, head_line_});
      } else if (head.find('(') != std::string::npos && !IsValue(head)) {
        open.scope = Scope::kFunction;
        open.function = scan_.functions.size();
        scan_.functions.push_back({FunctionName(head), head_line_, line_});
      }
    }
    open_.push_back(open);
    EndHead();
  }

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
