#include "cli/table.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

// Columns on a terminal: characters, not bytes. Wide characters count as one; a table that is off
// by some is still read.
size_t WidthOf(const std::string& text) {
  size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return width;
}

}  // namespace

std::string Printable(absl::string_view text, bool keep_line_breaks) {
  std::string clean(text);
  for (size_t i = 0; i < clean.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(clean[i]);
    if (keep_line_breaks && c == '\n') continue;
    if (c < ' ' || c == 0x7F) clean[i] = '?';
    // U+0080 to U+009F, the second set of control characters.
    if (c == 0xC2 && i + 1 < clean.size() && static_cast<unsigned char>(clean[i + 1]) < 0xA0) {
      clean.replace(i, 2, "?");
    }
  }
  return clean;
}

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
  for (std::string& title : titles_) {
    to_the_right_.push_back(!title.empty() && title[0] == '>');
    if (to_the_right_.back()) title.erase(0, 1);
  }
}

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(titles_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::Print(std::ostream& out) const {
  std::vector<size_t> widths;
  for (const std::string& title : titles_) widths.push_back(WidthOf(title));
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  PrintRow(titles_, widths, out);
  for (const std::vector<std::string>& row : rows_) PrintRow(row, widths, out);
}

void Table::PrintRow(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                     std::ostream& out) const {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths[i] - WidthOf(cells[i]), ' ');
    if (i > 0) line += "  ";
    line += to_the_right_[i] ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << "\n";
}

}  // namespace sluice
