// sluice-upstreamd: the root of a tree. It imports from sources, holds the decisions, and serves
// those below.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config_check.h"
#include "common/process.h"
#include "common/release.h"
#include "common/status.h"
#include "upstream/debian_source.h"
#include "upstream/decision_maker.h"
#include "upstream/directory_source.h"
#include "upstream/origin_content.h"
#include "upstream/parity_methods.h"
#include "upstream/publish.h"
#include "upstream/root_status.h"
#include "upstream/serving_node.h"
#include "upstream/source_sync.h"
#include "upstream/state_verbs.h"
#include "upstream/synthetic_source.h"

namespace sluice {
namespace {

std::vector<ScheduledSource> MakeSources(const config::v1::UpstreamDaemon& config, Clock& clock) {
  std::vector<ScheduledSource> sources;
  for (const config::v1::Source& source : config.sources()) {
    ScheduledSource scheduled;
    if (source.has_debian()) {
      scheduled.source =
          std::make_unique<DebianSource>(source.name(), source.debian(), clock,
                                         absl::StrCat(config.node().state_dir(), "/index-cache"));
    } else if (source.has_synthetic()) {
      scheduled.source = std::make_unique<SyntheticSource>(source.name(), source.synthetic());
    } else {
      scheduled.source = std::make_unique<DirectorySource>(source.name(), source.directory());
    }
    scheduled.schedule = ScheduleFrom(source.schedule());
    scheduled.import_at_start = !source.has_import_at_start() || source.import_at_start();
    sources.push_back(std::move(scheduled));
  }
  return sources;
}

class UpstreamDaemon : public RunningDaemon {
 public:
  static absl::StatusOr<std::unique_ptr<RunningDaemon>> Start(
      const config::v1::UpstreamDaemon& config, Log& log) {
    ASSIGN_OR_RETURN(std::unique_ptr<Monitoring> monitoring, Monitoring::Start(config.node()));
    ASSIGN_OR_RETURN(std::unique_ptr<StateDirectory> state,
                     StateDirectory::Open(PathsOf(config.node()), v1::NODE_MODE_ROOT));
    ASSIGN_OR_RETURN(std::unique_ptr<NodeCertificates> certificates,
                     OpenCertificates(config.node(), NeedsCertificate(config.node()), *state, log));
    auto daemon = std::make_unique<UpstreamDaemon>(config, std::move(monitoring), std::move(state),
                                                   std::move(certificates), log);
    RETURN_IF_ERROR(daemon->decisions_.CreateBuiltInGroups());
    daemon->sync_.AddTo(daemon->node_.router());
    daemon->publisher_.AddTo(daemon->node_.router());
    daemon->parity_.AddTo(daemon->node_.router());
    daemon->node_.health().Set("sluice.sync", true);
    daemon->node_.health().Set("sluice.content", true);
    RETURN_IF_ERROR(daemon->node_.Listen());
    daemon->content_.Start();
    daemon->sync_.Start();
    return daemon;
  }

  UpstreamDaemon(const config::v1::UpstreamDaemon& config, std::unique_ptr<Monitoring> monitoring,
                 std::unique_ptr<StateDirectory> state,
                 std::unique_ptr<NodeCertificates> certificates, Log& log)
      : monitoring_(std::move(monitoring)),
        state_(std::move(state)),
        certificates_(std::move(certificates)),
        audit_(state_->catalog(), clock_),
        decisions_(state_->catalog(), audit_),
        sync_(MakeSources(config, clock_), state_->catalog(), clock_, log,
              [this](const v1::Session& session) { node_.NoteSession(session); }),
        content_(state_->catalog(), state_->content(), clock_, log,
                 [this](absl::string_view name) { return sync_.Find(name); }),
        publisher_(state_->catalog(), state_->content(), audit_),
        node_(*state_, audit_, content_, clock_, log,
              {.config = config.node(),
               .decisions = &decisions_,
               .certificates = certificates_.get(),
               .monitoring = monitoring_.get(),
               .refetch = [this](const Digest& file) { return content_.Refetch(file); },
               .conditions = [this] { return ConditionsOfRoot(state_->catalog().Read()); },
               .self =
                   [this, name = config.node().name()] {
                     return StatusOfRoot(state_->catalog().Read(), name, content_, clock_.Now());
                   }}),
        parity_(state_->catalog(), node_.board(), clock_,
                {.node_name = config.node().name(), .check = {}, .fix = {}}) {}

  std::vector<ListeningAddress> Addresses() const override { return node_.Addresses(); }

  absl::Status Probe() override { return node_.Probe(); }
  absl::Status Reload(const config::v1::Node& node,
                      const std::vector<std::string>& changed) override {
    return node_.Reload(node, changed);
  }
  void SetConfigProblem(const absl::Status& problem) override { node_.SetConfigProblem(problem); }

  void Drain(absl::Time deadline) override {
    node_.Drain(deadline);
    sync_.Stop();
    content_.Stop();
  }

 private:
  SystemClock clock_;
  std::unique_ptr<Monitoring> monitoring_;
  std::unique_ptr<StateDirectory> state_;
  std::unique_ptr<NodeCertificates> certificates_;
  Audit audit_;
  DecisionMaker decisions_;
  SourceSync sync_;
  OriginContent content_;
  Publisher publisher_;
  ServingNode node_;
  ParityMethods parity_;
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  using sluice::config::v1::UpstreamDaemon;
  sluice::PrepareProcess();
  return sluice::RunDaemon<UpstreamDaemon>(
      argc, argv,
      {.name = "sluice-upstreamd",
       .summary =
           "The root of a Sluice tree: imports updates, holds decisions, serves those below.",
       .init =
           [](const UpstreamDaemon& config, const std::optional<sluice::Uuid>& node_id,
              sluice::Log&) {
             return sluice::InitState(config.node(), {sluice::v1::NODE_MODE_ROOT, node_id});
           },
       .node_in =
           [](const UpstreamDaemon& config) {
             return sluice::StateDirectory::NodeIn(sluice::PathsOf(config.node()));
           },
       .recover = [](const UpstreamDaemon& config,
                     sluice::Log&) { return sluice::RecoverState(config.node()); },
       .restore =
           [](const UpstreamDaemon& config, const sluice::RestoreChoice& choice) {
             return sluice::RestoreState(config.node(), sluice::v1::NODE_MODE_ROOT, choice);
           },
       .promote = [](const UpstreamDaemon& config) { return sluice::PromoteState(config.node()); },
       .start = sluice::UpstreamDaemon::Start});
}
