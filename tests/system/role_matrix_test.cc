// Every method with every role, over mutual TLS, at a real root: who may call gets through to the
// handler, everybody else is refused by the gate.
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/method_roles.h"
#include "common/rpc/server.h"
#include "common/tls/certificate_directory.h"
#include "google/protobuf/dynamic_message.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/content_service.pb.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "sluice/v1/tree_service.pb.h"
#include "tests/common/tls_identities.h"
#include "tests/system/tree_fixture.h"

namespace sluice {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;

// All methods of all our services, by path.
std::map<std::string, const MethodDescriptor*> AllMethods() {
  const FileDescriptor* files[] = {
      v1::ListUpdatesRequest::descriptor()->file(),   v1::ReadRequest::descriptor()->file(),
      v1::VerifyContentRequest::descriptor()->file(), v1::CheckRequest::descriptor()->file(),
      v1::ListGroupsRequest::descriptor()->file(),    v1::HelloRequest::descriptor()->file(),
      v1::StartSyncRequest::descriptor()->file(),     v1::ListNodesRequest::descriptor()->file()};
  std::map<std::string, const MethodDescriptor*> methods;
  for (const FileDescriptor* file : files) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int k = 0; k < file->service(i)->method_count(); ++k) {
        const MethodDescriptor* method = file->service(i)->method(k);
        methods[absl::StrCat("/", file->service(i)->full_name(), "/", method->name())] = method;
      }
    }
  }
  return methods;
}

class RoleMatrixTest : public TreeTest {
 protected:
  RoleMatrixTest() {
    std::filesystem::create_directories(source_dir());
    std::string users = "  users:\n";
    for (const Role role : kAllRoles) {
      if (role == Role::kNode) continue;
      absl::StrAppend(&users, "    - {name: ", RoleName(role), ", roles: [", RoleName(role),
                      "]}\n");
    }
    root_ = &Add({.name = "hq",
                  .role_yaml = absl::StrCat("sources:\n  - name: source\n    schedule: "
                                            "{times_a_day: 0}\n    directory: {path: ",
                                            source_dir(), "}\n"),
                  .is_root = true,
                  .node_yaml = users,
                  .listener_yaml = "    - {address: \"127.0.0.1:0\", tls: true}\n"});
    EXPECT_TRUE(WriteCertificateFiles(root_->state_dir() + "/certificates/incoming",
                                      authority_.Node(root_->node_id()))
                    .ok());
    root_->Start();
  }

  std::unique_ptr<Channel> As(const std::string& who, const CertificateFiles& files) {
    const std::string folder = directory() + "/" + who;
    EXPECT_TRUE(WriteCertificateFiles(folder, files).ok());
    ChannelOptions options;
    options.certificate = CertificatePaths::In(folder);
    absl::StatusOr<std::unique_ptr<Channel>> channel =
        Channel::Create(root_->more_address(), options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *std::move(channel);
  }

  // How a call with an empty request ends. One that waits for news is ended after a moment.
  absl::Status Call(Channel& channel, const MethodDescriptor& method) {
    CallOptions options;
    options.deadline = absl::Now() + absl::Milliseconds(method.server_streaming() ? 300 : 20'000);
    const std::unique_ptr<google::protobuf::Message> request(
        messages_.GetPrototype(method.input_type())->New());
    const std::unique_ptr<google::protobuf::Message> response(
        messages_.GetPrototype(method.output_type())->New());
    const auto stream = channel.OpenRead(
        absl::StrCat(method.service()->full_name(), "/", method.name()), *request, options);
    while (stream->Read(*response)) {
    }
    return stream->Finish();
  }

  const TestAuthority authority_;
  google::protobuf::DynamicMessageFactory messages_;
  NodeProcess* root_ = nullptr;
};

TEST_F(RoleMatrixTest, LetsThroughWhoMayAndNobodyElse) {
  std::map<std::string, std::pair<RoleSet, std::unique_ptr<Channel>>> callers;
  for (const Role role : kAllRoles) {
    const std::string name(RoleName(role));
    callers[name] = {RoleSet{role}, As(name, role == Role::kNode ? authority_.Node(kOtherNodeId)
                                                                 : authority_.User(name))};
  }
  callers["nobody"] = {RoleSet(), As("nobody", authority_.User("nobody"))};
  const auto methods = AllMethods();
  EXPECT_GE(methods.size(), 30U);
  int denied = 0;
  for (const auto& [path, method] : methods) {
    const std::optional<MethodRoles> allowed = RolesOfMethod(path);
    ASSERT_TRUE(allowed.has_value()) << path;
    for (const auto& [name, caller] : callers) {
      const absl::Status status = Call(*caller.second, *method);
      const bool refused = ReasonOf(status) == v1::REASON_ROLE_REQUIRED;
      const bool may = allowed->everybody || allowed->roles.Intersects(caller.first);
      EXPECT_EQ(refused, !may) << path << " by " << name << ": " << status;
      if (may) continue;
      ++denied;
      EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
      EXPECT_TRUE(absl::StrContains(status.message(), name == "node" ? "/node/" : name)) << status;
    }
  }
  EXPECT_GT(denied, 50);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::PrepareProcess();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
