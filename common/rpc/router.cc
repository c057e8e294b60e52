#include "common/rpc/router.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace sluice {
namespace {

// "sluice.v1.TreeService" of "/sluice.v1.TreeService/ListNodes"; empty when it is no such path.
absl::string_view ServiceOf(absl::string_view path) {
  if (!absl::ConsumePrefix(&path, "/")) return "";
  const size_t slash = path.find('/');
  return slash == absl::string_view::npos ? "" : path.substr(0, slash);
}

MethodKind KindOf(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? MethodKind::kExchange : MethodKind::kClientStream;
  }
  return method.server_streaming() ? MethodKind::kServerStream : MethodKind::kUnary;
}

[[noreturn]] void Die(const std::string& path, const char* fault) {
  std::fprintf(stderr, "a handler was added for %s, which %s\n", path.c_str(), fault);
  std::abort();
}

}  // namespace

void Router::Add(const Signature& signature, Opener open) {
  std::string path = absl::StrCat("/", absl::StripPrefix(signature.method, "/"));
  if (ServiceOf(path).empty()) Die(path, "is no method's name");
  if (methods_.count(path) != 0) Die(path, "was added before");
  const google::protobuf::MethodDescriptor* described =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
          absl::StrReplaceAll(path.substr(1), {{"/", "."}}));
  if (described != nullptr) {
    if (described->input_type() != signature.request) Die(path, "takes another message");
    if (signature.response != nullptr && described->output_type() != signature.response) {
      Die(path, "returns another message");
    }
    if (KindOf(*described) != signature.kind) Die(path, "is of another kind");
  }
  methods_.emplace(path, Method{path, signature.kind, std::move(open)});
}

absl::StatusOr<const Method*> Router::Find(absl::string_view path) const {
  const auto found = methods_.find(path);
  if (found != methods_.end()) return &found->second;
  const absl::string_view service = ServiceOf(path);
  for (const auto& [known, method] : methods_) {
    if (service.empty() || ServiceOf(known) != service) continue;
    return absl::UnimplementedError(
        absl::StrCat("unknown method ", path.substr(service.size() + 2), " of service ", service));
  }
  return absl::UnimplementedError(
      absl::StrCat("unknown service ", service.empty() ? path : service));
}

std::vector<const Method*> Router::Methods() const {
  std::vector<const Method*> methods;
  for (const auto& [path, method] : methods_) methods.push_back(&method);
  return methods;
}

std::vector<std::string> Router::ServiceNames() const {
  std::vector<std::string> names;
  for (const auto& [path, method] : methods_) {
    const absl::string_view service = ServiceOf(path);
    if (names.empty() || names.back() != service) names.emplace_back(service);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace sluice
