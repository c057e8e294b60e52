// Process metrics: what every process tells Prometheus about itself, under the usual names.
#pragma once

#include "common/observe/metrics.h"

namespace sluice {

// Adds process_cpu_seconds_total, process_open_fds, process_max_fds, process_resident_memory_bytes,
// process_virtual_memory_bytes, process_threads and process_start_time_seconds, all read when they
// are fetched, and sluice_build_info{release}.
void AddProcessMetrics(MetricRegistry& registry);

}  // namespace sluice
