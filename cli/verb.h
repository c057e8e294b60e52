// Verb: one thing that `sluice` can do, and what it is given to do it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/arguments.h"
#include "cli/caller.h"
#include "cli/output.h"
#include "common/clock.h"
#include "google/protobuf/message.h"

namespace sluice {

// What a verb works with. Data goes to `out`, all else to `err`.
struct Invocation {
  Caller& caller;
  Clock& clock;
  absl::TimeZone zone;
  Arguments args;
  OutputFormat format = OutputFormat::kTable;
  bool dry_run = false;
  // `err` is a terminal: progress may be drawn on it.
  bool draws_progress = false;
  std::ostream& out;
  std::ostream& err;

  // Prints `message` as JSON or YAML, or calls the function for the other formats.
  void Print(const google::protobuf::Message& message, absl::FunctionRef<void()> print_table,
             absl::FunctionRef<void()> print_names);

  // One of a stream's messages: a line of JSON, or a YAML document.
  void PrintEvent(const google::protobuf::Message& message);

  bool ForPrograms() const {
    return format == OutputFormat::kJson || format == OutputFormat::kYaml;
  }
};

struct Verb {
  // Words as typed, as in "update list".
  absl::string_view name;
  // What stands behind them, as in "ID|TITLE..."; words in lower case are meant as they are.
  absl::string_view positionals;
  absl::string_view summary;
  // The RPC behind it, as in "sluice.v1.CatalogService/ListUpdates"; several are joined by ", ";
  // empty: it works on this machine alone.
  absl::string_view method;
  std::vector<FlagSpec> flags;
  // Positionals: at least and at most so many.
  size_t positionals_min = 0;
  size_t positionals_max = 0;
  // Knows --dry-run.
  bool changes_state = false;
  // Returns the exit code. Errors: those of calls, UsageError, LocalFailure.
  absl::StatusOr<int> (*run)(Invocation& invocation) = nullptr;
};

// All verbs, in the order of --help.
std::vector<Verb> AllVerbs();

}  // namespace sluice
