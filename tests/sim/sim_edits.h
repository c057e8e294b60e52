// Sim edits: what happens at the simulated root: updates, revisions, decisions, products that move,
// expiries, clean-ups.
#pragma once

#include <random>
#include <set>
#include <string>

#include "common/digest.h"
#include "tests/sim/sim_node.h"

namespace sluice {

class SimEdits {
 public:
  SimEdits(SimNode& root, std::mt19937_64& random) : root_(root), random_(random) {}

  // One random edit. A failed write is the root's death, and nobody's concern here.
  void Edit();

  // A root that was taken back in time has updates again whose files a clean-up freed. It gets them
  // from their source, as a real one does.
  void RefetchFiles();

  // Notes what the root holds now.
  void Remember();

  // Digests of all records and decisions that ever were.
  const std::set<std::string>& ever() const { return ever_; }

  static constexpr int kProducts = 5;
  static std::string ProductPath(int index);
  // Some pins, of updates that may not exist.
  void PickPins(v1::Subscription& subscription);

 private:
  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  void StoreFile(const std::string& bytes);
  void PutUpdate();
  void PutDecision();
  void PutCategory();
  void PutExpiry();
  void CleanUp();
  void Commit(CatalogChange change);

  SimNode& root_;
  std::mt19937_64& random_;
  std::set<std::string> ever_;
};

}  // namespace sluice
