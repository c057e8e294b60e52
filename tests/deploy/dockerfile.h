// Dockerfile: its instructions, as tests ask about them.
#pragma once

#include <string>
#include <vector>

namespace sluice {

struct DockerInstruction {
  std::string name;       // "HEALTHCHECK"
  std::string arguments;  // Lines that continue are joined.
};

// Of deploy/container/Dockerfile, in order.
std::vector<DockerInstruction> ReadDockerfile();

// Those of the last stage, of which the image is made.
std::vector<DockerInstruction> ReadImageStage();

// The command of its HEALTHCHECK, word by word; empty when that needs a shell.
std::vector<std::string> ReadHealthCheck();

}  // namespace sluice
