// Progress: one line on a terminal that is drawn anew as work goes on, and nothing anywhere else.
#pragma once

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cli/table.h"

namespace sluice {

class Progress {
 public:
  Progress(bool draws, std::ostream& err) : draws_(draws), err_(err) {}
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Replaces the line; at most 78 bytes of it are shown, so that it never wraps.
  void Draw(absl::string_view line) {
    if (!draws_) return;
    err_ << "\r\x1b[K" << Printable(line.substr(0, 78)) << std::flush;
    drawn_ = true;
  }

  // Takes the line away, so that something else can be printed.
  void Clear() {
    if (drawn_) err_ << "\r\x1b[K" << std::flush;
    drawn_ = false;
  }

 private:
  const bool draws_;
  std::ostream& err_;
  bool drawn_ = false;
};

}  // namespace sluice
