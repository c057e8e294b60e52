// State verbs: what a daemon's program does to a state directory that no daemon uses.
//
// They belong to the daemons and not to `sluice`, which can open no store. Each returns what was
// done, in words.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/process.h"
#include "sluice/config/v1/daemon.pb.h"
#include "sluice/v1/tree.pb.h"
#include "storage/state_directory.h"

namespace sluice {

// Where the configuration says that a node's state is.
StatePaths PathsOf(const config::v1::Node& config);

// Makes a new node. Errors: those of StateDirectory::Init.
absl::StatusOr<std::string> InitState(const config::v1::Node& config, const NewNode& node);

// Accepts a store that lost acknowledged writes. Errors: those of StateDirectory::Recover.
absl::StatusOr<std::string> RecoverState(const config::v1::Node& config);

// Makes the node of a backup anew. Errors: those of StateDirectory::Restore; INVALID_ARGUMENT no
// directory with backups is named or configured.
absl::StatusOr<std::string> RestoreState(const config::v1::Node& config, v1::NodeMode mode,
                                         const RestoreChoice& choice);

// Makes the root of a tree of a node that followed another. Errors: those of
// StateDirectory::Promote.
absl::StatusOr<std::string> PromoteState(const config::v1::Node& config);

}  // namespace sluice
