// sluice-downstreamd: a node that follows another and serves with the very code that the root
// serves with.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/config_check.h"
#include "common/errors.h"
#include "common/process.h"
#include "common/release.h"
#include "common/rpc/channel.h"
#include "common/status.h"
#include "downstream/guard_service.h"
#include "downstream/parity_driver.h"
#include "downstream/parity_fix.h"
#include "downstream/parity_runner.h"
#include "downstream/refused_publishing.h"
#include "downstream/relayed_content.h"
#include "downstream/removal_guard.h"
#include "downstream/sync_driver.h"
#include "downstream/sync_service.h"
#include "downstream/upstream_conditions.h"
#include "downstream/upstream_links.h"
#include "downstream/upstream_service.h"
#include "google/protobuf/util/time_util.h"
#include "storage/session_conditions.h"
#include "upstream/decision_maker.h"
#include "upstream/parity_methods.h"
#include "upstream/serving_node.h"
#include "upstream/state_verbs.h"

namespace sluice {
namespace {

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Nanoseconds(google::protobuf::util::TimeUtil::DurationToNanoseconds(duration));
}

v1::NodeMode ModeOf(const config::v1::DownstreamDaemon& config) {
  return config.mode() == "autonomous" ? v1::NODE_MODE_AUTONOMOUS : v1::NODE_MODE_REPLICA;
}

SyncEngineOptions EngineOptions(const config::v1::DownstreamDaemon& config,
                                const std::vector<UpstreamPlace>& places) {
  const config::v1::UpstreamLink& upstream = config.upstream();
  SyncEngineOptions options;
  options.node = {config.node().name(), ModeOf(config), std::string(Release())};
  options.peer = places.front().target;
  options.schedule = ScheduleFrom(upstream.schedule());
  options.watch = !upstream.has_watch() || upstream.watch();
  if (upstream.parallel_transfers() > 0) options.parallel_transfers = upstream.parallel_transfers();
  options.guard_percent = config.guard_percent();
  return options;
}

UpstreamCallOptions CallOptionsOf(const config::v1::DownstreamDaemon& config) {
  UpstreamCallOptions options;
  if (config.upstream().has_stall_timeout()) {
    options.stall_timeout = ToDuration(config.upstream().stall_timeout());
  }
  // Who wants attempts more often than once a minute wants to return as soon.
  if (config.upstream().schedule().has_retry_interval()) {
    options.probe_interval =
        std::min(options.probe_interval, ToDuration(config.upstream().schedule().retry_interval()));
  }
  if (config.upstream().parallel_transfers() > 0) {
    options.parallel_transfers = config.upstream().parallel_transfers();
  }
  return options;
}

bool AnyTls(const std::vector<v1::UpstreamStatus>& upstreams) {
  return std::any_of(upstreams.begin(), upstreams.end(),
                     [](const v1::UpstreamStatus& upstream) { return upstream.tls(); });
}

// Each upstream is called over a channel of its own; with TLS where it has that.
UpstreamLinks::Connect ConnectWith(NodeCertificates* certificates) {
  return [certificates](const std::string& target,
                        bool tls) -> absl::StatusOr<std::unique_ptr<Channel>> {
    ChannelOptions options;
    if (tls && certificates == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(target,
                       " needs TLS, and this node began without a certificate; name an "
                       "upstream or listener with TLS in its configuration file"));
    }
    if (tls) options.certificate = certificates->paths();
    return Channel::Create(target, options);
  };
}

// Relayed content behind the interface that serving asks: the one place where the two roles meet.
class RelayedDemand : public ContentDemand {
 public:
  explicit RelayedDemand(RelayedContent& relay) : relay_(relay) {}
  v1::ContentAnswer Want(const Digest& digest) override { return relay_.Want(digest); }
  int64_t Watch(std::function<void()> wake) override { return relay_.Watch(std::move(wake)); }
  void Unwatch(int64_t handle) override { relay_.Unwatch(handle); }

 private:
  RelayedContent& relay_;
};

// "FINDING_CLASS_MISSING_UPSTREAM" is "missing_upstream" to Prometheus.
std::vector<FindingCount> CountsOf(const std::map<v1::FindingClass, int64_t>& findings) {
  std::vector<FindingCount> counts;
  for (const auto& [finding_class, count] : findings) {
    const std::string name = v1::FindingClass_Name(finding_class);
    counts.push_back({absl::AsciiStrToLower(absl::StripPrefix(name, "FINDING_CLASS_")), count});
  }
  return counts;
}

