// Calls of an operator's screen at a root with many updates, timed: lists of updates, and readers
// that go on while something else happens.
//
// list_bench decline ADDRESS N: declines N updates, spread over all.
//
// list_bench decide ADDRESS N: approves and declines N updates in turn, spread over all.
//
// list_bench read ADDRESS FILE: two readers. After 2,000 calls each, FILE is made and "reading" is
// printed; they go on until FILE is gone. Prints "before|during P50 P99 CALLS", in milliseconds.
//
// list_bench list ADDRESS: prints "LIST_seconds MEDIAN" for each list, and the number of bodies
// that were decompressed meanwhile.
#include <algorithm>
#include <barrier>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "common/status.h"
#include "sluice/v1/catalog_service.pb.h"
#include "sluice/v1/maintenance_service.pb.h"
#include "sluice/v1/policy_service.pb.h"

namespace sluice {
namespace {

constexpr char kListUpdates[] = "sluice.v1.CatalogService/ListUpdates";
constexpr int kRuns = 21;
constexpr int kReaders = 2;
constexpr int kIdsAtOnce = 500;
constexpr int kCallsBefore = 2000;

// Where to go on behind an id that begins with these bits; ids are spread evenly.
std::string TokenOf(uint32_t bits) {
  std::string id(16, '\0');
  for (size_t i = 0; i < 4; ++i) id[i] = static_cast<char>(bits >> (24 - 8 * i));
  return absl::WebSafeBase64Escape(id);
}

absl::StatusOr<std::vector<std::string>> SpreadIds(Channel& root, int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) {
    v1::ListUpdatesRequest request;
    request.set_page_size(2);  // The one before may have been found from this place already.
    request.set_page_token(TokenOf(static_cast<uint32_t>((uint64_t{1} << 32) / count * i)));
    ASSIGN_OR_RETURN(const auto page, (root.Unary<v1::ListUpdatesRequest, v1::ListUpdatesResponse>(
                                          kListUpdates, request)));
    for (const v1::UpdateSummary& update : page.updates()) {
      if (!ids.empty() && update.update_id() <= ids.back()) continue;
      ids.push_back(update.update_id());
      break;
    }
  }
  return ids;
}

template <typename Request, typename Response>
absl::Status Decide(Channel& root, const std::string& method, const std::vector<std::string>& ids) {
  for (size_t begin = 0; begin < ids.size(); begin += kIdsAtOnce) {
    Request request;
    for (size_t i = begin; i < std::min(begin + kIdsAtOnce, ids.size()); ++i) {
      request.add_update_ids(ids[i]);
    }
    ASSIGN_OR_RETURN(const Response response, (root.Unary<Request, Response>(method, request)));
    for (const v1::DecisionResult& result : response.results()) {
      if (result.status().code() != 0) return absl::InternalError(result.status().message());
    }
  }
  return absl::OkStatus();
}

absl::Status DecideAll(Channel& root, int count, bool decline_all) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, SpreadIds(root, count));
  if (static_cast<int>(ids.size()) != count) {
    return absl::InternalError(absl::StrCat("found ", ids.size(), " updates, not ", count));
  }
  std::vector<std::string> approved;
  std::vector<std::string> declined;
  for (size_t i = 0; i < ids.size(); ++i) {
    (decline_all || i % 2 == 1 ? declined : approved).push_back(ids[i]);
  }
  RETURN_IF_ERROR((Decide<v1::DeclineUpdatesRequest, v1::DeclineUpdatesResponse>(
      root, "sluice.v1.PolicyService/DeclineUpdates", declined)));
  return Decide<v1::ApproveUpdatesRequest, v1::ApproveUpdatesResponse>(
      root, "sluice.v1.PolicyService/ApproveUpdates", approved);
}

// How long one call takes, in milliseconds.
absl::StatusOr<double> Time(Channel& root, const v1::ListUpdatesRequest& request) {
  const absl::Time began = absl::Now();
  v1::ListUpdatesResponse response;
  RETURN_IF_ERROR(root.Unary(kListUpdates, request, response));
  return absl::ToDoubleMilliseconds(absl::Now() - began);
}

double Quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

// One reader; it meets the others when it has made its calls before, and again when the time
// begins.
class Reader {
 public:
  void Run(Channel& root, unsigned seed, std::barrier<>& meeting, const std::string& file) {
    random_.seed(seed);
    for (int i = 0; i < kCallsBefore; ++i) Call(root, before);
    meeting.arrive_and_wait();
    meeting.arrive_and_wait();
    while (status.ok() && std::filesystem::exists(file)) Call(root, during);
  }

  std::vector<double> before;
  std::vector<double> during;
  absl::Status status;

 private:
  void Call(Channel& root, std::vector<double>& times) {
    v1::ListUpdatesRequest request;
    request.set_page_size(50);
    request.set_page_token(TokenOf(static_cast<uint32_t>(random_())));
    const absl::StatusOr<double> took = Time(root, request);
    status.Update(took.status());
    if (took.ok()) times.push_back(*took);
  }

  std::mt19937 random_;
};

absl::Status Read(const std::string& address, const std::string& file) {
  std::vector<Reader> readers(kReaders);
  std::vector<std::unique_ptr<Channel>> channels;
  for (int i = 0; i < kReaders; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<Channel> channel, Channel::Create(address));
    channels.push_back(std::move(channel));
  }
  std::barrier<> meeting(kReaders + 1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < readers.size(); ++i) {
    threads.emplace_back(
        [&, i] { readers[i].Run(*channels[i], static_cast<unsigned>(i), meeting, file); });
  }
  meeting.arrive_and_wait();
  std::ofstream(file) << "reading\n";
  std::cout << "reading" << std::endl;
  meeting.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  std::vector<double> before;
  std::vector<double> during;
  for (const Reader& reader : readers) {
    RETURN_IF_ERROR(reader.status);
    before.insert(before.end(), reader.before.begin(), reader.before.end());
    during.insert(during.end(), reader.during.begin(), reader.during.end());
  }
  const auto print = [](const char* name, const std::vector<double>& values) {
    std::cout << absl::StrCat(name, " ", Quantile(values, 0.5), " ", Quantile(values, 0.99), " ",
                              values.size(), "\n");
  };
  print("before", before);
  print("during", during);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Decompressed(Channel& root) {
  ASSIGN_OR_RETURN(const auto counters,
                   (root.Unary<v1::GetCountersRequest, v1::GetCountersResponse>(
                       "sluice.v1.MaintenanceService/GetCounters", v1::GetCountersRequest())));
  for (const v1::Counter& counter : counters.counters()) {
    if (counter.name() == "payloads_decompressed_total") return counter.value();
  }
  return absl::NotFoundError("the root does not count what it decompresses");
}

// The category of that kind with the fewest updates, but some.
absl::StatusOr<std::string> Rarest(Channel& root, v1::CategoryKind kind) {
  v1::ListCategoriesRequest request;
  request.set_page_size(1000);
  ASSIGN_OR_RETURN(const auto categories,
                   (root.Unary<v1::ListCategoriesRequest, v1::ListCategoriesResponse>(
                       "sluice.v1.CatalogService/ListCategories", request)));
  const v1::CategoryStatus* rarest = nullptr;
  for (const v1::CategoryStatus& category : categories.categories()) {
    if (category.kind() != kind || category.updates() == 0) continue;
    if (rarest == nullptr || category.updates() < rarest->updates()) rarest = &category;
  }
  if (rarest == nullptr) return absl::NotFoundError("there is no such category");
  std::cerr << rarest->path() << ": " << rarest->updates() << " updates\n";
  return rarest->path();
}

absl::Status TimeList(Channel& root, const std::string& name, const v1::UpdateFilter& filter) {
  v1::ListUpdatesRequest request;
  *request.mutable_filter() = filter;
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    ASSIGN_OR_RETURN(const double took, Time(root, request));
    times.push_back(took);
  }
  std::cout << absl::StrCat(name, "_seconds ", Quantile(times, 0.5) / 1000, "\n");
  return absl::OkStatus();
}

absl::Status List(Channel& root) {
  ASSIGN_OR_RETURN(const int64_t decompressed, Decompressed(root));
  RETURN_IF_ERROR(TimeList(root, "first_page", {}));
  v1::UpdateFilter by_product;
  ASSIGN_OR_RETURN(*by_product.mutable_product(), Rarest(root, v1::CATEGORY_KIND_PRODUCT));
  RETURN_IF_ERROR(TimeList(root, "by_product", by_product));
  v1::UpdateFilter by_classification;
  ASSIGN_OR_RETURN(*by_classification.mutable_classification(),
                   Rarest(root, v1::CATEGORY_KIND_CLASSIFICATION));
  RETURN_IF_ERROR(TimeList(root, "by_classification", by_classification));
  v1::UpdateFilter by_state;
  by_state.set_state(v1::UPDATE_STATE_APPROVED);
  RETURN_IF_ERROR(TimeList(root, "by_state_approved", by_state));
  by_state.set_state(v1::UPDATE_STATE_DECLINED);
  RETURN_IF_ERROR(TimeList(root, "by_state_declined", by_state));
  by_product.set_state(v1::UPDATE_STATE_DECLINED);
  RETURN_IF_ERROR(TimeList(root, "by_product_and_state", by_product));
  by_state.set_state(v1::UPDATE_STATE_NOT_APPROVED);
  RETURN_IF_ERROR(TimeList(root, "by_state_not_approved", by_state));
  ASSIGN_OR_RETURN(const int64_t after, Decompressed(root));
  std::cout << "bodies_decompressed " << after - decompressed << "\n";
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& args) {
  const std::string how = args.empty() ? "" : args[0];
  if (args.size() == 3 && how == "read") return Read(args[1], args[2]);
  int count = 0;
  const bool decides = args.size() == 3 && (how == "decline" || how == "decide") &&
                       absl::SimpleAtoi(args[2], &count) && count > 0;
  if (!decides && !(args.size() == 2 && how == "list")) {
    return absl::InvalidArgumentError("usage: list_bench decline|decide|read|list ADDRESS ...");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Channel> root, Channel::Create(args[1]));
  return decides ? DecideAll(*root, count, how == "decline") : List(*root);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const absl::Status status = sluice::Run({argv + 1, argv + argc});
  if (!status.ok()) std::cerr << "list_bench: " << status << "\n";
  return status.ok() ? 0 : 1;
}
