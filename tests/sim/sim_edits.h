// Sim edits: what operators and sources do: updates, revisions, products that move, expiries and
// clean-ups at the simulated root, decisions there and at autonomous nodes, and notices at any
// node.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>

#include "common/digest.h"
#include "tests/sim/sim_node.h"
#include "tests/storage/test_catalog.h"

namespace sluice {

class SimEdits {
 public:
  SimEdits(SimNode& root, std::mt19937_64& random) : root_(root), random_(random) {}

  // One random edit at the root. A failed write is the node's death, and nobody's concern here.
  void Edit();
  // One by an operator at a node below it.
  void EditBelow(SimNode& node);

  // A root that was taken back in time has updates again whose files a clean-up freed. It gets them
  // from their source, as a real one does.
  void RefetchFiles();

  // Notes what a node holds now that decides.
  void Remember(const SimNode& node);

  // Digests of all records and decisions that ever were.
  const std::set<std::string>& ever() const { return ever_; }

  static constexpr int kProducts = 5;
  static std::string ProductPath(int index);
  // Some pins, of updates that may not exist.
  void PickPins(v1::Subscription& subscription);

 private:
  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  void StoreFile(const std::string& bytes);
  UpdateFacts NextOffer();
  void PutUpdate();
  void PutDecision(SimNode& node);
  void PutNotice(SimNode& node);
  void PutCategory();
  void PutExpiry();
  void CleanUp();
  void Commit(SimNode& node, const CatalogChange& change);

  SimNode& root_;
  std::mt19937_64& random_;
  std::set<std::string> ever_;
  std::map<std::string, UpdateFacts> offered_;  // What the source had last, by name.
};

}  // namespace sluice