// What an operator asks for, as the check takes it.
ParityCheck::Options CheckOptionsOf(const v1::CheckRequest& request) {
  ParityCheck::Options options;
  options.thorough = request.verify_content();
  return options;
}

ParityDriver::Options ParityOptionsOf(const config::v1::DownstreamDaemon& config,
                                      std::function<void()> after_sync) {
  return {.schedule = ParitySchedule::From(config.parity()),
          .verify_content = config.parity().verify_content(),
          .after_sync = std::move(after_sync)};
}

// Sends a petition to the node above.
absl::StatusOr<v1::Petition> SendPetition(Channel& upstream, const Uuid& self,
                                          const v1::Petition& petition) {
  v1::SubmitPetitionRequest request;
  request.set_node_id(self.bytes());
  *request.mutable_petition() = petition;
  ASSIGN_OR_RETURN(v1::SubmitPetitionResponse response,
                   (upstream.Unary<v1::SubmitPetitionRequest, v1::SubmitPetitionResponse>(
                       "sluice.v1.ReplicationService/SubmitPetition", request)));
  return std::move(*response.mutable_petition());
}

// What the node above would offer to another subscription.
absl::StatusOr<v1::PreviewSelectionResponse> PreviewAbove(
    Channel& upstream, const v1::PreviewSelectionRequest& request, absl::Duration timeout) {
  return upstream.Unary<v1::PreviewSelectionRequest, v1::PreviewSelectionResponse>(
      "sluice.v1.ReplicationService/PreviewSelection", request,
      {.deadline = absl::Now() + timeout});
}

// A new store begins with the subscription of the configuration.
absl::Status SetInitialSubscription(const config::v1::DownstreamDaemon& config, Catalog& catalog) {
  const bool set =
      catalog.Read().GetRow<v1::Subscription>(Family::kSettings, kSubscriptionSetting).ok();
  if (set) return absl::OkStatus();
  CatalogChange change;
  change.PutRow(Family::kSettings, kSubscriptionSetting, config.initial_subscription());
  return catalog.Commit(change).status();
}

class DownstreamDaemon : public RunningDaemon {
 public:
  static absl::StatusOr<std::unique_ptr<RunningDaemon>> Start(
      const config::v1::DownstreamDaemon& config, Log& log) {
    ASSIGN_OR_RETURN(std::unique_ptr<Monitoring> monitoring, Monitoring::Start(config.node()));
    ASSIGN_OR_RETURN(std::unique_ptr<StateDirectory> state,
                     StateDirectory::Open(PathsOf(config.node()), ModeOf(config)));
    RETURN_IF_ERROR(SetInitialSubscription(config, state->catalog()));
    const std::vector<v1::UpstreamStatus> configured = ConfiguredUpstreams(config);
    ASSIGN_OR_RETURN(const std::vector<v1::UpstreamStatus> upstreams,
                     UpstreamsOf(state->catalog().Read(), configured));
    ASSIGN_OR_RETURN(
        std::unique_ptr<NodeCertificates> certificates,
        OpenCertificates(config.node(), AnyTls(upstreams) || NeedsCertificate(config.node()),
                         *state, log));
    auto links = std::make_unique<UpstreamLinks>(ConnectWith(certificates.get()));
    ASSIGN_OR_RETURN(std::vector<UpstreamPlace> places, links->Places(upstreams));
    auto daemon = std::make_unique<DownstreamDaemon>(config, std::move(monitoring),
                                                     std::move(state), std::move(certificates),
                                                     std::move(links), std::move(places), log);
    if (daemon->autonomous_) RETURN_IF_ERROR(daemon->decisions_.CreateBuiltInGroups());
    daemon->sync_service_.AddTo(daemon->node_.router());
    daemon->AddGuard();
    daemon->parity_methods_.AddTo(daemon->node_.router());
    daemon->upstream_service_.AddTo(daemon->node_.router());
    AddRefusedPublishing(config.upstream().target(), daemon->node_.router());
    daemon->node_.health().Set("sluice.sync", true);
    daemon->node_.health().Set("sluice.content", true);
    RETURN_IF_ERROR(daemon->node_.Listen());
    daemon->driver_.Start();
    daemon->parity_driver_.Start();
    return daemon;
  }

