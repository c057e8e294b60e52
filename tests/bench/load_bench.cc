// What an initial load costs without the network between the two nodes: records of the shape
// "packages" are read from one store, packed, checked and taken into another.
//
//   load_bench DIRECTORY RECORDS
//
// The first store is made when it is not there yet, so that a second run measures the load alone.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "common/worker_pool.h"
#include "storage/bulk_load.h"
#include "storage/file_anchor.h"
#include "storage/payload.h"
#include "storage/record_pack.h"
#include "storage/rocks_ordered_store.h"
#include "upstream/catalog_load.h"
#include "upstream/synthetic/packages.h"

namespace sluice {
namespace {

constexpr int kRecordsAPack = 2000;
constexpr int kThreads = 2;

// A store of its own, and the catalog in it.
struct Node {
  std::unique_ptr<RocksOrderedStore> store;
  std::unique_ptr<FileAnchor> anchor;
  std::unique_ptr<Catalog> catalog;
};

absl::StatusOr<std::unique_ptr<Node>> MakeNode(const std::string& directory) {
  auto node = std::make_unique<Node>();
  SystemClock clock;
  const bool made = !std::filesystem::exists(directory);
  ASSIGN_OR_RETURN(node->store, made ? RocksOrderedStore::Create(directory)
                                     : RocksOrderedStore::Open(directory));
  ASSIGN_OR_RETURN(node->anchor, FileAnchor::Open(directory + ".anchor"));
  if (made) {
    RETURN_IF_ERROR(Catalog::Create(*node->store, *node->anchor, Uuid::Random(), clock));
  }
  ASSIGN_OR_RETURN(node->catalog, Catalog::Open(*node->store, *node->anchor));
  return node;
}

// Fills a store with made-up updates; by a load too, which is faster than an import.
absl::Status Fill(Catalog& catalog, int64_t records) {
  std::vector<std::pair<std::string, int64_t>> keys;
  for (int64_t i = 0; i < records; ++i) {
    const v1::Revision revision = synthetic::PackageUpdate(1, static_cast<uint64_t>(i));
    ASSIGN_OR_RETURN(const Uuid id, Uuid::FromBytes(revision.update_id()));
    keys.emplace_back(RecordKey{v1::RECORD_KIND_REVISION, id, 1, {}}.Encode(), i);
  }
  std::sort(keys.begin(), keys.end());
  ASSIGN_OR_RETURN(const std::unique_ptr<BulkLoad> load, BulkLoad::Begin(catalog, nullptr));
  absl::flat_hash_map<std::string, uint32_t> places;
  RecordPackWriter writer;
  v1::LoadPack pack;
  for (const auto& [key, index] : keys) {
    ASSIGN_OR_RETURN(const CheckedRecord packed,
                     PackRevision(synthetic::PackageUpdate(1, static_cast<uint64_t>(index)), 1));
    const auto [place, fresh] =
        places.emplace(packed.record.shard_id(), static_cast<uint32_t>(places.size()));
    if (fresh) *pack.add_shards() = packed.shard;
    PackedRecord record;
    record.key = key;
    record.origin = catalog.node_id().view();
    record.epoch_counter = catalog.epoch().counter();
    record.version = static_cast<uint64_t>(index) + 1;
    record.shard = place->second;
    record.codec = packed.record.codec();
    record.payload_bytes = packed.record.payload_bytes();
    record.body = packed.record.body();
    writer.Add(record);
    if (writer.count() < kRecordsAPack && key != keys.back().first) continue;
    pack.set_count(writer.count());
    pack.set_records(writer.Finish());
    RETURN_IF_ERROR(load->Add(std::exchange(pack, v1::LoadPack())));
  }
  RETURN_IF_ERROR(load->Finish().status());
  return load->Commit(CatalogChange()).status();
}

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

absl::Status Measure(const std::string& directory, int64_t records) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> upstream, MakeNode(directory + "/upstream"));
  if (upstream->catalog->durable_head() == 0) RETURN_IF_ERROR(Fill(*upstream->catalog, records));
  std::filesystem::remove_all(directory + "/child");
  std::filesystem::remove(directory + "/child.anchor");
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> child, MakeNode(directory + "/child"));
  WorkerPool pool(kThreads);
  const absl::Time began = absl::Now();
  const double cpu_began = CpuSeconds();
  v1::LoadRequest request;
  request.set_node_id(child->catalog->node_id().bytes());
  ASSIGN_OR_RETURN(CatalogLoad from, CatalogLoad::Open(*upstream->catalog, request));
  ASSIGN_OR_RETURN(const std::unique_ptr<BulkLoad> into, BulkLoad::Begin(*child->catalog, &pool));
  int64_t wire_bytes = 0;
  while (true) {
    CatalogLoad::Step step = from.Next();
    if (step.kind == CatalogLoad::Step::Kind::kEnd) {
      RETURN_IF_ERROR(step.status);
      break;
    }
    wire_bytes += static_cast<int64_t>(step.message.ByteSizeLong());
    if (!step.message.has_pack()) continue;
    RETURN_IF_ERROR(into->Add(std::move(*step.message.mutable_pack())));
  }
  RETURN_IF_ERROR(into->Finish().status());
  RETURN_IF_ERROR(into->Commit(CatalogChange()).status());
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  const double cpu_seconds = CpuSeconds() - cpu_began;
  const auto each = [records](double total) { return total * 1e6 / static_cast<double>(records); };
  std::printf("%.2f s, %.0f records/s, CPU %.2f us a record, %.0f bytes a record on the wire\n",
              seconds, static_cast<double>(records) / seconds, each(cpu_seconds),
              static_cast<double>(wire_bytes) / static_cast<double>(records));
  return absl::OkStatus();
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  int64_t records = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[2], &records) || records < 1) {
    std::fprintf(stderr, "usage: load_bench DIRECTORY RECORDS\n");
    return 2;
  }
  const absl::Status measured = sluice::Measure(argv[1], records);
  if (measured.ok()) return 0;
  std::fprintf(stderr, "%s\n", measured.ToString().c_str());
  return 1;
}
