// Table: rows for people, in aligned columns.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sluice {

class Table {
 public:
  // Titles of the columns; one that begins with ">" is aligned to the right.
  explicit Table(std::vector<std::string> titles);

  // As many cells as there are columns. Control characters become "?", so that what a peer sent
  // cannot steer the terminal.
  void AddRow(std::vector<std::string> cells);

  bool empty() const { return rows_.empty(); }

  // Two spaces between columns, none at the end of a line.
  void Print(std::ostream& out) const;

 private:
  void PrintRow(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                std::ostream& out) const;

  std::vector<std::string> titles_;
  std::vector<bool> to_the_right_;
  std::vector<std::vector<std::string>> rows_;
};

// `text` with every control character replaced by "?"; line breaks too, unless `keep_line_breaks`.
std::string Printable(absl::string_view text, bool keep_line_breaks = false);

}  // namespace sluice