  DownstreamDaemon(const config::v1::DownstreamDaemon& config,
                   std::unique_ptr<Monitoring> monitoring, std::unique_ptr<StateDirectory> state,
                   std::unique_ptr<NodeCertificates> certificates,
                   std::unique_ptr<UpstreamLinks> links, std::vector<UpstreamPlace> places,
                   Log& log)
      : monitoring_(std::move(monitoring)),
        state_(std::move(state)),
        certificates_(std::move(certificates)),
        links_(std::move(links)),
        audit_(state_->catalog(), clock_),
        decisions_(state_->catalog(), audit_),
        autonomous_(ModeOf(config) == v1::NODE_MODE_AUTONOMOUS),
        driver_(EngineOptions(config, places), CallOptionsOf(config), state_->catalog(),
                state_->content(), places, clock_, log,
                {.on_ended =
                     [this](const v1::Session& session) {
                       node_.NoteSession(session);
                       parity_driver_.NoteSession(session);
                     },
                 .on_report_answer =
                     [this](const v1::ReportResponse& answer) { TakeReportAnswer(answer); },
                 .on_switched = [this] { parity_driver_.CheckSoon(v1::PARITY_TRIGGER_FAILOVER); }}),
        relay_(driver_, state_->content()),
        demand_(relay_),
        sync_service_(driver_, state_->catalog()),
        parity_(state_->catalog(), state_->content(),
                [this]() -> Channel& { return driver_.Followed(); }, clock_,
                {.hello = [this] { return driver_.MakeHello(); },
                 .timeout = CallOptionsOf(config).stall_timeout,
                 .on_checked = [this] { driver_.Post(ReportDue{}); }}),
        upstream_service_(state_->catalog(), state_->content(), *links_, driver_,
                          UpstreamOptions(config)),
        node_(*state_, audit_, demand_, clock_, log,
              {.config = config.node(),
               .upstream_target = config.upstream().target(),
               .decisions = autonomous_ ? &decisions_ : nullptr,
               .certificates = certificates_.get(),
               .monitoring = monitoring_.get(),
               .findings = [this] { return CountsOf(parity_.LastFindings()); },
               .parity_last_check = [this] { return parity_.LastChecked(); },
               .send_petition =
                   [this](const v1::Petition& petition) {
                     return SendPetition(driver_.Followed(), state_->catalog().node_id(), petition);
                   },
               .on_report = [this] { driver_.Post(ReportDue{}); },
               .on_subscription =
                   [this] { driver_.Post(SyncRequested{v1::SYNC_TRIGGER_SUBSCRIPTION}); },
               .preview =
                   [this, timeout = CallOptionsOf(config).stall_timeout](const auto& request) {
                     return PreviewAbove(driver_.Followed(), request, timeout);
                   },
               .refetch =
                   [this](const Digest& file) {
                     driver_.Post(ContentLost{file});
                     return true;
                   },
               .conditions = [this] { return Conditions(); },
               .self = [this] { return driver_.Status(); }}),
        parity_driver_(ParityOptionsOf(config, [this] { node_.petitions().AskAgain(); }), parity_,
                       clock_, log),
        fix_(state_->catalog(), state_->content(), parity_, FixOptions(config)),
        parity_methods_(state_->catalog(), node_.board(), clock_, ParityMethodOptions(config)) {}

  std::vector<ListeningAddress> Addresses() const override { return node_.Addresses(); }

  absl::Status Probe() override { return node_.Probe(); }
  absl::Status Reload(const config::v1::Node& node,
                      const std::vector<std::string>& changed) override {
    return node_.Reload(node, changed);
  }
  void SetConfigProblem(const absl::Status& problem) override { node_.SetConfigProblem(problem); }

  void Drain(absl::Time deadline) override {
    node_.Drain(deadline);
    parity_driver_.Stop();
    driver_.Stop();
  }

 private:
  void AddGuard() {
    AddGuardMethods(
        state_->catalog(),
        {.note_audit =
             [this](const CallContext& context, absl::string_view subject, absl::string_view detail,
                    CatalogChange& change) {
               audit_.Add(context, "release guard", subject, detail, change);
             },
         .start_sync = [this] { driver_.Post(SyncRequested{v1::SYNC_TRIGGER_OPERATOR}); }},
        node_.router());
  }

  UpstreamService::Options UpstreamOptions(const config::v1::DownstreamDaemon& config) {
    return {.configured = ConfiguredUpstreams(config),
            .timeout = CallOptionsOf(config).stall_timeout,
            .guard_percent = config.guard_percent(),
            .audit =
                [this](const CallContext& context, absl::string_view action,
                       absl::string_view subject, absl::string_view detail, CatalogChange& change) {
                  audit_.Add(context, action, subject, detail, change);
                },
            .name_of = ActorOf};
  }

