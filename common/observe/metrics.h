// Metrics: numbers about this process, for Prometheus to fetch.
//
// A registry is made by `main` and handed to whoever counts something; there is no global one. A
// counter, gauge or histogram is found once and kept by reference: counting then takes an atomic
// addition (a histogram: a short lock). What something else knows anyway is read by a callback when
// the numbers are fetched. Names and meanings of all metrics are in docs/metrics.md.
//
//   Counter& retries = registry.AddCounter({"sluice_link_retries_total", "Attempts after ..."});
//   auto& sessions = registry.AddCounters({"sluice_sync_sessions_total", "..."},
//                                         {"result", "reason"});
//   sessions.At({"failed", "UPSTREAM_DNS"}).Increment();
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"

namespace sluice {

using Counter = prometheus::Counter;      // Increment(), Increment(by); by is not negative.
using Gauge = prometheus::Gauge;          // Set(value), Increment(), Decrement().
using Histogram = prometheus::Histogram;  // Observe(value).

// How a metric is called and what it means.
struct MetricText {
  std::string name;  // "sluice_<subject>_<unit>[_total]"
  std::string help;  // A sentence for an operator.
};

// Label sets of a family beyond which all further ones are counted together.
inline constexpr size_t kSeriesMax = 200;

// A metric with labels: one counter, gauge or histogram for each set of label values.
template <typename Metric>
class MetricFamily {
 public:
  // The one with these values, one for each of the family's labels, made when it is asked for the
  // first time; it lives as long as the registry. When the family is full: the one in which every
  // label is "other". Bytes that are not UTF-8 become "?", and a value of more than 128 bytes is
  // cut, so that nothing that a peer sends can spoil the whole text.
  Metric& At(std::initializer_list<absl::string_view> values);

 private:
  friend class MetricRegistry;
  using Maker = std::function<Metric&(const prometheus::Labels&)>;

  MetricFamily(std::vector<std::string> labels, size_t series_max, Maker maker)
      : labels_(std::move(labels)), series_max_(series_max), maker_(std::move(maker)) {}

  Metric& Make(const std::vector<std::string>& values) const;

  const std::vector<std::string> labels_;
  const size_t series_max_;
  const Maker maker_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Metric*> series_ ABSL_GUARDED_BY(mutex_);
};

// One value of a metric that is read by a callback.
struct MetricSample {
  std::vector<std::string> labels;  // Values, one for each label.
  double value = 0;
};

enum class CallbackKind { kGauge, kCounter };

// All metrics of a process. May be used from several threads.
//
// A name that is malformed or was added before is a fault of the program and ends it.
class MetricRegistry {
 public:
  MetricRegistry() = default;
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  Counter& AddCounter(const MetricText& text);
  Gauge& AddGauge(const MetricText& text);
  // `bounds` are the upper bounds of the buckets, ascending; one without a bound is added.
  Histogram& AddHistogram(const MetricText& text, std::vector<double> bounds);

  MetricFamily<Counter>& AddCounters(const MetricText& text, std::vector<std::string> labels,
                                     size_t series_max = kSeriesMax);
  MetricFamily<Gauge>& AddGauges(const MetricText& text, std::vector<std::string> labels,
                                 size_t series_max = kSeriesMax);
  MetricFamily<Histogram>& AddHistograms(const MetricText& text, std::vector<std::string> labels,
                                         std::vector<double> bounds,
                                         size_t series_max = kSeriesMax);

  // Reads the value by `read` at each `Text()`. `read` is called from any thread, must not block
  // and must not use this registry; what it uses must outlive the last `Text()`.
  void AddCallback(const MetricText& text, CallbackKind kind, std::function<double()> read);
  // The same for several label sets, whose number `read` keeps small.
  void AddCallbacks(const MetricText& text, CallbackKind kind, std::vector<std::string> labels,
                    std::function<std::vector<MetricSample>()> read);

  // Everything in Prometheus's text format 0.0.4, sorted by name and labels.
  std::string Text() const;

 private:
  struct Callback {
    MetricText text;
    CallbackKind kind = CallbackKind::kGauge;
    std::vector<std::string> labels;
    std::function<std::vector<MetricSample>()> read;
  };

  static prometheus::MetricFamily Collect(const Callback& callback);
  // Ends the program when they cannot be used.
  void Claim(const MetricText& text, const std::vector<std::string>& labels);

  prometheus::Registry registry_;
  mutable Mutex mutex_;
  std::vector<std::string> names_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<void>> families_ ABSL_GUARDED_BY(mutex_);
  // Shared with a `Text()` that runs while one is added.
  std::vector<std::shared_ptr<const Callback>> callbacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice
