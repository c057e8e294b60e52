#include "tests/deploy/rendered_chart.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/system/child_process.h"

namespace sluice {

std::vector<YAML::Node> RenderedChart::OfKind(const std::string& kind) const {
  std::vector<YAML::Node> found;
  for (const YAML::Node& object : objects) {
    if (object["kind"].as<std::string>() == kind) found.push_back(object);
  }
  return found;
}

std::vector<YAML::Node> RenderedChart::Pods() const {
  std::vector<YAML::Node> pods;
  for (const YAML::Node& set : OfKind("StatefulSet")) pods.push_back(set["spec"]["template"]);
  return pods;
}

RenderedChart Render(const std::vector<std::string>& values_files) {
  std::vector<std::string> command = {SLUICE_RENDER};
  for (const std::string& file : values_files) {
    command.push_back("--values");
    command.push_back(file);
  }
  command.push_back(absl::StrCat(SLUICE_SOURCE_DIR, "/deploy/helm/sluice"));
  const Finished finished = RunCommand(command, absl::Seconds(60));
  RenderedChart chart = {finished.exit_code, finished.err, finished.out, {}};
  try {
    for (const YAML::Node& object : YAML::LoadAll(finished.out)) {
      if (object.IsMap()) chart.objects.push_back(object);
    }
  } catch (const YAML::Exception& wrong) {
    ADD_FAILURE() << "the chart renders what is no YAML: " << wrong.what() << "\n" << finished.out;
  }
  return chart;
}

bool Selects(const YAML::Node& selector, const YAML::Node& labels) {
  if (!selector.IsMap() || selector.size() == 0) return false;
  for (const auto& wanted : selector) {
    const YAML::Node label = labels[wanted.first.as<std::string>()];
    if (!label || label.as<std::string>() != wanted.second.as<std::string>()) return false;
  }
  return true;
}

}  // namespace sluice