  // Of the upstream that is followed; what became of those before it is told by another condition.
  std::vector<v1::Condition> Conditions() const {
    const CatalogReader reader = state_->catalog().Read();
    const UpstreamFollower::State upstreams = driver_.Upstreams();
    std::vector<v1::Condition> conditions =
        SessionConditions(reader, upstreams.places[upstreams.current].target);
    AddHeldCondition(reader, conditions);
    for (v1::Condition& condition :
         UpstreamConditions(reader, upstreams, driver_.waiting_for_upstream())) {
      conditions.push_back(std::move(condition));
    }
    return conditions;
  }

  ParityMethods::Options ParityMethodOptions(const config::v1::DownstreamDaemon& config) {
    return {.node_name = config.node().name(),
            .check =
                [this](const v1::CheckRequest& request) {
                  return parity_.Check(CheckOptionsOf(request));
                },
            .fix = [this](const CallContext& context,
                          const v1::FixRequest& request) { return fix_.Fix(context, request); }};
  }

  ParityFix::Options FixOptions(const config::v1::DownstreamDaemon& config) {
    ParityFix::Options options;
    options.upstream_target = config.upstream().target();
    options.start_sync = [this] { driver_.Post(SyncRequested{v1::SYNC_TRIGGER_OPERATOR}); };
    options.refetch = [this](const Digest& file) { driver_.Post(ContentLost{file}); };
    options.ask = [this](v1::Petition petition, CatalogChange change) {
      return node_.petitions().Ask(std::move(petition), std::move(change));
    };
    options.audit = [this](const CallContext& context, absl::string_view action,
                           absl::string_view subject, absl::string_view detail,
                           CatalogChange& change) {
      audit_.Add(context, action, subject, detail, change);
    };
    options.actor = ActorOf;
    options.suppress = [this](const CallContext& context, const v1::FixRequest& request,
                              const ParityFix::Ids& update_ids) {
      v1::SuppressUpdatesRequest suppress;
      *suppress.mutable_update_ids() = update_ids;
      suppress.set_comment(request.comment());
      suppress.set_validate_only(request.validate_only());
      return node_.site().Suppress(context, suppress).status();
    };
    return options;
  }

  // By the thread of the sync driver.
  void TakeReportAnswer(const v1::ReportResponse& answer) {
    if (answer.has_parity_wanted_at()) {
      const absl::Time at = absl::FromUnixMicros(
          google::protobuf::util::TimeUtil::TimestampToMicroseconds(answer.parity_wanted_at()));
      node_.board().WantParity(at);
      if (parity_.LastAttempted() < at) parity_driver_.Wanted(at);
    }
    node_.petitions().TakeAnswers(answer.petition_answers());
  }

  SystemClock clock_;
  std::unique_ptr<Monitoring> monitoring_;
  std::unique_ptr<StateDirectory> state_;
  std::unique_ptr<NodeCertificates> certificates_;
  std::unique_ptr<UpstreamLinks> links_;
  Audit audit_;
  DecisionMaker decisions_;
  const bool autonomous_;  // Decides itself.
  SyncDriver driver_;
  RelayedContent relay_;
  RelayedDemand demand_;
  SyncService sync_service_;
  ParityRunner parity_;
  UpstreamService upstream_service_;
  ServingNode node_;
  ParityDriver parity_driver_;
  ParityFix fix_;
  ParityMethods parity_methods_;
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  using sluice::config::v1::DownstreamDaemon;
  sluice::PrepareProcess();
  return sluice::RunDaemon<DownstreamDaemon>(
      argc, argv,
      {.name = "sluice-downstreamd",
       .summary = "A node of a Sluice tree that follows another and serves those below.",
       .init =
           [](const DownstreamDaemon& config, const std::optional<sluice::Uuid>& node_id,
              sluice::Log&) {
             return sluice::InitState(config.node(), {sluice::ModeOf(config), node_id});
           },
       .node_in =
           [](const DownstreamDaemon& config) {
             return sluice::StateDirectory::NodeIn(sluice::PathsOf(config.node()));
           },
       .recover = [](const DownstreamDaemon& config,
                     sluice::Log&) { return sluice::RecoverState(config.node()); },
       .restore =
           [](const DownstreamDaemon& config, const sluice::RestoreChoice& choice) {
             return sluice::RestoreState(config.node(), sluice::ModeOf(config), choice);
           },
       .start = sluice::DownstreamDaemon::Start});
}
