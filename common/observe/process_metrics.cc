#include "common/observe/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/release.h"

namespace sluice {
namespace {

// Fields of /proc/self/stat, by their numbers in proc(5).
enum StatField { kUserTicks = 14, kSystemTicks = 15, kThreads = 20, kStartTicks = 22, kBytes = 23 };
constexpr int kFirstFieldAfterName = 3;

double TicksASecond() { return static_cast<double>(sysconf(_SC_CLK_TCK)); }

// 0 when the kernel does not say.
double ReadStat(StatField field) {
  std::ifstream file("/proc/self/stat");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string line = text.str();
  // The name in parentheses may hold anything, also spaces and parentheses.
  const size_t name_end = line.rfind(") ");
  if (name_end == std::string::npos) return 0;
  const std::vector<std::string> fields = absl::StrSplit(line.substr(name_end + 2), ' ');
  const auto at = static_cast<size_t>(field - kFirstFieldAfterName);
  double value = 0;
  if (at >= fields.size() || !absl::SimpleAtod(fields[at], &value)) return 0;
  return value;
}

double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double OpenDescriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  // One of them was that of the folder itself.
  return count > 0 ? count - 1 : 0;
}

double DescriptorsMax() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

double SecondsOf(clockid_t clock) {
  constexpr double kNanosecond = 1e-9;
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * kNanosecond;
}

// From the clocks and not from /proc/stat, which a hardened unit hides.
double StartTime() {
  const double booted = SecondsOf(CLOCK_REALTIME) - SecondsOf(CLOCK_BOOTTIME);
  return booted + ReadStat(kStartTicks) / TicksASecond();
}

}  // namespace

void AddProcessMetrics(MetricRegistry& registry) {
  registry.AddCallback(
      {"process_cpu_seconds_total", "Processor time used, by the program and for it, in seconds."},
      CallbackKind::kCounter,
      [] { return (ReadStat(kUserTicks) + ReadStat(kSystemTicks)) / TicksASecond(); });
  registry.AddCallback({"process_open_fds", "Open file descriptors."}, CallbackKind::kGauge,
                       OpenDescriptors);
  registry.AddCallback({"process_max_fds", "File descriptors that may be open at a time."},
                       CallbackKind::kGauge, DescriptorsMax);
  registry.AddCallback({"process_resident_memory_bytes", "Memory in use, in bytes."},
                       CallbackKind::kGauge, ResidentBytes);
  registry.AddCallback({"process_virtual_memory_bytes", "Address space in use, in bytes."},
                       CallbackKind::kGauge, [] { return ReadStat(kBytes); });
  registry.AddCallback({"process_threads", "Threads."}, CallbackKind::kGauge,
                       [] { return ReadStat(kThreads); });
  registry
      .AddGauge({"process_start_time_seconds", "When the process started, in seconds since 1970."})
      .Set(StartTime());
  registry
      .AddGauges({"sluice_build_info", "Always 1; the label says which release runs."}, {"release"})
      .At({Release()})
      .Set(1);
}

}  // namespace sluice
