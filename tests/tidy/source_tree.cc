#include "tests/tidy/source_tree.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace sluice::tidy {
namespace {

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::vector<std::string> SplitLines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Blanks what is not code. Knows comments, string and character literals, raw strings and
// preprocessor lines with their continuations; line ends stay.
class CodeExtractor {
 public:
  explicit CodeExtractor(const std::string& text) : text_(text), code_(text) {}

  std::string Extract() {
    while (at_ < text_.size()) Step();
    return code_;
  }

 private:
  bool Follows(const char* what) const {
    return text_.compare(at_, std::string(what).size(), what) == 0;
  }

  void Blank(size_t end) {
    end = std::min(end, text_.size());
    for (; at_ < end; ++at_) {
      if (text_[at_] != '\n') code_[at_] = ' ';
    }
  }

  size_t EndOf(const std::string& mark, size_t from) const {
    const size_t found = text_.find(mark, from);
    return found == std::string::npos ? text_.size() : found + mark.size();
  }

  void Step() {
    if (Follows("//")) return Blank(text_.find('\n', at_));
    if (Follows("/*")) return Blank(EndOf("*/", at_ + 2));
    if (Follows("R\"")) {
      const std::string delimiter = text_.substr(at_ + 2, text_.find('(', at_) - at_ - 2);
      return Blank(EndOf(")" + delimiter + "\"", at_ + 2));
    }
    // A quote between digits separates thousands.
    const bool in_number = at_ > 0 && std::isalnum(static_cast<unsigned char>(text_[at_ - 1]));
    if (text_[at_] == '"' || (text_[at_] == '\'' && !in_number)) return SkipLiteral(text_[at_]);
    if (text_[at_] == '#' && line_is_empty_) return SkipDirective();
    if (text_[at_] == '\n') {
      line_is_empty_ = true;
    } else if (text_[at_] != ' ') {
      line_is_empty_ = false;
    }
    ++at_;
  }

  void SkipLiteral(char quote) {
    line_is_empty_ = false;
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    ++at_;  // The quotes stay, so that `extern "C"` and an argument remain visible.
    Blank(end);
    if (at_ < text_.size() && text_[at_] == quote) ++at_;
  }

  void SkipDirective() {
    size_t end = text_.find('\n', at_);
    while (end != std::string::npos && text_[end - 1] == '\\') end = text_.find('\n', end + 1);
    Blank(end);
  }

  const std::string& text_;
  std::string code_;
  size_t at_ = 0;
  bool line_is_empty_ = true;
};

bool IsText(const std::string& path) {
  static const char* const kEnds[] = {".h",    ".cc",  ".proto", ".cmake",   ".md", ".txt",
                                      ".yaml", ".yml", ".json",  ".service", ".sh"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](const char* end) { return EndsWith(path, end); }) ||
         std::filesystem::path(path).extension().empty();
}

}  // namespace

SourceFile::SourceFile(std::string file_path, std::string file_text)
    : path(std::move(file_path)), text(std::move(file_text)), lines(SplitLines(text)) {
  code = IsCpp() ? SplitLines(CodeExtractor(text).Extract()) : lines;
}

bool SourceFile::IsHeader() const { return EndsWith(path, ".h"); }
bool SourceFile::IsCpp() const { return IsHeader() || EndsWith(path, ".cc"); }
bool SourceFile::IsProto() const { return EndsWith(path, ".proto"); }

bool SourceFile::IsShell() const {
  return (!lines.empty() && lines[0].rfind("#!", 0) == 0 &&
          lines[0].find("sh") != std::string::npos) ||
         EndsWith(path, ".sh") || path == "deploy/dependencies";
}

bool SourceFile::IsUnder(const std::string& folder) const {
  return path.rfind(folder + "/", 0) == 0;
}

std::string SourceFile::Folder() const {
  const size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string SourceFile::Name() const { return path.substr(path.rfind('/') + 1); }

std::vector<SourceFile> ReadSourceTree(const std::string& root) {
  static const std::set<std::string> kSkipped = {".git", "build", ".cache", "node_modules",
                                                 "third_party"};
  std::vector<SourceFile> files;
  auto walk = std::filesystem::recursive_directory_iterator(root);
  for (; walk != std::filesystem::recursive_directory_iterator(); ++walk) {
    if (walk->is_directory()) {
      if (kSkipped.count(walk->path().filename().string())) walk.disable_recursion_pending();
      continue;
    }
    const std::string path = std::filesystem::relative(walk->path(), root).generic_string();
    if (!walk->is_regular_file() || !IsText(path) || path == "LICENSE") continue;
    std::ifstream in(walk->path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    files.emplace_back(path, text.str());
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace sluice::tidy
