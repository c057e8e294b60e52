// Served router: a server with one method of each kind, for tests of server and channel.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/reflection.h"
#include "common/rpc/server.h"
#include "gtest/gtest.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/content_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/common/rpc/scripted_source.h"

namespace sluice {

inline constexpr absl::string_view kListNodes = "sluice.v1.TreeService/ListNodes";
inline constexpr absl::string_view kRead = "sluice.v1.ContentService/Read";
inline constexpr absl::string_view kRequest = "sluice.v1.ContentService/Request";
inline constexpr absl::string_view kWatchSync = "sluice.v1.SyncService/WatchSync";
inline constexpr absl::string_view kPublish = "sluice.v1.CatalogService/PublishUpdate";
inline constexpr absl::string_view kReconcile = "sluice.v1.ReplicationService/Reconcile";
inline constexpr absl::string_view kHello = "sluice.v1.ReplicationService/Hello";

inline constexpr RoleSet kEveryRole = {Role::kViewer, Role::kApprover, Role::kAdministrator,
                                       Role::kPublisher, Role::kNode};

// Answers each request with as many sums as it asks for shards; the end with one more.
class CountingConversation : public Conversation<v1::ReconcileRequest, v1::ReconcileResponse> {
 public:
  absl::StatusOr<std::vector<v1::ReconcileResponse>> OnMessage(
      const v1::ReconcileRequest& request) override {
    if (request.has_open()) return absl::AbortedError("opened twice");
    std::vector<v1::ReconcileResponse> answers(
        static_cast<size_t>(request.keys_wanted().shard_ids_size()));
    for (v1::ReconcileResponse& answer : answers) answer.mutable_sums()->set_at_seq(++count_);
    return answers;
  }
  absl::StatusOr<std::vector<v1::ReconcileResponse>> OnEnd() override {
    std::vector<v1::ReconcileResponse> answers(1);
    answers[0].mutable_sums()->set_at_seq(count_ + 1000);
    return answers;
  }

 private:
  uint64_t count_ = 0;
};

// What became of the uploads to a test's server.
struct UploadCounts {
  std::atomic<int> ended = 0;   // By their callers.
  std::atomic<int> closed = 0;  // In any way.
};

// Adds up the bytes of an upload.
class SizingConversation
    : public Conversation<v1::PublishUpdateRequest, v1::PublishUpdateResponse> {
 public:
  explicit SizingConversation(UploadCounts& counts) : counts_(counts) {}
  ~SizingConversation() override { ++counts_.closed; }

  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnMessage(
      const v1::PublishUpdateRequest& request) override {
    size_bytes_ += request.data().size();
    return std::vector<v1::PublishUpdateResponse>();
  }
  absl::StatusOr<std::vector<v1::PublishUpdateResponse>> OnEnd() override {
    ++counts_.ended;
    std::vector<v1::PublishUpdateResponse> answers(1);
    answers[0].set_revision(static_cast<uint32_t>(size_bytes_));
    return answers;
  }

 private:
  UploadCounts& counts_;
  size_t size_bytes_ = 0;
};

class ServedRouterTest : public ::testing::Test {
 protected:
  ServedRouterTest() {
    PrepareProcess();
    char name[] = "/tmp/sluice-rpc-XXXXXX";
    folder_ = mkdtemp(name);
    AddMethods();
    health_.AddTo(router_);
    AddReflection(router_);
  }
  ~ServedRouterTest() override {
    server_ = nullptr;
    std::filesystem::remove_all(folder_);
  }

  std::string UnixAddress(const std::string& name) const { return "unix:" + folder_ + "/" + name; }

  // Serves on a port of loopback that the kernel chooses.
  void Start(ServerOptions options = {}, RoleSet roles = kEveryRole) {
    Start(std::move(options), std::vector<ListenAddress>{{"127.0.0.1:0", roles}});
  }
  void Start(ServerOptions options, const std::vector<ListenAddress>& listeners) {
    options.health = &health_;
    absl::StatusOr<std::unique_ptr<Server>> server =
        Server::Start(router_, std::move(options), listeners);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::unique_ptr<Channel> Connect(size_t listener = 0) {
    return *Channel::Create(server_->addresses()[listener].address);
  }

  // Ends what hangs, so that a test fails instead.
  static CallOptions Bounded() {
    CallOptions options;
    options.deadline = absl::Now() + absl::Seconds(20);
    return options;
  }

  void AddMethods() {
    router_.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
        kListNodes, [this](const CallContext& context, const v1::ListNodesRequest& request) {
          return ListNodes(context, request);
        });
    router_.Unary<v1::HelloRequest, v1::HelloResponse>(
        kHello, [](const CallContext&, const v1::HelloRequest&) { return v1::HelloResponse(); });
    router_.ServerStream<v1::ReadRequest>(
        kRead, [this](const CallContext&, const v1::ReadRequest&) { return OpenScripted(read_); });
    router_.LateUnary<v1::RequestRequest>(
        kRequest,
        [this](const CallContext&, const v1::RequestRequest&) { return OpenScripted(late_); });
    router_.ServerStream<v1::WatchSyncRequest>(
        kWatchSync,
        [this](const CallContext&, const v1::WatchSyncRequest&) { return OpenScripted(watch_); });
    router_.ClientStream<v1::PublishUpdateRequest, v1::PublishUpdateResponse>(
        kPublish,
        [this](const CallContext&) { return std::make_unique<SizingConversation>(uploads_); });
    router_.Exchange<v1::ReconcileRequest, v1::ReconcileResponse>(
        kReconcile, [](const CallContext&) { return std::make_unique<CountingConversation>(); });
  }

  // Answers with the page token that it got, after `list_nodes_` if that is set.
  absl::StatusOr<v1::ListNodesResponse> ListNodes(const CallContext& context,
                                                  const v1::ListNodesRequest& request) {
    if (list_nodes_) {
      const absl::Status status = list_nodes_(context);
      if (!status.ok()) return status;
    }
    v1::ListNodesResponse response;
    response.set_next_page_token(request.page_token());
    return response;
  }

  static absl::StatusOr<std::unique_ptr<MessageSource>> OpenScripted(
      const std::shared_ptr<Script>& script) {
    return std::make_unique<ScriptedSource>(script);
  }

  std::string folder_;
  HealthBoard health_;
  Router router_;
  std::function<absl::Status(const CallContext&)> list_nodes_;
  UploadCounts uploads_;
  const std::shared_ptr<Script> read_ = std::make_shared<Script>();
  const std::shared_ptr<Script> late_ = std::make_shared<Script>();
  const std::shared_ptr<Script> watch_ = std::make_shared<Script>();
  std::unique_ptr<Server> server_;
};

}  // namespace sluice
