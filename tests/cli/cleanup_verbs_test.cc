// `cleanup` and `guard`.
#include "common/errors.h"
#include "gmock/gmock.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/upstream_service.pb.h"
#include "tests/cli/cli_fixture.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCleanUp[] = "sluice.v1.MaintenanceService/CleanUpCatalog";
constexpr char kLeases[] = "sluice.v1.MaintenanceService/ListLeases";
constexpr char kUpstreams[] = "sluice.v1.UpstreamService/ListUpstreams";
constexpr char kRelease[] = "sluice.v1.UpstreamService/ReleaseGuard";

v1::HeldRemoval MakeHeld() {
  v1::HeldRemoval held;
  held.set_removal_id("0123456789abcdef");
  held.set_records(500);
  held.set_records_here(1000);
  held.set_cause("because the upstream deleted them");
  held.mutable_since()->set_seconds(1795500000);
  return held;
}

class CleanupVerbsTest : public CliTest {
 protected:
  void Hold(const v1::HeldRemoval& held) {
    v1::ListUpstreamsResponse upstreams;
    if (!held.removal_id().empty()) *upstreams.mutable_held() = held;
    node_.Answer<v1::ListUpstreamsRequest, v1::ListUpstreamsResponse>(kUpstreams, {upstreams});
    v1::ReleaseGuardResponse released;
    *released.mutable_released() = held;
    node_.Answer<v1::ReleaseGuardRequest, v1::ReleaseGuardResponse>(kRelease, {released});
  }
};

TEST_F(CleanupVerbsTest, CleansUpWhatIsChosenAndSaysWhatWent) {
  v1::CleanUpCatalogResponse response;
  response.set_revisions_deleted(3);
  response.set_updates_deleted(1);
  response.set_files_freed(2);
  response.set_bytes_freed(4096);
  response.set_leased(5);
  response.add_titles("agent 1.0");
  node_.Answer<v1::CleanUpCatalogRequest, v1::CleanUpCatalogResponse>(kCleanUp, {response});
  EXPECT_EQ(Run({"cleanup", "run", "--old-revisions", "--declined", "--older-than", "0", "--max",
                 "10", "--confirm"}),
            0);
  EXPECT_EQ(out_, "agent 1.0\n");
  EXPECT_THAT(err_, AllOf(HasSubstr("deleted 3 revisions, among them all of 1 update"),
                          HasSubstr("2 files (4.0 KiB)"), HasSubstr("5 revisions stay")));
  EXPECT_THAT(node_.calls(),
              ElementsAre(AllOf(HasSubstr("\"oldRevisions\":true"), HasSubstr("\"declined\":true"),
                                HasSubstr("\"olderThanDays\":0"), HasSubstr("\"revisionsMax\":10"),
                                HasSubstr("\"confirmed\":true"))));
  EXPECT_EQ(Run({"cleanup", "run", "--expired", "--dry-run"}), 0);
  EXPECT_THAT(err_, HasSubstr("would delete 3 revisions"));
  EXPECT_THAT(node_.calls().back(), HasSubstr("\"validateOnly\":true"));
}

TEST_F(CleanupVerbsTest, WantsToBeToldWhatToCleanUp) {
  EXPECT_EQ(Run({"cleanup", "run"}), 2);
  EXPECT_THAT(err_, HasSubstr("--superseded"));
  EXPECT_EQ(Run({"cleanup", "run", "--expired", "--older-than", "soon"}), 2);
  EXPECT_THAT(node_.calls(), IsEmpty());
}

TEST_F(CleanupVerbsTest, ListsLeases) {
  v1::ListLeasesResponse response;
  v1::LeaseStatus& lease = *response.add_leases();
  lease.set_node_id("00000000-0000-0000-0000-000000000001");
  lease.set_node_name("site");
  lease.set_updates(7);
  lease.mutable_expires_at()->set_seconds(1795500000);
  lease.set_lapsed(true);
  node_.Answer<v1::ListLeasesRequest, v1::ListLeasesResponse>(kLeases, {response});
  EXPECT_EQ(Run({"cleanup", "leases"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("site"), HasSubstr("2026-11-24 06:00:00, LAPSED")));
  EXPECT_EQ(Run({"cleanup", "leases", "-o", "name"}), 0);
  EXPECT_EQ(out_, "00000000-0000-0000-0000-000000000001\n");
}

TEST_F(CleanupVerbsTest, ShowsAndReleasesWhatTheGuardHolds) {
  Hold(MakeHeld());
  EXPECT_EQ(Run({"guard", "show"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("removal 0123456789abcdef: 500 of 1000 records"),
                          HasSubstr("since 2026-11-24 06:00:00")));
  EXPECT_EQ(Run({"guard", "release"}), 0);
  EXPECT_THAT(out_, HasSubstr("released removal 0123456789abcdef"));
  EXPECT_THAT(node_.calls().back(), HasSubstr("\"removalId\":\"0123456789abcdef\""));
  EXPECT_EQ(Run({"guard", "release", "fedcba9876543210"}), 0);
  EXPECT_THAT(node_.calls().back(), HasSubstr("\"removalId\":\"fedcba9876543210\""));
  EXPECT_EQ(Run({"guard", "release", "--dry-run"}), 0);
  EXPECT_THAT(out_, HasSubstr("would release removal 0123456789abcdef"));
  EXPECT_THAT(node_.calls().back(), HasSubstr("ListUpstreams"));
}

TEST_F(CleanupVerbsTest, SaysThatTheGuardHoldsNothing) {
  Hold(v1::HeldRemoval());
  EXPECT_EQ(Run({"guard", "show"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("holds nothing"));
  EXPECT_NE(Run({"guard", "release"}), 0);
  EXPECT_THAT(node_.calls().back(), HasSubstr("ListUpstreams")) << "nothing was released";
}

}  // namespace
}  // namespace sluice
