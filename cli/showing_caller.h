// Showing caller: prints the raw line that is equivalent to each call, so that people learn what
// stands behind a verb.
#pragma once

#include <ostream>
#include <string>
#include <utility>

#include "cli/caller.h"
#include "cli/cli_target.h"

namespace sluice {

class ShowingCaller : public Caller {
 public:
  ShowingCaller(Caller& inner, CliTarget target, std::ostream& err)
      : inner_(inner), target_(std::move(target)), err_(err) {}

  absl::Status Unary(absl::string_view method, const google::protobuf::Message& request,
                     google::protobuf::Message& response) override;
  absl::Status ServerStream(absl::string_view method, const google::protobuf::Message& request,
                            google::protobuf::Message& response, absl::Duration limit,
                            absl::FunctionRef<bool()> on_message) override;
  absl::Status ClientStream(absl::string_view method, google::protobuf::Message& request,
                            absl::FunctionRef<absl::StatusOr<bool>()> next,
                            google::protobuf::Message& response) override;

 private:
  void Show(absl::string_view method, absl::string_view data);

  Caller& inner_;
  const CliTarget target_;
  std::ostream& err_;
};

// `text` as one word for a POSIX shell.
std::string ShellQuoted(absl::string_view text);

}  // namespace sluice
