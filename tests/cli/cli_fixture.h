// CLI fixture: runs `sluice` in this process against a scripted node.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/caller.h"
#include "cli/run.h"
#include "common/clock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace sluice {

// A node that answers by a script and remembers what it was asked.
class ScriptedNode {
 public:
  // Answers `method` with what `answer` makes of the request: one message, or several of a stream.
  template <typename Request, typename Response>
  void On(absl::string_view method,
          std::function<absl::StatusOr<std::vector<Response>>(const Request&)> answer) {
    answers_[std::string(method)] = [answer](const google::protobuf::Message& request) {
      absl::StatusOr<std::vector<Response>> made = answer(dynamic_cast<const Request&>(request));
      if (!made.ok()) return absl::StatusOr<Answers>(made.status());
      Answers answers;
      for (Response& response : *made) {
        answers.push_back(std::make_unique<Response>(std::move(response)));
      }
      return absl::StatusOr<Answers>(std::move(answers));
    };
  }

  // Answers every request of `method` the same.
  template <typename Request, typename Response>
  void Answer(absl::string_view method, std::vector<Response> responses) {
    On<Request, Response>(method, [responses](const Request&) { return responses; });
  }

  template <typename Request>
  void Fail(absl::string_view method, const absl::Status& status) {
    answers_[std::string(method)] = [status](const google::protobuf::Message&) {
      return absl::StatusOr<Answers>(status);
    };
  }

  // "METHOD JSON" of each request, in order.
  const std::vector<std::string>& calls() const { return calls_; }

 private:
  friend class ScriptedCaller;
  using Answers = std::vector<std::unique_ptr<google::protobuf::Message>>;

  absl::StatusOr<Answers> Take(absl::string_view method, const google::protobuf::Message& request) {
    std::string json;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(request, &json).ok());
    calls_.push_back(absl::StrCat(method, " ", json));
    const auto found = answers_.find(std::string(method));
    if (found == answers_.end()) {
      return absl::UnimplementedError(absl::StrCat("no script for ", method));
    }
    return found->second(request);
  }

  std::map<std::string, std::function<absl::StatusOr<Answers>(const google::protobuf::Message&)>>
      answers_;
  std::vector<std::string> calls_;
};

class ScriptedCaller : public Caller {
 public:
  explicit ScriptedCaller(ScriptedNode& node) : node_(node) {}

  absl::Status Unary(absl::string_view method, const google::protobuf::Message& request,
                     google::protobuf::Message& response) override {
    auto answers = node_.Take(method, request);
    if (!answers.ok()) return answers.status();
    response.CopyFrom(*answers->at(0));
    return absl::OkStatus();
  }

  absl::Status ServerStream(absl::string_view method, const google::protobuf::Message& request,
                            google::protobuf::Message& response, absl::Duration /*limit*/,
                            absl::FunctionRef<bool()> on_message) override {
    auto answers = node_.Take(method, request);
    if (!answers.ok()) return answers.status();
    for (const auto& answer : *answers) {
      response.CopyFrom(*answer);
      if (!on_message()) break;
    }
    return absl::OkStatus();
  }

  // Each message counts as a request; the last one is answered.
  absl::Status ClientStream(absl::string_view method, google::protobuf::Message& request,
                            absl::FunctionRef<absl::StatusOr<bool>()> next,
                            google::protobuf::Message& response) override {
    while (true) {
      const absl::StatusOr<bool> more = next();
      if (!more.ok()) return more.status();
      if (!*more) return absl::OkStatus();
      const absl::Status status = Unary(method, request, response);
      if (!status.ok()) return status;
    }
  }

 private:
  ScriptedNode& node_;
};

class CliTest : public ::testing::Test {
 protected:
  // Runs "sluice" with these arguments and returns its exit code; what it prints is in `out_` and
  // `err_`.
  int Run(std::vector<std::string> args) {
    args.insert(args.begin(), program_);
    std::ostringstream out;
    std::ostringstream err;
    CliEnvironment environment = {
        .connect =
            [this](const CliTarget& target, const CallLimits& limits) {
              address_ = target.address;
              certificates_ = target.certificates;
              limits_ = limits;
              return absl::StatusOr<std::unique_ptr<Caller>>(
                  std::make_unique<ScriptedCaller>(node_));
            },
        .run_raw =
            [this](const std::vector<std::string>& raw) {
              raw_args_ = raw;
              return 42;
            },
        .variable = [this](absl::string_view name) { return variables_[std::string(name)]; },
        .may_connect = [this](absl::string_view path) { return path == socket_; },
        .clock = clock_,
        .zone = absl::UTCTimeZone(),
        .out = out,
        .err = err,
        .err_is_terminal = is_terminal_};
    const int code = RunCli(args, environment);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  ScriptedNode node_;
  ManualClock clock_{absl::FromUnixSeconds(1795500000)};  // 2026-11-24 06:00:00 UTC
  std::string program_ = "sluice";
  std::map<std::string, std::string> variables_;
  std::string socket_;
  bool is_terminal_ = false;

  std::string out_;
  std::string err_;
  std::string address_;
  std::string certificates_;
  CallLimits limits_;
  std::vector<std::string> raw_args_;
};

}  // namespace sluice
