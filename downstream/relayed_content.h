// Relayed content: the demand for files at a node in the middle; what is not here is got from the
// node above.
//
// It fulfils the interface of upstream/content_demand.h by name, and downstream/main.cc ties the
// two: the folders never include each other.
#pragma once

#include <cstdint>
#include <functional>

#include "common/digest.h"
#include "downstream/sync_driver.h"
#include "sluice/v1/content_service.pb.h"
#include "storage/content_store.h"

namespace sluice {

class RelayedContent {
 public:
  RelayedContent(SyncDriver& driver, ContentStore& content) : driver_(driver), content_(content) {}

  // Where the file stands; one that was not asked for before is asked for now.
  v1::ContentAnswer Want(const Digest& digest);
  int64_t Watch(std::function<void()> wake) { return driver_.Watch(std::move(wake)); }
  void Unwatch(int64_t handle) { driver_.Unwatch(handle); }

 private:
  SyncDriver& driver_;
  ContentStore& content_;
};

}  // namespace sluice
