// Changes one update after the other at a root, and prints how long each change takes to be
// durable at the nodes below; and what a call and a synced write cost meanwhile.
//
//   change_bench DIRECTORY CHANGES ROOT NODE...
//
// Each node is watched as its children watch it, and serves nothing that is not durable; so the
// time between the arrivals from the root and from a node is what the hops in between cost.
// Milliseconds, 50th and 99th percentile: "NAME P50 P99".
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "common/status.h"
#include "common/uuid.h"
#include "grpc/health/v1/health.pb.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/policy_service.pb.h"
#include "sluice/v1/replication_service.pb.h"

namespace sluice {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);
// Between two changes, so that a change does not wait for what follows the one before.
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr int kSyncedBytes = 1024;

// Follows one node, and notes when decisions about updates arrive.
class Watcher {
 public:
  explicit Watcher(const std::string& target) : channel_(Channel::Create(target).value()) {}

  ~Watcher() {
    if (stream_ != nullptr) stream_->Cancel();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start() {
    const Uuid self = Uuid::Random();
    v1::HelloRequest hello;
    hello.set_node_id(self.bytes());
    hello.set_node_name("bench");
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    ASSIGN_OR_RETURN(const auto answer, (channel_->Unary<v1::HelloRequest, v1::HelloResponse>(
                                            "sluice.v1.ReplicationService/Hello", hello)));
    v1::ChangesRequest request;
    request.set_node_id(self.bytes());
    request.set_watch(true);
    v1::Cursor& cursor = *request.mutable_cursor();
    cursor.set_upstream_id(answer.node_id());
    *cursor.mutable_epoch() = answer.epoch();
    cursor.set_seq(answer.head_seq());
    cursor.set_selection_hash(answer.selection_hash());
    stream_ = channel_->OpenRead("sluice.v1.ReplicationService/Changes", request);
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  // When the decision arrived; infinite future: it did not.
  absl::Time Await(const std::string& update_id) {
    const absl::Time deadline = absl::Now() + kPatience;
    MutexLock lock(mutex_);
    while (!arrived_.contains(update_id)) {
      if (!changed_.WaitFor(mutex_, deadline - absl::Now())) return absl::InfiniteFuture();
    }
    return arrived_[update_id];
  }

 private:
  void Run() {
    v1::ChangesResponse response;
    while (stream_->Read(response)) {
      const absl::Time now = absl::Now();
      MutexLock lock(mutex_);
      for (const v1::Change& change : response.batch().changes()) {
        if (change.record().key().kind() != v1::RECORD_KIND_POLICY) continue;
        arrived_.emplace(change.record().key().id(), now);
      }
      changed_.NotifyAll();
    }
  }

  std::unique_ptr<Channel> channel_;
  std::unique_ptr<ClientStream> stream_;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, absl::Time> arrived_ ABSL_GUARDED_BY(mutex_);
};

void Print(const std::string& name, std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto at = [&](size_t percent) {
    return milliseconds[std::min(milliseconds.size() - 1, milliseconds.size() * percent / 100)];
  };
  std::printf("%s %.3f %.3f\n", name.c_str(), at(50), at(99));
}

// Updates that nobody has decided about.
absl::StatusOr<std::vector<std::string>> Undecided(Channel& root, size_t count) {
  std::vector<std::string> ids;
  v1::ListUpdatesRequest request;
  request.set_page_size(1000);
  request.mutable_filter()->set_state(v1::UPDATE_STATE_NOT_APPROVED);
  while (ids.size() < count) {
    ASSIGN_OR_RETURN(const auto page, (root.Unary<v1::ListUpdatesRequest, v1::ListUpdatesResponse>(
                                          "sluice.v1.CatalogService/ListUpdates", request)));
    for (const v1::UpdateSummary& update : page.updates()) {
      if (ids.size() < count) ids.push_back(update.update_id());
    }
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  if (ids.size() < count) return absl::FailedPreconditionError("too few undecided updates");
  return ids;
}

double MillisecondsSince(absl::Time begun) {
  return absl::ToDoubleMilliseconds(absl::Now() - begun);
}

absl::Status Decline(Channel& root, const std::string& id) {
  v1::DeclineUpdatesRequest request;
  request.add_update_ids(id);
  return root
      .Unary<v1::DeclineUpdatesRequest, v1::DeclineUpdatesResponse>(
          "sluice.v1.PolicyService/DeclineUpdates", request)
      .status();
}

absl::Status Run(const std::string& directory, size_t changes,
                 const std::vector<std::string>& targets) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Channel> root, Channel::Create(targets.front()));
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, Undecided(*root, changes));
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (const std::string& target : targets) {
    watchers.push_back(std::make_unique<Watcher>(target));
    RETURN_IF_ERROR(watchers.back()->Start());
  }
  const int file = open(absl::StrCat(directory, "/synced").c_str(), O_CREAT | O_WRONLY, 0600);
  if (file < 0) return absl::InternalError("cannot write to the directory");
  std::vector<double> pings;
  std::vector<double> syncs;
  std::vector<std::vector<double>> hops(targets.size());
  Mutex pause_mutex;
  CondVar pause;
  for (const std::string& id : ids) {
    {
      MutexLock lock(pause_mutex);
      pause.WaitFor(pause_mutex, kPause);
    }
    absl::Time begun = absl::Now();
    ASSIGN_OR_RETURN(
        const auto pong,
        (root->Unary<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse>(
            "grpc.health.v1.Health/Check", grpc::health::v1::HealthCheckRequest())));
    pings.push_back(MillisecondsSince(begun));
    begun = absl::Now();
    const std::string bytes(kSyncedBytes, 'x');
    if (write(file, bytes.data(), bytes.size()) != kSyncedBytes || fdatasync(file) != 0) {
      return absl::InternalError("a synced write failed");
    }
    syncs.push_back(MillisecondsSince(begun));
    RETURN_IF_ERROR(Decline(*root, id));
    const std::string key = Uuid::Parse(id).value().bytes();
    const absl::Time at_root = watchers.front()->Await(key);
    for (size_t i = 0; i < watchers.size(); ++i) {
      const absl::Time arrived = watchers[i]->Await(key);
      if (arrived == absl::InfiniteFuture()) return absl::DeadlineExceededError("nothing arrives");
      hops[i].push_back(absl::ToDoubleMilliseconds(arrived - at_root));
    }
  }
  close(file);
  Print("ping", pings);
  Print("fdatasync", syncs);
  for (size_t i = 1; i < hops.size(); ++i) Print(absl::StrCat("depth_", i), hops[i]);
  return absl::OkStatus();
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  size_t changes = 0;
  if (argc < 5 || !absl::SimpleAtoi(argv[2], &changes) || changes == 0) {
    std::fprintf(stderr, "usage: change_bench DIRECTORY CHANGES ROOT NODE...\n");
    return 2;
  }
  const absl::Status status = sluice::Run(argv[1], changes, {argv + 3, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
