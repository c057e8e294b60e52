#include "common/rpc/router.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/sync_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/common/rpc/scripted_source.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

constexpr absl::string_view kListNodes = "sluice.v1.TreeService/ListNodes";

void AddListNodes(Router& router) {
  router.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
      kListNodes, [](const CallContext& context, const v1::ListNodesRequest& request) {
        v1::ListNodesResponse response;
        response.set_next_page_token(context.peer + request.page_token());
        return response;
      });
}

std::unique_ptr<MessageExchange> Open(const Router& router, absl::string_view path) {
  CallContext context;
  context.peer = "peer:";
  return (*router.Find(path))->open(context);
}

TEST(RouterTest, TurnsATypedHandlerIntoAnExchangeOfBytes) {
  Router router;
  AddListNodes(router);
  const auto exchange = Open(router, "/sluice.v1.TreeService/ListNodes");
  EXPECT_EQ(exchange->Next().kind, Pull::Kind::kWait);
  v1::ListNodesRequest request;
  request.set_page_token("x");
  ASSERT_TRUE(exchange->OnMessage(request.SerializeAsString()).ok());
  const Pull answer = exchange->Next();
  ASSERT_EQ(answer.kind, Pull::Kind::kMessage);
  v1::ListNodesResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.message.head));
  EXPECT_EQ(response.next_page_token(), "peer:x");
  EXPECT_EQ(exchange->Next().kind, Pull::Kind::kEnd);
}

TEST(RouterTest, WantsExactlyOneRequestForAUnaryMethod) {
  Router router;
  AddListNodes(router);
  const auto exchange = Open(router, "/sluice.v1.TreeService/ListNodes");
  EXPECT_EQ(exchange->OnHalfClose().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(exchange->OnMessage("").ok());
  EXPECT_TRUE(exchange->OnHalfClose().ok());
  EXPECT_EQ(exchange->OnMessage("").code(), absl::StatusCode::kInvalidArgument);
}

TEST(RouterTest, GivesASourceItsWakerBeforeItIsAsked) {
  const auto script = std::make_shared<Script>();
  Router router;
  router.ServerStream<v1::WatchSyncRequest>(
      "sluice.v1.SyncService/WatchSync",
      [&](const CallContext&,
          const v1::WatchSyncRequest&) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        return std::make_unique<ScriptedSource>(script);
      });
  const auto exchange = Open(router, "/sluice.v1.SyncService/WatchSync");
  int wakes = 0;
  exchange->OnWake([&wakes] { ++wakes; });
  ASSERT_TRUE(exchange->OnMessage("").ok());
  EXPECT_EQ(exchange->Next().kind, Pull::Kind::kWait);
  script->Say(Pull::End(absl::AbortedError("enough")));
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(exchange->Next().status, absl::AbortedError("enough"));
}

TEST(RouterTest, SaysWhatIsUnknown) {
  Router router;
  AddListNodes(router);
  EXPECT_EQ(router.Find("/a.Nobody/Get").status(),
            absl::UnimplementedError("unknown service a.Nobody"));
  EXPECT_EQ(router.Find("/sluice.v1.TreeService/Fell").status(),
            absl::UnimplementedError("unknown method Fell of service sluice.v1.TreeService"));
  for (const absl::string_view path : {"", "/", "x", "//", "/sluice.v1.TreeService"}) {
    EXPECT_EQ(router.Find(path).status().code(), absl::StatusCode::kUnimplemented) << path;
  }
}

TEST(RouterTest, ListsItsServicesOnce) {
  Router router;
  AddListNodes(router);
  router.Unary<v1::GetNodeRequest, v1::GetNodeResponse>(
      "/sluice.v1.TreeService/GetNode",
      [](const CallContext&, const v1::GetNodeRequest&) { return v1::GetNodeResponse(); });
  router.Unary<v1::GetSessionRequest, v1::GetSessionResponse>(
      "sluice.v1.SyncService/GetSession",
      [](const CallContext&, const v1::GetSessionRequest&) { return v1::GetSessionResponse(); });
  EXPECT_THAT(router.ServiceNames(), ElementsAre("sluice.v1.SyncService", "sluice.v1.TreeService"));
}

TEST(RouterDeathTest, RefusesAHandlerThatDiffersFromTheMethodsDescriptor) {
  Router router;
  AddListNodes(router);
  EXPECT_DEATH(AddListNodes(router), "ListNodes, which was added before");
  const auto wrong = [](const CallContext&, const v1::ListNodesRequest&) {
    return v1::ListNodesResponse();
  };
  EXPECT_DEATH((router.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
                   "sluice.v1.TreeService/GetNode", wrong)),
               "GetNode, which takes another message");
  const auto stream = [](const CallContext&, const v1::GetNodeRequest&)
      -> absl::StatusOr<std::unique_ptr<MessageSource>> { return absl::InternalError("unused"); };
  EXPECT_DEATH(router.ServerStream<v1::GetNodeRequest>("sluice.v1.TreeService/GetNode", stream),
               "GetNode, which is of another kind");
}

}  // namespace
}  // namespace sluice
