#include "common/config_check.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/address_check.h"
#include "common/credentials.h"
#include "common/log.h"
#include "common/status.h"
#include "common/upstream_target.h"
#include "google/protobuf/duration.pb.h"

namespace sluice {
namespace {

constexpr int kTimesADayMax = 24;
constexpr int kKeepFreeMib = 256;
constexpr int kBallastMib = 128;
constexpr int kKeepFreeMibMax = 1 << 20;
constexpr int kRetriesMax = 100;
constexpr int kParallelTransfersMax = 64;
constexpr int kGuardPercent = 20;
constexpr int kListenersMax = 16;
constexpr int kSyntheticPackagesMax = 2'000'000;
constexpr int kSyntheticDocumentsMax = 20'000;
constexpr size_t kNameBytesMax = 128;

// Collects what is wrong, each with the path of its field and without credentials.
class Mistakes {
 public:
  void Add(absl::string_view field, absl::string_view what) {
    list_.push_back(TextWithoutCredentials(absl::StrCat(field, ": ", what)));
  }
  void AddIfError(absl::string_view field, const absl::Status& status) {
    if (!status.ok()) Add(field, status.message());
  }
  absl::Status status() const {
    if (list_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(list_, "; "));
  }

 private:
  std::vector<std::string> list_;
};

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::ToInt64Seconds(duration));
  return proto;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unnamed";
  return name.data();
}

// Debian's name for the machine's architecture.
std::string MachineArchitecture() {
  constexpr std::array<std::array<absl::string_view, 2>, 6> kDebianNames = {{{"x86_64", "amd64"},
                                                                             {"aarch64", "arm64"},
                                                                             {"i686", "i386"},
                                                                             {"armv7l", "armhf"},
                                                                             {"ppc64le", "ppc64el"},
                                                                             {"s390x", "s390x"}}};
  utsname machine;
  if (uname(&machine) != 0) return "all";
  for (const auto& names : kDebianNames) {
    if (names[0] == machine.machine) return std::string(names[1]);
  }
  return machine.machine;
}

// "HH:MM".
bool IsTimeOfDay(absl::string_view text) {
  int hour = 0;
  int minute = 0;
  return text.size() == 5 && text[2] == ':' && absl::ascii_isdigit(static_cast<uint8_t>(text[0])) &&
         absl::ascii_isdigit(static_cast<uint8_t>(text[3])) &&
         absl::SimpleAtoi(text.substr(0, 2), &hour) && hour < 24 &&
         absl::SimpleAtoi(text.substr(3), &minute) && minute < 60;
}

void CheckRoleNames(const std::string& path,
                    const google::protobuf::RepeatedPtrField<std::string>& roles,
                    Mistakes& mistakes) {
  for (int i = 0; i < roles.size(); ++i) {
    if (std::find(kKnownRoles.begin(), kKnownRoles.end(), roles[i]) != kKnownRoles.end()) continue;
    mistakes.Add(absl::StrCat(path, ".roles[", i, "]"),
                 absl::StrCat("\"", roles[i], "\" is none of ", absl::StrJoin(kKnownRoles, ", ")));
  }
}

void CompleteListener(const std::string& path, config::v1::Listener& listener, Mistakes& mistakes) {
  if (listener.address().empty()) {
    mistakes.Add(absl::StrCat(path, ".address"),
                 "is missing; as in \"127.0.0.1:8530\" or \"unix:/run/sluice/admin.sock\"");
    return;
  }
  if (!listener.has_tls()) listener.set_tls(!IsLocal(listener.address()));
  mistakes.AddIfError(absl::StrCat(path, ".address"),
                      CheckAddress(listener.address(), listener.tls(), /*for_listening=*/true));
  if (listener.roles().empty()) {
    if (listener.tls()) {
      for (const absl::string_view role : kKnownRoles) listener.add_roles(std::string(role));
    } else if (absl::StartsWith(listener.address(), "unix:")) {
      mistakes.Add(absl::StrCat(path, ".roles"),
                   absl::StrCat("a Unix socket must say what its callers may do: ",
                                absl::StrJoin(kKnownRoles, ", ")));
    } else {
      listener.add_roles("viewer");
    }
  }
  CheckRoleNames(path, listener.roles(), mistakes);
}

void CheckUsers(const config::v1::Node& node, Mistakes& mistakes) {
  absl::flat_hash_map<std::string, int> seen;
  for (int i = 0; i < node.users_size(); ++i) {
    const config::v1::User& user = node.users(i);
    const std::string path = absl::StrCat("node.users[", i, "]");
    if (user.name().empty()) {
      mistakes.Add(absl::StrCat(path, ".name"), "is missing; as in the user's certificate");
    }
    const auto [first, is_new] = seen.emplace(user.name(), i);
    if (!is_new) {
      mistakes.Add(absl::StrCat(path, ".name"), absl::StrCat("\"", user.name(), "\" is node.users[",
                                                             first->second, "] already"));
    }
    if (user.roles().empty()) mistakes.Add(absl::StrCat(path, ".roles"), "at least one is needed");
    CheckRoleNames(path, user.roles(), mistakes);
    for (const std::string& role : user.roles()) {
      if (role == "node") {
        mistakes.Add(absl::StrCat(path, ".roles"), "node is for nodes' certificates only");
      }
    }
  }
}

