// Raw mode against a real server on a Unix socket: what it prints, where, and its exit code.
#include "cli/raw/raw.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/rpc/health.h"
#include "common/rpc/reflection.h"
#include "common/rpc/router.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kNotFoundExit = 64 + 5;
constexpr int kDeadlineExit = 64 + 4;
constexpr int kDeniedExit = 64 + 7;

// Answers with the number of bytes that came.
class Counting : public Conversation<v1::PublishUpdateRequest, v1::PublishUpdateResponse> {
 public:
  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnMessage(
      const v1::PublishUpdateRequest& request) override {
    bytes_ += request.data().size();
    return std::vector<v1::PublishUpdateResponse>();
  }
  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnEnd() override {
    std::vector<v1::PublishUpdateResponse> responses(1);
    responses[0].set_update_id(absl::StrCat(bytes_));
    return responses;
  }

 private:
  size_t bytes_ = 0;
};

// Two events, then silence or the end.
class Events : public MessageSource {
 public:
  explicit Events(bool ends) : ends_(ends) {}
  Pull Next() override {
    if (sent_ == 2) return ends_ ? Pull::End() : Pull::Wait();
    v1::WatchSyncResponse event;
    event.mutable_session()->set_session_id(absl::StrCat("s", ++sent_));
    return Pull::Message(event);
  }

 private:
  const bool ends_;
  int sent_ = 0;
};

class RawTest : public ::testing::Test {
 protected:
  RawTest() {
    PrepareProcess();
    char pattern[] = "/tmp/raw_test_XXXXXX";
    folder_ = mkdtemp(pattern);
    router_.Unary<v1::GetUpdateRequest, v1::GetUpdateResponse>(
        "sluice.v1.CatalogService/GetUpdate",
        [](const CallContext&,
           const v1::GetUpdateRequest& request) -> absl::StatusOr<v1::GetUpdateResponse> {
          if (request.update_id() == "missing") {
            return MakeError(v1::REASON_ITEM_NOT_FOUND, "there is no update missing");
          }
          v1::GetUpdateResponse response;
          v1::UpdateSummary& summary = *response.mutable_summary();
          summary.set_update_id(request.update_id());
          summary.set_title("<a> & \"b\"");
          summary.set_size_bytes(int64_t{1} << 40);
          return response;
        });
    router_.ServerStream<v1::WatchSyncRequest>(
        "sluice.v1.SyncService/WatchSync",
        [this](const CallContext&,
               const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
          return std::make_unique<Events>(stream_ends_);
        });
    router_.ClientStream<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
        "sluice.v1.CatalogService/PublishUpdate",
        [](const CallContext&) { return std::make_unique<Counting>(); });
    router_.Unary<v1::HelloRequest, v1::HelloResponse>(
        "sluice.v1.ReplicationService/Hello",
        [](const CallContext&, const v1::HelloRequest&) { return v1::HelloResponse(); });
    health_.AddTo(router_);
    AddReflection(router_);
    auto server =
        Server::Start(router_, {}, {{"unix:" + socket(), {Role::kViewer, Role::kPublisher}}});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~RawTest() override {
    server_ = nullptr;
    std::filesystem::remove_all(folder_);
  }

  std::string socket() const { return folder_ + "/s"; }

