#include "common/rpc/method_roles.h"

#include <algorithm>
#include <iterator>

namespace sluice {
namespace {

// Whoever operates may read; the administrator may do all that is not for nodes.
constexpr RoleSet kReaders = {Role::kViewer, Role::kApprover, Role::kAdministrator,
                              Role::kPublisher};
constexpr RoleSet kReadersAndNodes = {Role::kViewer, Role::kApprover, Role::kAdministrator,
                                      Role::kPublisher, Role::kNode};
constexpr RoleSet kApprovers = {Role::kApprover, Role::kAdministrator};
constexpr RoleSet kPublishers = {Role::kPublisher, Role::kAdministrator};
constexpr RoleSet kAdministrators = {Role::kAdministrator};
constexpr RoleSet kNodes = {Role::kNode};

struct Entry {
  absl::string_view path;
  MethodRoles roles;
};

constexpr MethodRoles kEverybody = {RoleSet(), true};
constexpr MethodRoles For(RoleSet roles) { return MethodRoles{roles, false}; }

// Complete by test (tests/common/rpc/method_roles_test.cc).
constexpr Entry kEntries[] = {
    // And on Unix sockets only (common/rpc/channelz.h).
    {"/grpc.channelz.v1.Channelz/GetTopChannels", For(kAdministrators)},
    {"/grpc.channelz.v1.Channelz/GetServers", For(kAdministrators)},
    {"/grpc.channelz.v1.Channelz/GetServer", For(kAdministrators)},
    {"/grpc.channelz.v1.Channelz/GetServerSockets", For(kAdministrators)},
    {"/grpc.channelz.v1.Channelz/GetChannel", For(kAdministrators)},
    {"/grpc.channelz.v1.Channelz/GetSubchannel", For(kAdministrators)},
    {"/grpc.channelz.v1.Channelz/GetSocket", For(kAdministrators)},

    {"/grpc.health.v1.Health/Check", kEverybody},
    {"/grpc.health.v1.Health/List", kEverybody},
    {"/grpc.health.v1.Health/Watch", kEverybody},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", kEverybody},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kEverybody},

    {"/sluice.v1.CatalogService/ListUpdates", For(kReaders)},
    {"/sluice.v1.CatalogService/GetUpdate", For(kReaders)},
    {"/sluice.v1.CatalogService/ListCategories", For(kReaders)},
    {"/sluice.v1.CatalogService/PublishUpdate", For(kPublishers)},

    {"/sluice.v1.ContentService/FindMissing", For(kReadersAndNodes)},
    {"/sluice.v1.ContentService/FindRepresentations", For(kReadersAndNodes)},
    {"/sluice.v1.ContentService/Read", For(kReadersAndNodes)},
    // Makes this node fetch, so it is not for everybody who reads.
    {"/sluice.v1.ContentService/Request", For({Role::kNode, Role::kAdministrator})},

    {"/sluice.v1.MaintenanceService/VerifyContent", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/ListAuditEntries", For(kReaders)},
    {"/sluice.v1.MaintenanceService/VerifyAudit", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/ListConditions", For(kReaders)},
    {"/sluice.v1.MaintenanceService/CleanUpCatalog", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/ListLeases", For(kReaders)},
    {"/sluice.v1.MaintenanceService/GetCounters", For(kReaders)},
    {"/sluice.v1.MaintenanceService/CreateBackup", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/ListBackups", For(kReaders)},
    {"/sluice.v1.MaintenanceService/VerifyBackup", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/DeleteBackup", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/GetSpace", For(kReaders)},
    {"/sluice.v1.MaintenanceService/ReleaseBallast", For(kAdministrators)},
    {"/sluice.v1.MaintenanceService/ReserveBallast", For(kAdministrators)},

    {"/sluice.v1.ParityService/Check", For(kReaders)},
    {"/sluice.v1.ParityService/GetParity", For(kReaders)},
    {"/sluice.v1.ParityService/Fix", For(kAdministrators)},

    {"/sluice.v1.PetitionService/ListPetitions", For(kReaders)},
    {"/sluice.v1.PetitionService/GrantPetition", For(kAdministrators)},
    {"/sluice.v1.PetitionService/RefusePetition", For(kAdministrators)},

    {"/sluice.v1.PolicyService/ApproveUpdates", For(kApprovers)},
    {"/sluice.v1.PolicyService/DeclineUpdates", For(kApprovers)},
    {"/sluice.v1.PolicyService/ClearDecisions", For(kApprovers)},
    {"/sluice.v1.PolicyService/ListGroups", For(kReaders)},
    {"/sluice.v1.PolicyService/CreateGroup", For(kApprovers)},
    {"/sluice.v1.PolicyService/GetSubscription", For(kReaders)},
    {"/sluice.v1.PolicyService/SetSubscription", For(kAdministrators)},
    {"/sluice.v1.PolicyService/PinUpdates", For(kAdministrators)},

    {"/sluice.v1.ReplicationService/Hello", For(kNodes)},
    {"/sluice.v1.ReplicationService/Changes", For(kNodes)},
    {"/sluice.v1.ReplicationService/GetRecords", For(kNodes)},
    {"/sluice.v1.ReplicationService/Reconcile", For(kNodes)},
    {"/sluice.v1.ReplicationService/Load", For(kNodes)},
    {"/sluice.v1.ReplicationService/Report", For(kNodes)},
    {"/sluice.v1.ReplicationService/PreviewSelection", For(kNodes)},
    {"/sluice.v1.ReplicationService/SubmitPetition", For(kNodes)},

    {"/sluice.v1.SiteService/HoldUpdates", For(kApprovers)},
    {"/sluice.v1.SiteService/SuppressUpdates", For(kApprovers)},
    {"/sluice.v1.SiteService/ReleaseUpdates", For(kApprovers)},
    {"/sluice.v1.SiteService/ListNotices", For(kReaders)},

    {"/sluice.v1.SyncService/StartSync", For(kAdministrators)},
    {"/sluice.v1.SyncService/CancelSync", For(kAdministrators)},
    {"/sluice.v1.SyncService/WatchSync", For(kReaders)},
    {"/sluice.v1.SyncService/ListSessions", For(kReaders)},
    {"/sluice.v1.SyncService/GetSession", For(kReaders)},
    {"/sluice.v1.SyncService/GetSchedule", For(kReaders)},

    {"/sluice.v1.TreeService/ListNodes", For(kReaders)},
    {"/sluice.v1.TreeService/GetNode", For(kReaders)},
    {"/sluice.v1.TreeService/Where", For(kReaders)},
    {"/sluice.v1.TreeService/Explain", For(kReaders)},

    {"/sluice.v1.UpstreamService/ListUpstreams", For(kReaders)},
    {"/sluice.v1.UpstreamService/SetUpstreams", For(kAdministrators)},
    {"/sluice.v1.UpstreamService/AdoptUpstream", For(kAdministrators)},
    {"/sluice.v1.UpstreamService/ReleaseGuard", For(kAdministrators)},
};

}  // namespace

std::optional<MethodRoles> RolesOfMethod(absl::string_view path) {
  const auto* found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [path](const Entry& entry) { return entry.path == path; });
  if (found == std::end(kEntries)) return std::nullopt;
  return found->roles;
}

}  // namespace sluice
