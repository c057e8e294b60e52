// Manifest of agent: a complete manifest with one file, for tests to change.
#pragma once

#include "sluice/v1/catalog_service.pb.h"

namespace sluice {

inline v1::UpdateManifest ManifestOfAgent() {
  v1::UpdateManifest manifest;
  manifest.set_name("contoso-agent-4.2");
  v1::LocalizedText& text = *manifest.add_texts();
  text.set_language("en");
  text.set_title("Contoso Agent 4.2");
  manifest.add_products("Contoso/Agent");
  manifest.set_classification("Security Updates");
  manifest.add_files()->set_path("agent.bin");
  return manifest;
}

}  // namespace sluice
