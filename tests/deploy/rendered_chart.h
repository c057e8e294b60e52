// Rendered chart: what the Helm chart makes of values, as YAML that tests can ask.
//
// Helm is not in Debian; `render` (a small Go program on the libraries that Helm is made of) does
// what `helm template` does.
#pragma once

#include <string>
#include <vector>

#include "yaml-cpp/yaml.h"

namespace sluice {

struct RenderedChart {
  int exit_code = -1;
  std::string error;
  std::string text;
  std::vector<YAML::Node> objects;

  std::vector<YAML::Node> OfKind(const std::string& kind) const;
  // The pods that there will be, by their templates.
  std::vector<YAML::Node> Pods() const;
};

// Renders the chart with the files of values, each over the one before.
RenderedChart Render(const std::vector<std::string>& values_files);

// Whether `selector`, the labels of a matchLabels, selects what has `labels`.
bool Selects(const YAML::Node& selector, const YAML::Node& labels);

}  // namespace sluice
