// Config reload: what a running daemon can take over from a changed configuration.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"
#include "sluice/config/v1/daemon.pb.h"

namespace sluice {

// What differs between two configurations of a daemon, by path, as in "node.log_level".
struct ConfigDifference {
  std::vector<std::string> reloadable;  // Taken over at once.
  std::vector<std::string> fixed;       // Only a restart takes them over.
};

ConfigDifference CompareConfigs(const google::protobuf::Message& before,
                                const google::protobuf::Message& after);

// Takes over what `CompareConfigs` calls reloadable.
void TakeReloadable(const config::v1::Node& from, config::v1::Node& to);

// The configuration as it is in force, defaults filled in, in a form that ParseYaml reads back; but
// without the credentials in its URLs.
std::string DumpConfig(const google::protobuf::Message& config);

}  // namespace sluice