void CompleteNode(config::v1::Node& node, Mistakes& mistakes) {
  if (node.name().empty()) node.set_name(HostName());
  if (node.name().size() > kNameBytesMax) {
    mistakes.Add("node.name", absl::StrCat("is longer than ", kNameBytesMax, " bytes"));
  }
  if (node.state_dir().empty()) {
    mistakes.Add("node.state_dir", "is missing; as in \"/var/lib/sluice\"");
  } else if (node.state_dir().front() != '/') {
    mistakes.Add("node.state_dir", "must be an absolute path");
  }
  if (node.content_dir().empty()) node.set_content_dir(absl::StrCat(node.state_dir(), "/content"));
  if (node.content_dir().front() != '/') {
    mistakes.Add("node.content_dir", "must be an absolute path");
  }
  if (!node.addresses_file().empty() && node.addresses_file().front() != '/') {
    mistakes.Add("node.addresses_file", "must be an absolute path");
  }
  if (node.certificates_dir().empty()) {
    node.set_certificates_dir(absl::StrCat(node.state_dir(), "/certificates"));
  }
  if (node.certificates_dir().front() != '/') {
    mistakes.Add("node.certificates_dir", "must be an absolute path");
  }
  CheckUsers(node, mistakes);
  if (!node.metrics_address().empty()) {
    mistakes.AddIfError("node.metrics_address",
                        CheckTlsAddress(node.metrics_address(), /*for_listening=*/true));
  }
  if (node.log_level().empty()) node.set_log_level("info");
  mistakes.AddIfError("node.log_level", ParseLogLevel(node.log_level()).status());
  if (!node.has_keep_free_mib()) node.set_keep_free_mib(kKeepFreeMib);
  if (node.keep_free_mib() < 0 || node.keep_free_mib() > kKeepFreeMibMax) {
    mistakes.Add("node.keep_free_mib",
                 absl::StrCat(node.keep_free_mib(), " is not from 0 to ", kKeepFreeMibMax));
  }
  if (!node.has_ballast_mib()) node.set_ballast_mib(kBallastMib);
  if (node.ballast_mib() < 0 || node.ballast_mib() > kKeepFreeMibMax) {
    mistakes.Add("node.ballast_mib",
                 absl::StrCat(node.ballast_mib(), " is not from 0 to ", kKeepFreeMibMax));
  }
  if (!node.backup_dir().empty() && node.backup_dir().front() != '/') {
    mistakes.Add("node.backup_dir", "must be an absolute path");
  }
  if (node.log_format().empty()) node.set_log_format("logfmt");
  mistakes.AddIfError("node.log_format", ParseLogFormat(node.log_format()).status());
  if (!node.has_drain_timeout()) *node.mutable_drain_timeout() = ToProto(absl::Seconds(10));
  if (node.listeners().empty()) mistakes.Add("node.listeners", "at least one is needed");
  if (node.listeners_size() > kListenersMax) {
    mistakes.Add("node.listeners", absl::StrCat("at most ", kListenersMax, " are possible"));
    return;
  }
  absl::flat_hash_map<std::string, int> seen;
  for (int i = 0; i < node.listeners_size(); ++i) {
    const std::string path = absl::StrCat("node.listeners[", i, "]");
    CompleteListener(path, *node.mutable_listeners(i), mistakes);
    const std::string& address = node.listeners(i).address();
    if (address.empty() || absl::EndsWith(address, ":0")) continue;
    const auto [first, is_new] = seen.emplace(address, i);
    if (!is_new) {
      mistakes.Add(absl::StrCat(path, ".address"),
                   absl::StrCat(address, " is node.listeners[", first->second, "]'s already"));
    }
  }
}

