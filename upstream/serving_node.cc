#include "upstream/serving_node.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/rpc/channelz.h"
#include "common/rpc/reflection.h"
#include "common/status.h"
#include "storage/dependents.h"
#include "storage/parity_rows.h"
#include "storage/selection.h"
#include "storage/session_conditions.h"
#include "storage/session_rows.h"
#include "upstream/condition.h"
#include "upstream/serving_methods.h"

namespace sluice {
namespace {

// Changes that the upstream had when it was last asked, and that are not here.
int64_t LagOf(const CatalogReader& reader) {
  const absl::StatusOr<v1::HelloResponse> above = ReadUpstreamHello(reader);
  if (!above.ok()) return 0;
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(above->node_id());
  if (!id.ok()) return 0;
  const auto cursor = reader.GetCursor(*id);
  const uint64_t here = cursor.ok() && cursor->has_value() ? (*cursor)->seq() : 0;
  return above->head_seq() > here ? static_cast<int64_t>(above->head_seq() - here) : 0;
}

// A disk that answers at all is done long before.
constexpr absl::Duration kCommitTimeMax = absl::Seconds(20);

// Why the store cannot be used; empty: it can.
std::string StuckCommit(const Catalog& catalog) {
  if (const absl::Status failure = catalog.WriteFailure(); !failure.ok()) {
    return std::string(failure.message());
  }
  const absl::Duration running = catalog.CommitRunningFor();
  if (running < kCommitTimeMax) return "";
  return absl::StrCat("a commit has been waiting for the disk for ", absl::FormatDuration(running));
}

std::function<bool(const ContentInfo&)> PresenceIn(ContentStore& content) {
  return [&content](const ContentInfo& file) { return content.Stat(file.digest).ok(); };
}

absl::StatusOr<std::map<std::string, RoleSet>> RolesOfUsers(const config::v1::Node& config) {
  std::map<std::string, RoleSet> users;
  for (const config::v1::User& user : config.users()) {
    const std::vector<std::string> names(user.roles().begin(), user.roles().end());
    ASSIGN_OR_RETURN(users[user.name()], RoleSet::FromNames(names));
  }
  return users;
}

}  // namespace

ServingNode::ServingNode(StateDirectory& state, Audit& audit, ContentDemand& demand, Clock& clock,
                         Log& log, Options options)
    : state_(state),
      log_(log),
      options_(std::move(options)),
      audit_(audit),
      denials_(audit, state.catalog(), clock, log),
      replication_(state.catalog(), clock,
                   {.node_name = options_.config.name(),
                    .on_report = options_.on_report,
                    .answer_report =
                        [this](const Uuid& child, v1::ReportResponse& response) {
                          return petitions_.AnswerReport(child, response);
                        }}),
      petitions_(state.catalog(), replication_.board(), clock, {.send_up = options_.send_petition}),
      petition_service_(state.catalog(), petitions_, audit, options_.on_subscription),
      content_(state.content(), demand, clock),
      catalog_service_(state.catalog(), state.content(), clock),
      policy_service_(state.catalog(), audit,
                      {.decisions = options_.decisions,
                       .upstream_target = options_.upstream_target,
                       .on_subscription = options_.on_subscription,
                       .preview = {.ask = options_.preview,
                                   .present = PresenceIn(state.content()),
                                   .mode = state.catalog().mode()}}),
      site_service_(state.catalog(), audit, clock, options_.config.name()),
      tree_service_(state.catalog(), state.content(), clock,
                    {.upstream_target = options_.upstream_target, .self = options_.self}),
      maintenance_service_(
          state.content(), audit,
          {.refetch = options_.refetch, .conditions = [this] { return Conditions(); }}),
      backup_service_(
          state, audit,
          {.backup_dir = options_.config.backup_dir(), .node_name = options_.config.name()}),
      space_service_(state, audit),
      cleanup_service_(state.catalog(), state.content(), audit, clock,
                       options_.upstream_target.empty()) {
  AddReplicationMethods(replication_, router_);
  AddContentMethods(content_, clock, router_);
  petition_service_.AddTo(router_);
  catalog_service_.AddTo(router_);
  policy_service_.AddTo(router_);
  site_service_.AddTo(router_);
  tree_service_.AddTo(router_);
  maintenance_service_.AddTo(router_);
  backup_service_.AddTo(router_);
  space_service_.AddTo(router_);
  cleanup_service_.AddTo(router_);
  health_.AddTo(router_);
  AddReflection(router_);
  AddChannelz(router_);
  commit_watch_ =
      state.catalog().Watch([&monitoring = *options_.monitoring](const CommitOutcome& outcome) {
        monitoring.CountCommit(outcome.took);
      });
}

ServingNode::~ServingNode() {
  options_.monitoring->Stop();
  state_.catalog().Unwatch(commit_watch_);
}

void ServingNode::AddReadings() {
  const auto status = [this](auto read) {
    return [this, read] {
      const absl::StatusOr<v1::NodeStatus> self = options_.self();
      return self.ok() ? read(*self) : 0;
    };
  };
  NodeReadings readings;
  readings.sync_last_success = [this] {
    const auto last = LastSuccess(state_.catalog().Read());
    if (!last.ok() || !last->has_value()) return absl::InfinitePast();
    return absl::FromUnixSeconds((*last)->seconds());
  };
  readings.content_missing_files =
      status([](const v1::NodeStatus& self) { return self.files_missing(); });
  readings.content_free_bytes = [this] { return FreeBytes(options_.config.content_dir()); };
  readings.store_free_bytes = [this] { return FreeBytes(options_.config.state_dir()); };
  readings.store_head_sequence = [this] {
    return static_cast<int64_t>(state_.catalog().durable_head());
  };
  if (options_.certificates != nullptr) {
    readings.certificate_expiry = [this] { return options_.certificates->not_after(); };
  }
  if (!options_.upstream_target.empty()) {
    readings.sync_lag_changes = [this] { return LagOf(state_.catalog().Read()); };
  }
  readings.parity_findings = options_.findings;
  readings.parity_last_check = options_.parity_last_check;
  readings.petitions_waiting = [this] { return petitions_.waiting(); };
  readings.conditions = [this] {
    std::vector<v1::Reason> reasons;
    for (const v1::Condition& condition : Conditions()) {
      v1::Reason reason = v1::REASON_UNSPECIFIED;
      v1::Reason_Parse(absl::StrCat("REASON_", condition.reason()), &reason);
      reasons.push_back(reason);
    }
    return reasons;
  };
  readings.connections = [this] { return int64_t{server_->connections()}; };
  readings.connections_max = [this] { return int64_t{server_->connections_max()}; };
  options_.monitoring->AddReadings(readings);
}

RoleSet ServingNode::RolesOf(const SpiffeId& id) const {
  if (id.kind == PeerKind::kNode) return {Role::kNode};
  MutexLock lock(mutex_);
  const auto user = users_.find(id.name);
  return user == users_.end() ? RoleSet() : user->second;
}

void ServingNode::NoteSession(const v1::Session& session) {
  options_.monitoring->CountSession(session);
  // A node that follows speaks of the upstream that it follows now.
  const std::vector<v1::Condition> standing =
      SessionConditions(state_.catalog().Read(),
                        options_.upstream_target.empty() ? absl::string_view() : session.peer());
  health_.Set("sluice.sync", standing.empty());
  const bool files_work =
      std::none_of(session.items().begin(), session.items().end(), [](const v1::SyncItem& item) {
        return item.status().reason() == ReasonName(v1::REASON_CONTENT_DIR_PERMISSION) ||
               item.status().reason() == ReasonName(v1::REASON_CONTENT_NO_SPACE);
      });
  health_.Set("sluice.content", files_work);
}

absl::Status ServingNode::Probe() {
  if (const std::string stuck = StuckCommit(state_.catalog()); !stuck.empty()) {
    return absl::UnavailableError(stuck);
  }
  return self_probe_->Call(absl::Now());
}

absl::Status ServingNode::Reload(const config::v1::Node& node,
                                 const std::vector<std::string>& changed) {
  ASSIGN_OR_RETURN(auto users, RolesOfUsers(node));
  CallContext context;
  context.local_identity = "local:signal";
  context.roles = {Role::kAdministrator};
  CatalogChange change;
  audit_.Add(context, "reload configuration", absl::StrJoin(changed, ", "), "", change);
  RETURN_IF_ERROR(state_.catalog().Commit(change).status());
  MutexLock lock(mutex_);
  users_ = std::move(users);
  return absl::OkStatus();
}

void ServingNode::SetConfigProblem(const absl::Status& problem) {
  MutexLock lock(mutex_);
  config_problem_ = problem;
  config_problem_at_ = absl::Now();
}

std::vector<v1::Condition> ServingNode::Conditions() const {
  std::vector<v1::Condition> conditions = options_.conditions();
  for (v1::Condition& condition : ParityConditions(state_.catalog().Read())) {
    conditions.push_back(std::move(condition));
  }
  {
    MutexLock lock(mutex_);
    if (!config_problem_.ok()) {
      conditions.push_back(MakeCondition(v1::REASON_CONFIGURATION_NOT_IN_FORCE,
                                         config_problem_.message(), config_problem_at_));
    }
  }
  for (v1::Condition& condition : space_service_.Conditions()) {
    conditions.push_back(std::move(condition));
  }
  if (options_.certificates != nullptr) {
    for (v1::Condition& condition : options_.certificates->Conditions()) {
      conditions.push_back(std::move(condition));
    }
  }
  return conditions;
}

absl::Status ServingNode::Listen() {
  RETURN_IF_ERROR(EnsureDependentsIndexed(state_.catalog()));
  std::vector<ListenAddress> listeners;
  for (const config::v1::Listener& listener : options_.config.listeners()) {
    ListenAddress address;
    address.address = listener.address();
    const std::vector<std::string> names(listener.roles().begin(), listener.roles().end());
    ASSIGN_OR_RETURN(address.roles, RoleSet::FromNames(names));
    address.tls = listener.tls();
    // Whoever may look may connect to a socket that only lets look (design, section 6).
    if (address.roles == RoleSet{Role::kViewer}) address.unix_mode = 0666;
    listeners.push_back(std::move(address));
  }
  ServerOptions server;
  server.health = &health_;
  server.on_denied = [this](const CallContext& context, const absl::Status& denial) {
    denials_.Note(context, denial);
  };
  if (options_.certificates != nullptr) {
    ASSIGN_OR_RETURN(auto users, RolesOfUsers(options_.config));
    {
      MutexLock lock(mutex_);
      users_ = std::move(users);
    }
    server.tls = ServerTls{options_.certificates->paths(), options_.certificates->trust_domain(),
                           [this](const SpiffeId& id) { return RolesOf(id); }};
  }
  server.on_cut = [this](const std::string& peer) {
    log_.Warn("connection_cut",
              {{"peer", peer}, {"why", "far more calls open than streams allowed"}});
  };
  server.observer = &options_.monitoring->ObserveCalls(router_);
  ASSIGN_OR_RETURN(server_, Server::Start(router_, server, listeners));
  self_probe_ = std::make_unique<SelfProbe>(server_->addresses(), options_.certificates);
  std::vector<std::string> addresses;
  for (const ListenAddress& address : server_->addresses()) addresses.push_back(address.address);
  tree_service_.SetListeners(std::move(addresses));
  health_.Set("", true);
  AddReadings();
  options_.monitoring->SetFaults([this]() -> std::vector<std::string> {
    std::string stuck = StuckCommit(state_.catalog());
    if (stuck.empty()) return {};
    return {std::move(stuck)};
  });
  options_.monitoring->SetReady();
  return absl::OkStatus();
}

std::vector<ListeningAddress> ServingNode::Addresses() const {
  std::vector<ListeningAddress> addresses;
  if (const std::string http = options_.monitoring->address(); !http.empty()) {
    addresses.push_back({{"metrics"}, http});
  }
  for (const ListenAddress& address : server_->addresses()) {
    addresses.push_back({address.roles.Names(), address.address});
  }
  return addresses;
}

void ServingNode::Drain(absl::Time deadline) {
  options_.monitoring->SetDraining();
  server_->Drain(deadline);
}

absl::StatusOr<std::unique_ptr<NodeCertificates>> OpenCertificates(const config::v1::Node& config,
                                                                   bool needed,
                                                                   StateDirectory& state,
                                                                   Log& log) {
  if (!needed) return std::unique_ptr<NodeCertificates>();
  ASSIGN_OR_RETURN(const stored::v1::StoreState own, state.catalog().Read().State());
  ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(own.node_id()));
  return NodeCertificates::Open(config.certificates_dir(), id.ToString(), log);
}

}  // namespace sluice
