// Containers: runs the image's file tree without an engine, in namespaces, as compose file and
// chart say.
//
// A test that makes one leaves this machine's mounts and network: with it, everything is gone when
// the test's process ends. What an engine would do beside (pulling, layers, restarts) is not here.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/storage/temporary_directory.h"
#include "tests/system/child_process.h"

namespace sluice {

struct Container {
  std::string name;
  std::vector<std::string> command;
  // As the script `contained` takes them.
  std::vector<std::string> mounts;
  // Its networks; the containers in one reach each other by their names.
  std::vector<std::string> networks;
};

class Containers {
 public:
  // Why they cannot be run here; empty: they can, and this process is now in namespaces of its own.
  static std::string WhyNot();

  // Assembles the file tree from the built programs.
  Containers();

  const std::string& tree() const { return tree_; }

  // A named volume: a folder that belongs to whom the image's folder at `path` belongs to.
  std::string Volume(const std::string& name, const std::string& path);

  // Runs it to its end.
  Finished Run(const Container& container);

  // Starts it; it lives as long as this does, or until it is stopped. May be started again then.
  void Start(const Container& container);

  // Runs a command in a running container.
  Finished Exec(const std::string& name, const std::vector<std::string>& command) const;

  // Runs a command of this machine in the network of a running container.
  static Finished Beside(const std::string& name, const std::vector<std::string>& command);

  ChildProcess& process(const std::string& name) { return *running_.at(name); }
  std::string log(const std::string& name) const;

 private:
  std::vector<std::string> CommandOf(const Container& container) const;
  void MakeNetworks(const Container& container);

  TemporaryDirectory directory_;
  const std::string tree_ = directory_.path() + "/tree";
  const std::string hosts_ = directory_.path() + "/hosts";
  std::map<std::string, std::string> known_networks_;  // Name to bridge.
  int interfaces_ = 0;
  std::map<std::string, std::unique_ptr<ChildProcess>> running_;
};

}  // namespace sluice
