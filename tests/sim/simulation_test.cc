// Runs many seeds. SLUICE_SIM_SEED=N runs that one alone; SLUICE_SIM_SEEDS=N so many.
#include "tests/sim/simulation.h"

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr uint64_t kSeeds = 2000;
constexpr uint64_t kParts = 4;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

class SimulationTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SimulationTest, EveryNodeEndsWithExactlyWhatItsSelectionSays) {
  const uint64_t alone = FromEnvironment("SLUICE_SIM_SEED", 0);
  const uint64_t seeds = FromEnvironment("SLUICE_SIM_SEEDS", kSeeds);
  for (uint64_t seed = GetParam() + 1; seed <= seeds; seed += kParts) {
    if (alone != 0 && GetParam() != 0) return;
    const uint64_t chosen = alone != 0 ? alone : seed;
    const absl::Status status = Simulation(chosen).Run();
    ASSERT_TRUE(status.ok()) << status << "\nreplay: SLUICE_SIM_SEED=" << chosen
                             << " build/dev/bin/sim_test";
    if (alone != 0) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Part, SimulationTest, ::testing::Range<uint64_t>(0, kParts));

}  // namespace
}  // namespace sluice
