#include "common/observe/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <tuple>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace sluice {
namespace {

constexpr size_t kLabelBytesMax = 128;
// What is in no cleaned value.
constexpr absl::string_view kSeparator = "\xff";

[[noreturn]] void Die(const std::string& name, const char* fault) {
  std::fprintf(stderr, "the metric %s %s\n", name.c_str(), fault);
  std::abort();
}

// Unlike label values, the library writes help texts as they are.
std::string EscapedHelp(const std::string& help) {
  return absl::StrReplaceAll(help, {{"\\", "\\\\"}, {"\n", "\\n"}});
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// How many bytes of `text` from `at` make one character; 0 when they make none (RFC 3629,
// section 4).
size_t CharacterBytes(absl::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                      : first >= 0xE0 && first <= 0xEF ? 3
                      : first >= 0xF0 && first <= 0xF4 ? 4
                                                       : 0;
  if (size == 0 || at + size > text.size()) return 0;
  for (size_t i = at + 1; i < at + size; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  const unsigned char second = byte(at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool too_large = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || too_large ? 0 : size;
}

std::string CleanValue(absl::string_view value) {
  std::string clean;
  for (size_t at = 0; at < value.size();) {
    const size_t size = CharacterBytes(value, at);
    if (clean.size() + std::max<size_t>(size, 1) > kLabelBytesMax) break;
    if (size == 0) {
      clean += '?';
      ++at;
      continue;
    }
    clean.append(value.data() + at, size);
    at += size;
  }
  return clean;
}

template <typename Metric, typename... Arguments>
std::function<Metric&(const prometheus::Labels&)> MakerOf(prometheus::Family<Metric>& family,
                                                          Arguments... arguments) {
  return [&family, arguments...](const prometheus::Labels& labels) -> Metric& {
    return family.Add(labels, arguments...);
  };
}

bool ByLabels(const prometheus::ClientMetric& a, const prometheus::ClientMetric& b) {
  return a.label < b.label;
}

}  // namespace

template <typename Metric>
Metric& MetricFamily<Metric>::At(std::initializer_list<absl::string_view> values) {
  std::vector<std::string> clean;
  for (const absl::string_view value : values) clean.push_back(CleanValue(value));
  // A missing value is better than a lost one: the sum over the family stays right.
  clean.resize(labels_.size());
  MutexLock lock(mutex_);
  const auto found = series_.find(absl::StrJoin(clean, kSeparator));
  if (found != series_.end()) return *found->second;
  if (series_.size() >= series_max_) clean.assign(labels_.size(), "other");
  Metric& made = Make(clean);
  if (series_.size() < series_max_) series_.emplace(absl::StrJoin(clean, kSeparator), &made);
  return made;
}

template <typename Metric>
Metric& MetricFamily<Metric>::Make(const std::vector<std::string>& values) const {
  prometheus::Labels labels;
  for (size_t i = 0; i < labels_.size(); ++i) labels[labels_[i]] = values[i];
  return maker_(labels);
}

template class MetricFamily<Counter>;
template class MetricFamily<Gauge>;
template class MetricFamily<Histogram>;

void MetricRegistry::Claim(const MetricText& text, const std::vector<std::string>& labels) {
  if (!prometheus::CheckMetricName(text.name)) Die(text.name, "has a malformed name");
  for (const std::string& label : labels) {
    if (!prometheus::CheckLabelName(label)) Die(text.name, "has a label with a malformed name");
  }
  MutexLock lock(mutex_);
  if (std::find(names_.begin(), names_.end(), text.name) != names_.end()) {
    Die(text.name, "was added before");
  }
  names_.push_back(text.name);
}

Counter& MetricRegistry::AddCounter(const MetricText& text) { return AddCounters(text, {}).At({}); }

Gauge& MetricRegistry::AddGauge(const MetricText& text) { return AddGauges(text, {}).At({}); }

Histogram& MetricRegistry::AddHistogram(const MetricText& text, std::vector<double> bounds) {
  return AddHistograms(text, {}, std::move(bounds)).At({});
}

MetricFamily<Counter>& MetricRegistry::AddCounters(const MetricText& text,
                                                   std::vector<std::string> labels,
                                                   size_t series_max) {
  Claim(text, labels);
  auto& family =
      prometheus::BuildCounter().Name(text.name).Help(EscapedHelp(text.help)).Register(registry_);
  std::shared_ptr<MetricFamily<Counter>> kept(
      new MetricFamily<Counter>(std::move(labels), series_max, MakerOf(family)));
  MutexLock lock(mutex_);
  families_.push_back(kept);
  return *kept;
}

MetricFamily<Gauge>& MetricRegistry::AddGauges(const MetricText& text,
                                               std::vector<std::string> labels, size_t series_max) {
  Claim(text, labels);
  auto& family =
      prometheus::BuildGauge().Name(text.name).Help(EscapedHelp(text.help)).Register(registry_);
  std::shared_ptr<MetricFamily<Gauge>> kept(
      new MetricFamily<Gauge>(std::move(labels), series_max, MakerOf(family)));
  MutexLock lock(mutex_);
  families_.push_back(kept);
  return *kept;
}

MetricFamily<Histogram>& MetricRegistry::AddHistograms(const MetricText& text,
                                                       std::vector<std::string> labels,
                                                       std::vector<double> bounds,
                                                       size_t series_max) {
  Claim(text, labels);
  if (!std::is_sorted(bounds.begin(), bounds.end())) Die(text.name, "has bounds out of order");
  auto& family =
      prometheus::BuildHistogram().Name(text.name).Help(EscapedHelp(text.help)).Register(registry_);
  std::shared_ptr<MetricFamily<Histogram>> kept(new MetricFamily<Histogram>(
      std::move(labels), series_max, MakerOf(family, std::move(bounds))));
  MutexLock lock(mutex_);
  families_.push_back(kept);
  return *kept;
}

void MetricRegistry::AddCallback(const MetricText& text, CallbackKind kind,
                                 std::function<double()> read) {
  AddCallbacks(text, kind, {}, [read = std::move(read)] {
    return std::vector<MetricSample>{{{}, read()}};
  });
}

void MetricRegistry::AddCallbacks(const MetricText& text, CallbackKind kind,
                                  std::vector<std::string> labels,
                                  std::function<std::vector<MetricSample>()> read) {
  Claim(text, labels);
  auto callback = std::make_shared<const Callback>(
      Callback{{text.name, EscapedHelp(text.help)}, kind, std::move(labels), std::move(read)});
  MutexLock lock(mutex_);
  callbacks_.push_back(std::move(callback));
}

prometheus::MetricFamily MetricRegistry::Collect(const Callback& callback) {
  const bool is_gauge = callback.kind == CallbackKind::kGauge;
  prometheus::MetricFamily family;
  family.name = callback.text.name;
  family.help = callback.text.help;
  family.type = is_gauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Counter;
  for (MetricSample& sample : callback.read()) {
    if (family.metric.size() >= kSeriesMax) break;
    sample.labels.resize(callback.labels.size());
    prometheus::ClientMetric metric;
    for (size_t i = 0; i < callback.labels.size(); ++i) {
      metric.label.push_back({callback.labels[i], CleanValue(sample.labels[i])});
    }
    (is_gauge ? metric.gauge.value : metric.counter.value) = sample.value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

std::string MetricRegistry::Text() const {
  std::vector<std::shared_ptr<const Callback>> callbacks;
  {
    MutexLock lock(mutex_);
    callbacks = callbacks_;
  }
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  for (const auto& callback : callbacks) families.push_back(Collect(*callback));
  std::sort(families.begin(), families.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (prometheus::MetricFamily& family : families) {
    std::sort(family.metric.begin(), family.metric.end(), ByLabels);
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace sluice