  // Runs "-plaintext -unix FLAGS... SOCKET ARGS...".
  int Run(const std::vector<std::string>& flags, const std::vector<std::string>& args,
          const std::string& input = "") {
    std::vector<std::string> all = {"-plaintext", "-unix"};
    all.insert(all.end(), flags.begin(), flags.end());
    all.push_back(socket());
    all.insert(all.end(), args.begin(), args.end());
    return RunAll(all, input);
  }
  int RunAll(const std::vector<std::string>& args, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const int code = RunRaw(args, in, out, err);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  std::string folder_;
  bool stream_ends_ = true;
  HealthBoard health_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::string out_;
  std::string err_;
};

TEST_F(RawTest, ListsServicesSortedBytewise) {
  EXPECT_EQ(Run({}, {"list"}), 0) << err_;
  EXPECT_EQ(out_,
            "grpc.health.v1.Health\ngrpc.reflection.v1.ServerReflection\n"
            "grpc.reflection.v1alpha.ServerReflection\nsluice.v1.CatalogService\n"
            "sluice.v1.ReplicationService\nsluice.v1.SyncService\n");
}

TEST_F(RawTest, ListsTheMethodsOfAService) {
  EXPECT_EQ(Run({}, {"list", "sluice.v1.CatalogService"}), 0) << err_;
  EXPECT_THAT(out_, StartsWith("sluice.v1.CatalogService.GetUpdate\n"));
  EXPECT_EQ(Run({}, {"list", "sluice.v1.Nothing"}), 1);
  EXPECT_EQ(err_,
            "Failed to list methods for service \"sluice.v1.Nothing\": Symbol not found: "
            "sluice.v1.Nothing\n");
}

TEST_F(RawTest, DescribesEveryKindOfSymbol) {
  EXPECT_EQ(Run({}, {"describe", "sluice.v1.CatalogService.PublishUpdate"}), 0) << err_;
  EXPECT_EQ(out_,
            "sluice.v1.CatalogService.PublishUpdate is a method:\n"
            "rpc PublishUpdate ( stream .sluice.v1.PublishUpdateRequest ) returns ( "
            ".sluice.v1.PublishUpdateResponse );\n");
  EXPECT_EQ(Run({}, {"describe", ".sluice.v1.PublishUpdateRequest"}), 0) << err_;
  EXPECT_EQ(out_,
            "sluice.v1.PublishUpdateRequest is a message:\n"
            "message PublishUpdateRequest {\n"
            "  oneof part {\n"
            "    .sluice.v1.UpdateManifest manifest = 1;\n"
            "    string file = 2;\n"
            "    bytes data = 3;\n"
            "    bool validate_only = 4;\n"
            "  }\n"
            "}\n");
  EXPECT_EQ(Run({}, {"describe", "sluice.v1.ContentState"}), 0) << err_;
  EXPECT_THAT(out_, StartsWith("sluice.v1.ContentState is an enum:\nenum ContentState {\n"
                               "  CONTENT_STATE_UNSPECIFIED = 0;\n"));
  EXPECT_EQ(Run({}, {"describe", "sluice.v1.PublishUpdateRequest.file"}), 0) << err_;
  EXPECT_EQ(out_, "sluice.v1.PublishUpdateRequest.file is a field:\nstring file = 2;\n");
  EXPECT_EQ(Run({}, {"describe", "sluice.v1.Nothing"}), 1);
  EXPECT_EQ(err_,
            "Failed to resolve symbol \"sluice.v1.Nothing\": Symbol not found: "
            "sluice.v1.Nothing\n");
}

TEST_F(RawTest, DescribesAllServicesWhenNoneIsNamed) {
  EXPECT_EQ(Run({}, {"describe"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(StartsWith("grpc.health.v1.Health is a service:\n"),
                          HasSubstr("sluice.v1.SyncService is a service:\n")));
}

TEST_F(RawTest, PrintsATemplateOfAMessage) {
  EXPECT_EQ(Run({"-msg-template"}, {"describe", "sluice.v1.GetUpdateRequest"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("\nMessage template:\n{\n  \"updateId\": \"\""));
}

TEST_F(RawTest, CallsWithJsonAndPrintsJsonAsGoWould) {
  EXPECT_EQ(Run({"-d", "{\"update_id\": \"u1\"}"}, {"sluice.v1.CatalogService/GetUpdate"}), 0)
      << err_;
  EXPECT_THAT(out_, AllOf(StartsWith("{\n  \"summary\": {\n    \"updateId\": \"u1\",\n"),
                          HasSubstr("\"title\": \"\\u003ca\\u003e \\u0026 \\\"b\\\"\""),
                          HasSubstr("\"sizeBytes\": \"1099511627776\"")));
  EXPECT_THAT(out_, Not(HasSubstr("severity")));
}

TEST_F(RawTest, TakesTheMethodWithADotAndAnEmptyRequest) {
  EXPECT_EQ(Run({"-emit-defaults"}, {"sluice.v1.CatalogService.GetUpdate"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("\"updateId\": \"\""));
}

TEST_F(RawTest, PrintsEachMessageOfAStream) {
  EXPECT_EQ(Run({}, {"sluice.v1.SyncService/WatchSync"}), 0) << err_;
  EXPECT_EQ(out_,
            "{\n  \"session\": {\n    \"sessionId\": \"s1\"\n  }\n}\n"
            "{\n  \"session\": {\n    \"sessionId\": \"s2\"\n  }\n}\n");
}

TEST_F(RawTest, SendsEveryValueOfTheInputToAClientStream) {
  EXPECT_EQ(Run({"-d", "@"}, {"sluice.v1.CatalogService/PublishUpdate"},
                "{\"data\": \"YWI=\"}\n{\"data\": \"Y2Rl\"}{\"file\": \"x\"}"),
            0)
      << err_;
  EXPECT_THAT(out_, HasSubstr("\"updateId\": \"5\""));
  EXPECT_EQ(Run({}, {"sluice.v1.CatalogService/PublishUpdate"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("\"updateId\": \"0\""));
}

// Both directions at once: answers that nobody reads would stop the other side from reading.
TEST_F(RawTest, ReadsAnswersWhileItSendsRequests) {
  std::string requests;
  constexpr int kRequests = 20'000;
  for (int i = 0; i < kRequests; ++i) requests += "{\"list_services\": \"\"}\n";
  EXPECT_EQ(
      Run({"-d", "@"}, {"grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}, requests), 0)
      << err_;
  int answers = 0;
  for (size_t at = out_.find("\n}\n"); at != std::string::npos; at = out_.find("\n}\n", at + 1)) {
    ++answers;
  }
  EXPECT_EQ(answers, kRequests);
}

TEST_F(RawTest, SaysWhatIsWrongWithALaterMessage) {
  EXPECT_EQ(Run({"-d", "@"}, {"sluice.v1.CatalogService/PublishUpdate"},
                "{\"file\": \"x\"}{\"nothing\": 1}"),
            1);
  EXPECT_THAT(err_, HasSubstr("nothing"));
  EXPECT_EQ(Run({"-d", "@"}, {"sluice.v1.CatalogService/PublishUpdate"}, "{\"file\": "), 1);
  EXPECT_THAT(err_, HasSubstr("unexpected EOF"));
}

TEST_F(RawTest, RefusesMoreThanOneMessageForAUnaryCall) {
  EXPECT_EQ(Run({"-d", "{}{}"}, {"sluice.v1.CatalogService/GetUpdate"}), 1);
  EXPECT_THAT(err_, HasSubstr("is a unary RPC, but request data contained more than 1 message"));
}

TEST_F(RawTest, RefusesRequestsThatDoNotFit) {
  EXPECT_EQ(Run({"-d", "{\"update_id\": "}, {"sluice.v1.CatalogService/GetUpdate"}), 1);
  EXPECT_THAT(err_, StartsWith("Error invoking method \"sluice.v1.CatalogService/GetUpdate\": "));
  EXPECT_EQ(Run({"-d", "{\"nothing\": 1}"}, {"sluice.v1.CatalogService/GetUpdate"}), 1);
  EXPECT_THAT(err_, HasSubstr("nothing"));
  EXPECT_EQ(Run({"-allow-unknown-fields", "-d", "{\"nothing\": 1}"},
                {"sluice.v1.CatalogService/GetUpdate"}),
            0)
      << err_;
}

TEST_F(RawTest, NamesWhatIsNoMethod) {
  EXPECT_EQ(Run({}, {"sluice.v1.CatalogService/Nothing"}), 1);
  EXPECT_THAT(err_, HasSubstr("service \"sluice.v1.CatalogService\" does not include a method "
                              "named \"Nothing\""));
  EXPECT_EQ(Run({}, {"sluice.v1.Nothing/GetUpdate"}), 1);
  EXPECT_THAT(err_, HasSubstr("target server does not expose service \"sluice.v1.Nothing\""));
  EXPECT_EQ(Run({}, {"nonsense"}), 1);
  EXPECT_THAT(err_, HasSubstr("is not in expected format: 'service/method' or 'service.method'"));
}

TEST_F(RawTest, PrintsAFailureWithItsDetails) {
  EXPECT_EQ(Run({"-d", "{\"update_id\": \"missing\"}"}, {"sluice.v1.CatalogService/GetUpdate"}),
            kNotFoundExit);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, AllOf(StartsWith("ERROR:\n  Code: NotFound\n"
                                     "  Message: there is no update missing\n  Details:\n  1)\t{"),
                          HasSubstr("type.googleapis.com/google.rpc.ErrorInfo"),
                          HasSubstr("\"reason\": \"ITEM_NOT_FOUND\"")));
}

TEST_F(RawTest, PrintsAFailureAsStatusWhenAsked) {
  EXPECT_EQ(Run({"-format-error", "-d", "{\"update_id\": \"missing\"}"},
                {"sluice.v1.CatalogService/GetUpdate"}),
            kNotFoundExit);
  EXPECT_THAT(err_, StartsWith("{\n  \"code\": 5,\n  \"message\": \"there is no update missing\""));
}

TEST_F(RawTest, SaysWhoMayWhenItMayNot) {
  EXPECT_EQ(Run({}, {"sluice.v1.ReplicationService/Hello"}), kDeniedExit);
  EXPECT_THAT(err_, AllOf(HasSubstr("Code: PermissionDenied"), HasSubstr("is for node")));
}

TEST_F(RawTest, EndsAtTheTimeThatWasGiven) {
  stream_ends_ = false;
  EXPECT_EQ(Run({"-max-time", "0.5"}, {"sluice.v1.SyncService/WatchSync"}), kDeadlineExit);
  EXPECT_THAT(err_, HasSubstr("Code: DeadlineExceeded"));
  EXPECT_THAT(out_, HasSubstr("s2"));
}

TEST_F(RawTest, SaysThatNothingAnswers) {
  EXPECT_EQ(RunAll({"-plaintext", "-connect-timeout", "1", "unix:" + folder_ + "/none", "list"}),
            1);
  EXPECT_THAT(err_, AllOf(StartsWith("Failed to dial target host \"unix:" + folder_ + "/none\": "),
                          HasSubstr("No such file")));
}

TEST_F(RawTest, ReadsFlagsAsGoDoes) {
  EXPECT_EQ(RunAll({"--plaintext=true", "--unix", "-format=json", socket(), "list"}), 0) << err_;
  EXPECT_EQ(RunAll({"-nonsense", socket(), "list"}), 2);
  EXPECT_THAT(err_, StartsWith("flag provided but not defined: -nonsense\n"));
  EXPECT_EQ(RunAll({"-plaintext=perhaps", socket(), "list"}), 2);
  EXPECT_THAT(err_, HasSubstr("invalid boolean value \"perhaps\" for -plaintext"));
  EXPECT_EQ(RunAll({"-plaintext=yes", socket(), "list"}), 2);
  EXPECT_EQ(RunAll({"---plaintext", socket(), "list"}), 2);
  EXPECT_THAT(err_, StartsWith("bad flag syntax: ---plaintext\n"));
  EXPECT_EQ(RunAll({"-max-time", "nan", socket(), "list"}), 2);
  EXPECT_EQ(RunAll({"-max-time", "-1", socket(), "list"}), 2);
  EXPECT_THAT(err_, HasSubstr("must not be negative"));
  EXPECT_EQ(RunAll({"-d"}), 2);
  EXPECT_THAT(err_, HasSubstr("flag needs an argument: -d"));
  EXPECT_EQ(RunAll({"-plaintext"}), 2);
  EXPECT_THAT(err_, HasSubstr("Too few arguments."));
  EXPECT_EQ(RunAll({"-plaintext", socket(), "list", "a", "b"}), 2);
  EXPECT_THAT(err_, HasSubstr("Too many arguments."));
  EXPECT_EQ(RunAll({"-cert", "x", socket(), "list"}), 2);
  EXPECT_THAT(err_, HasSubstr("must be used together"));
  EXPECT_EQ(RunAll({"-help"}), 0);
  EXPECT_THAT(err_, StartsWith("Usage:"));
}

TEST_F(RawTest, WantsACertificateWithoutPlaintext) {
  EXPECT_EQ(RunAll({"127.0.0.1:1", "list"}), 1);
  EXPECT_THAT(err_, HasSubstr("TLS needs -cacert, -cert and -key"));
}

}  // namespace
}  // namespace sluice
