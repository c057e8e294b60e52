// Source tree: the files of this project as text, for rules that a compiler does not check.
#pragma once

#include <string>
#include <vector>

namespace sluice::tidy {

// One text file.
struct SourceFile {
  SourceFile(std::string file_path, std::string file_text);

  bool IsHeader() const;
  bool IsCpp() const;  // A header or a source file of C++.
  bool IsProto() const;
  bool IsShell() const;  // By its first line, or one of the files that scripts source.
  bool IsUnder(const std::string& folder) const;
  std::string Folder() const;  // The first part of the path; empty at the top.
  std::string Name() const;    // The last part of the path.

  std::string path;                // Relative to the root of the tree, with "/".
  std::string text;                // As it is.
  std::vector<std::string> lines;  // `text` without line ends.

  // For C++: `lines` with comments, preprocessor lines and the inside of literals blanked out, so
  // that what is left is code at its place. Otherwise equal to `lines`.
  std::vector<std::string> code;
};

// All text files of the tree under `root`, sorted by path; without what was built, what git keeps
// and what was taken over from others.
std::vector<SourceFile> ReadSourceTree(const std::string& root);

}  // namespace sluice::tidy
