#include "common/rpc/gate.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/rpc/method_roles.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grpc/channelz/v1/channelz.pb.h"
#include "gtest/gtest.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/content_service.pb.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/parity_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/replication_service.pb.h"
#include "sluice/v1/sync_service.pb.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<const MethodDescriptor*> AllMethods() {
  const FileDescriptor* files[] = {v1::ListUpdatesRequest::descriptor()->file(),
                                   v1::ReadRequest::descriptor()->file(),
                                   v1::GetCountersRequest::descriptor()->file(),
                                   v1::CheckRequest::descriptor()->file(),
                                   v1::ApproveUpdatesRequest::descriptor()->file(),
                                   v1::HelloRequest::descriptor()->file(),
                                   v1::StartSyncRequest::descriptor()->file(),
                                   v1::ListNodesRequest::descriptor()->file(),
                                   grpc::channelz::v1::GetServersRequest::descriptor()->file()};
  std::vector<const MethodDescriptor*> methods;
  for (const FileDescriptor* file : files) {
    for (int i = 0; i < file->service_count(); ++i) {
      const ServiceDescriptor* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j) methods.push_back(service->method(j));
    }
  }
  return methods;
}

std::string PathOf(const MethodDescriptor& method) {
  return absl::StrCat("/", std::string(method.service()->full_name()), "/",
                      std::string(method.name()));
}

TEST(MethodRolesTest, KnowsEveryMethod) {
  const auto methods = AllMethods();
  EXPECT_GE(methods.size(), 30u);
  for (const MethodDescriptor* method : methods) {
    const auto entry = RolesOfMethod(PathOf(*method));
    ASSERT_TRUE(entry.has_value()) << PathOf(*method) << " has no entry in method_roles.cc";
    EXPECT_FALSE(entry->everybody);
    EXPECT_FALSE(entry->roles.empty());
  }
}

TEST(MethodRolesTest, LetsTheAdministratorDoAllThatIsNotForNodesAlone) {
  for (const MethodDescriptor* method : AllMethods()) {
    const RoleSet roles = RolesOfMethod(PathOf(*method))->roles;
    if (roles == RoleSet{Role::kNode}) continue;
    EXPECT_TRUE(roles.Has(Role::kAdministrator)) << PathOf(*method);
  }
}

TEST(MethodRolesTest, KeepsReplicationToNodes) {
  for (const MethodDescriptor* method : AllMethods()) {
    if (method->service()->name() != "ReplicationService") continue;
    EXPECT_EQ(RolesOfMethod(PathOf(*method))->roles, RoleSet{Role::kNode}) << PathOf(*method);
  }
}

TEST(GateTest, LetsThroughWhoHasOneOfTheRoles) {
  EXPECT_TRUE(CheckRoles("/sluice.v1.TreeService/ListNodes", {Role::kViewer}).ok());
  EXPECT_TRUE(CheckRoles("/sluice.v1.ReplicationService/Hello", {Role::kViewer, Role::kNode}).ok());
}

TEST(GateTest, NamesWhoMayWhenItRefuses) {
  const absl::Status status =
      CheckRoles("/sluice.v1.PolicyService/ApproveUpdates", {Role::kViewer, Role::kNode});
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(status), v1::REASON_ROLE_REQUIRED);
  EXPECT_EQ(status.message(),
            "sluice.v1.PolicyService/ApproveUpdates is for approver, administrator; this listener "
            "grants viewer, node");
}

TEST(GateTest, LetsEverybodyAskForHealthAndReflection) {
  EXPECT_TRUE(CheckRoles("/grpc.health.v1.Health/Check", RoleSet()).ok());
  EXPECT_TRUE(
      CheckRoles("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", RoleSet()).ok());
}

TEST(GateTest, DeniesWhatTheTableDoesNotKnow) {
  const RoleSet all = {Role::kViewer, Role::kApprover, Role::kAdministrator, Role::kPublisher,
                       Role::kNode};
  EXPECT_EQ(ReasonOf(CheckRoles("/sluice.v1.Nobody/Knows", all)), v1::REASON_ROLE_REQUIRED);
  EXPECT_EQ(ReasonOf(CheckRoles("", all)), v1::REASON_ROLE_REQUIRED);
}

TEST(RoleSetTest, ReadsAndWritesNames) {
  const auto roles = RoleSet::FromNames({"node", "viewer"});
  ASSERT_TRUE(roles.ok());
  EXPECT_THAT(roles->Names(), ElementsAre("viewer", "node"));
  const auto wrong = RoleSet::FromNames({"root"});
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("administrator"));
}

}  // namespace
}  // namespace sluice