void CompleteSchedule(const std::string& path, int times_a_day, config::v1::Schedule& schedule,
                      Mistakes& mistakes) {
  if (!schedule.has_times_a_day()) schedule.set_times_a_day(times_a_day);
  if (schedule.times_a_day() < 0 || schedule.times_a_day() > kTimesADayMax) {
    mistakes.Add(absl::StrCat(path, ".times_a_day"),
                 absl::StrCat(schedule.times_a_day(), " is not from 0 to ", kTimesADayMax));
  }
  if (schedule.first_at().empty()) schedule.set_first_at("03:00");
  if (!IsTimeOfDay(schedule.first_at())) {
    mistakes.Add(absl::StrCat(path, ".first_at"),
                 absl::StrCat("\"", schedule.first_at(), "\" is not a time as in \"03:00\""));
  }
  if (!schedule.has_jitter()) *schedule.mutable_jitter() = ToProto(absl::Minutes(5));
  if (!schedule.has_retry_interval())
    *schedule.mutable_retry_interval() = ToProto(absl::Minutes(15));
  if (!schedule.has_retries()) schedule.set_retries(2);
  if (schedule.retries() < 0 || schedule.retries() > kRetriesMax) {
    mistakes.Add(absl::StrCat(path, ".retries"),
                 absl::StrCat(schedule.retries(), " is not from 0 to ", kRetriesMax));
  }
}

// "http://host:port", without user, path or anything else.
bool IsProxyUrl(absl::string_view url) {
  if (!absl::ConsumePrefix(&url, "http://")) return false;
  absl::ConsumeSuffix(&url, "/");
  const absl::StatusOr<HostPort> parts = SplitHostPort(url);
  return parts.ok() && parts->port > 0 && !absl::StrContains(url, '/') &&
         !absl::StrContains(url, '@');
}

void CompleteDebian(const std::string& path, config::v1::DebianSource& debian, Mistakes& mistakes) {
  if (!debian.proxy().empty() && !IsProxyUrl(debian.proxy())) {
    mistakes.Add(absl::StrCat(path, ".proxy"),
                 absl::StrCat("\"", WithoutCredentials(debian.proxy()),
                              "\" is not of the form \"http://host:port\""));
  }
  if (debian.from_apt_sources()) {
    if (!debian.uri().empty() || !debian.suite().empty() || !debian.components().empty() ||
        !debian.signed_by().empty()) {
      mistakes.Add(absl::StrCat(path, ".from_apt_sources"),
                   "stands instead of uri, suite, components and signed_by; leave those out");
    }
    return;
  }
  if (debian.languages().empty()) debian.add_languages("en");
  if (debian.architectures().empty()) debian.add_architectures(MachineArchitecture());
  if (!debian.suite_pattern().empty()) {
    mistakes.Add(absl::StrCat(path, ".suite_pattern"), "goes with from_apt_sources only");
  }
  if (debian.components().empty()) debian.add_components("main");
  if (!absl::StartsWith(debian.uri(), "http://") && !absl::StartsWith(debian.uri(), "https://") &&
      !absl::StartsWith(debian.uri(), "file:/")) {
    mistakes.Add(absl::StrCat(path, ".uri"),
                 debian.uri().empty() ? "is missing; as in \"http://archive.example.org/debian\""
                                      : absl::StrCat("\"", WithoutCredentials(debian.uri()),
                                                     "\" is neither http:, https: nor file:"));
  }
  if (debian.suite().empty()) {
    mistakes.Add(absl::StrCat(path, ".suite"), "is missing; as in \"bookworm-security\"");
  }
  if (debian.signed_by().empty()) {
    mistakes.Add(absl::StrCat(path, ".signed_by"),
                 "is missing; name the keyring file whose key signs the repository");
  } else if (!absl::EndsWith(debian.signed_by(), ".gpg") &&
             !absl::EndsWith(debian.signed_by(), ".asc")) {
    mistakes.Add(absl::StrCat(path, ".signed_by"), "must be a .gpg or .asc file");
  }
}

