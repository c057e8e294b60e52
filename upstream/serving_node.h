// Serving node: what every node serves, wired together: replication, content, catalog, policy,
// tree, maintenance.
//
// The root and a node in the middle differ only in who decides, where files come from, and what
// synchronises them; those come from outside.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/process.h"
#include "common/rpc/health.h"
#include "common/rpc/router.h"
#include "common/rpc/server.h"
#include "sluice/config/v1/daemon.pb.h"
#include "storage/state_directory.h"
#include "upstream/audit.h"
#include "upstream/backup_service.h"
#include "upstream/catalog_service.h"
#include "upstream/cleanup_service.h"
#include "upstream/content_demand.h"
#include "upstream/content_server.h"
#include "upstream/denial_audit.h"
#include "upstream/maintenance_service.h"
#include "upstream/monitoring.h"
#include "upstream/node_certificates.h"
#include "upstream/petition_desk.h"
#include "upstream/petition_service.h"
#include "upstream/policy_service.h"
#include "upstream/replication_server.h"
#include "upstream/self_probe.h"
#include "upstream/site_service.h"
#include "upstream/space_service.h"
#include "upstream/tree_service.h"

namespace sluice {

class ServingNode {
 public:
  struct Options {
    config::v1::Node config;
    std::string upstream_target;               // Empty at the root.
    DecisionMaker* decisions = nullptr;        // Null where decisions come from above.
    NodeCertificates* certificates = nullptr;  // Null where no listener has TLS.
    Monitoring* monitoring = nullptr;          // Required.
    // Of the last parity check; empty at the root.
    std::function<std::vector<FindingCount>()> findings;
    std::function<absl::Time()> parity_last_check = {};
    // As PetitionDesk's; empty at the root.
    std::function<absl::StatusOr<v1::Petition>(const v1::Petition&)> send_petition = {};
    std::function<void()> on_report;
    std::function<void()> on_subscription;
    // Asks the upstream what another subscription would change; empty at the root.
    std::function<absl::StatusOr<v1::PreviewSelectionResponse>(const v1::PreviewSelectionRequest&)>
        preview;
    std::function<bool(const Digest&)> refetch;
    std::function<std::vector<v1::Condition>()> conditions;
    std::function<absl::StatusOr<v1::NodeStatus>()> self;
  };

  // All references must outlive the node.
  ServingNode(StateDirectory& state, Audit& audit, ContentDemand& demand, Clock& clock, Log& log,
              Options options);

  // For methods that are not everybody's. Before `Listen`.
  Router& router() { return router_; }
  HealthBoard& health() { return health_; }
  ReportBoard& board() { return replication_.board(); }
  PetitionDesk& petitions() { return petitions_; }
  SiteService& site() { return site_service_; }

  // Errors: those of Server::Start.
  absl::Status Listen();
  // Tells nobody of commits any more, and ends the HTTP endpoint, which reads from this.
  ~ServingNode();
  std::vector<ListeningAddress> Addresses() const;
  void Drain(absl::Time deadline);

  // A session that has ended: it is counted, and health tells whether synchronising works.
  void NoteSession(const v1::Session& session);

  // As RunningDaemon's.
  absl::Status Probe();
  absl::Status Reload(const config::v1::Node& node, const std::vector<std::string>& changed);
  void SetConfigProblem(const absl::Status& problem);

 private:
  std::vector<v1::Condition> Conditions() const;
  void AddReadings();
  // What a user's certificate allows now.
  RoleSet RolesOf(const SpiffeId& id) const;

  StateDirectory& state_;
  Log& log_;
  const Options options_;
  Audit& audit_;
  int64_t commit_watch_ = 0;
  mutable Mutex mutex_;
  std::map<std::string, RoleSet> users_ ABSL_GUARDED_BY(mutex_);
  absl::Status config_problem_ ABSL_GUARDED_BY(mutex_);
  absl::Time config_problem_at_ ABSL_GUARDED_BY(mutex_);
  DenialAudit denials_;
  Router router_;
  HealthBoard health_;
  ReplicationServer replication_;
  PetitionDesk petitions_;
  PetitionService petition_service_;
  ContentServer content_;
  CatalogService catalog_service_;
  PolicyService policy_service_;
  SiteService site_service_;
  TreeService tree_service_;
  MaintenanceService maintenance_service_;
  BackupService backup_service_;
  SpaceService space_service_;
  CleanupService cleanup_service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<SelfProbe> self_probe_;  // From `Listen` on; used by `Probe` alone.
};

// This node's certificates; null when they are not needed.
absl::StatusOr<std::unique_ptr<NodeCertificates>> OpenCertificates(const config::v1::Node& config,
                                                                   bool needed,
                                                                   StateDirectory& state, Log& log);

}  // namespace sluice
