#include "tests/deploy/dockerfile.h"

#include <sstream>

#include "absl/strings/strip.h"
#include "tests/system/child_process.h"
#include "yaml-cpp/yaml.h"

namespace sluice {

std::vector<DockerInstruction> ReadDockerfile() {
  std::vector<DockerInstruction> instructions;
  std::stringstream lines(ReadFile(SLUICE_SOURCE_DIR "/deploy/container/Dockerfile"));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    absl::string_view part = line;
    const bool continues = absl::ConsumeSuffix(&part, "\\");
    text.append(part.data(), part.size());
    if (continues) continue;
    const size_t space = text.find(' ');
    instructions.push_back(
        {text.substr(0, space), text.substr(text.find_first_not_of(' ', space))});
    text.clear();
  }
  return instructions;
}

std::vector<DockerInstruction> ReadImageStage() {
  std::vector<DockerInstruction> stage;
  for (const DockerInstruction& instruction : ReadDockerfile()) {
    if (instruction.name == "FROM") stage.clear();
    stage.push_back(instruction);
  }
  return stage;
}

std::vector<std::string> ReadHealthCheck() {
  for (const DockerInstruction& instruction : ReadImageStage()) {
    if (instruction.name != "HEALTHCHECK") continue;
    const size_t command = instruction.arguments.find("CMD [");
    if (command == std::string::npos) return {};
    // A list of JSON is one of YAML, too.
    return YAML::Load(instruction.arguments.substr(command + 4)).as<std::vector<std::string>>();
  }
  return {};
}

}  // namespace sluice