void CompleteSynthetic(const std::string& path, config::v1::SyntheticSource& synthetic,
                       Mistakes& mistakes) {
  if (synthetic.revisions() == 0) synthetic.set_revisions(10'000);
  const bool documents = synthetic.shape() == "documents";
  if (!documents && synthetic.shape() != "packages") {
    mistakes.Add(absl::StrCat(path, ".shape"),
                 absl::StrCat("\"", synthetic.shape(), "\" is none of packages, documents"));
  }
  const int max = documents ? kSyntheticDocumentsMax : kSyntheticPackagesMax;
  if (synthetic.revisions() < 1 || synthetic.revisions() > max) {
    mistakes.Add(absl::StrCat(path, ".revisions"),
                 absl::StrCat(synthetic.revisions(), " is not from 1 to ", max));
  }
}

void CompleteSource(const std::string& path, config::v1::Source& source, Mistakes& mistakes) {
  if (source.name().empty()) {
    mistakes.Add(absl::StrCat(path, ".name"), "is missing; sessions and commands name it");
  } else if (source.name().size() > kNameBytesMax) {
    mistakes.Add(absl::StrCat(path, ".name"),
                 absl::StrCat("is longer than ", kNameBytesMax, " bytes"));
  }
  if (source.has_debian() + source.has_directory() + source.has_synthetic() != 1) {
    mistakes.Add(path, "needs exactly one of debian, directory and synthetic");
  }
  if (source.has_debian()) {
    CompleteDebian(absl::StrCat(path, ".debian"), *source.mutable_debian(), mistakes);
  }
  if (source.has_directory() &&
      (source.directory().path().empty() || source.directory().path().front() != '/')) {
    mistakes.Add(absl::StrCat(path, ".directory.path"), "must be an absolute path");
  }
  if (source.has_synthetic()) {
    CompleteSynthetic(absl::StrCat(path, ".synthetic"), *source.mutable_synthetic(), mistakes);
  }
  CompleteSchedule(absl::StrCat(path, ".schedule"), /*times_a_day=*/1, *source.mutable_schedule(),
                   mistakes);
  if (!source.has_import_at_start()) source.set_import_at_start(true);
}

void CompleteLink(config::v1::UpstreamLink& link, Mistakes& mistakes) {
  const absl::StatusOr<bool> tls = CheckUpstreamTarget(
      link.target(), link.has_tls() ? std::optional<bool>(link.tls()) : std::nullopt);
  mistakes.AddIfError("upstream.target", tls.status());
  if (tls.ok()) link.set_tls(*tls);
  CompleteSchedule("upstream.schedule", /*times_a_day=*/24, *link.mutable_schedule(), mistakes);
  if (!link.has_watch()) link.set_watch(true);
  if (!link.has_stall_timeout()) *link.mutable_stall_timeout() = ToProto(absl::Seconds(30));
  if (link.stall_timeout().seconds() < 1) {
    mistakes.Add("upstream.stall_timeout", "must be at least 1 s");
  }
  if (link.parallel_transfers() == 0) link.set_parallel_transfers(4);
  if (link.parallel_transfers() < 0 || link.parallel_transfers() > kParallelTransfersMax) {
    mistakes.Add(
        "upstream.parallel_transfers",
        absl::StrCat(link.parallel_transfers(), " is not from 1 to ", kParallelTransfersMax));
  }
}

void CompleteParity(config::v1::ParitySchedule& parity, Mistakes& mistakes) {
  if (!parity.has_times_a_day()) parity.set_times_a_day(1);
  if (parity.times_a_day() < 0 || parity.times_a_day() > kTimesADayMax) {
    mistakes.Add("parity.times_a_day",
                 absl::StrCat(parity.times_a_day(), " is not from 0 to ", kTimesADayMax));
  }
  if (!parity.has_at_start()) parity.set_at_start(true);
  if (!parity.has_verify_content()) parity.set_verify_content(false);
}

}  // namespace

bool NeedsCertificate(const config::v1::Node& node) {
  return std::any_of(node.listeners().begin(), node.listeners().end(),
                     [](const config::v1::Listener& listener) { return listener.tls(); });
}

absl::Status CompleteConfig(config::v1::UpstreamDaemon& config) {
  Mistakes mistakes;
  CompleteNode(*config.mutable_node(), mistakes);
  absl::flat_hash_map<std::string, int> seen;
  for (int i = 0; i < config.sources_size(); ++i) {
    const std::string path = absl::StrCat("sources[", i, "]");
    CompleteSource(path, *config.mutable_sources(i), mistakes);
    const std::string& name = config.sources(i).name();
    const auto [first, is_new] = seen.emplace(name, i);
    if (!is_new && !name.empty()) {
      mistakes.Add(
          absl::StrCat(path, ".name"),
          absl::StrCat("\"", name, "\" is the name of sources[", first->second, "] already"));
    }
  }
  return mistakes.status();
}

absl::Status CompleteConfig(config::v1::DownstreamDaemon& config) {
  Mistakes mistakes;
  CompleteNode(*config.mutable_node(), mistakes);
  CompleteLink(*config.mutable_upstream(), mistakes);
  if (!config.has_guard_percent()) config.set_guard_percent(kGuardPercent);
  if (config.guard_percent() < 1 || config.guard_percent() > 100) {
    mistakes.Add("guard_percent", absl::StrCat(config.guard_percent(), " is not from 1 to 100"));
  }
  CompleteParity(*config.mutable_parity(), mistakes);
  if (config.mode().empty()) config.set_mode("replica");
  if (config.mode() != "replica" && config.mode() != "autonomous") {
    mistakes.Add("mode", absl::StrCat("\"", config.mode(), "\" is neither replica nor autonomous"));
  }
  CompleteFallbacks(config, [&mistakes](absl::string_view field, absl::string_view what) {
    mistakes.Add(field, what);
  });
  for (const config::v1::Listener& listener : config.node().listeners()) {
    if (!listener.address().empty() && listener.address() == config.upstream().target()) {
      mistakes.Add("upstream.target", "is this node's own listener; a node cannot follow itself");
    }
  }
  return mistakes.status();
}

}  // namespace sluice
