// CLI target: which node `sluice` calls, and as whom.
#pragma once

#include <string>

namespace sluice {

struct CliTarget {
  std::string address;
  // The folder with key.pem, cert.pem and ca.pem; empty: in plaintext.
  std::string certificates;
};

}  // namespace sluice
