// Reflection client: the descriptors of a server, asked for by grpc.reflection v1, or v1alpha where
// that is all there is.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/channel.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor_database.h"

namespace sluice {

class ReflectionClient {
 public:
  explicit ReflectionClient(Channel& channel, CallOptions options);
  ~ReflectionClient();

  // Names of all services, sorted.
  absl::StatusOr<std::vector<std::string>> ListServices();

  // Loads what is needed for a symbol into the pool. Errors: NOT_FOUND "Symbol not found: X".
  absl::Status Load(absl::string_view symbol);

  const google::protobuf::DescriptorPool& pool() const { return pool_; }

 private:
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(absl::string_view method, const Request& request);
  template <typename Request, typename Response>
  absl::StatusOr<std::vector<std::string>> ListBy(absl::string_view method);
  template <typename Request, typename Response>
  absl::Status LoadBy(absl::string_view method, const Request& request);
  absl::Status LoadFile(const std::string& name);
  absl::Status AddFiles(const std::vector<std::string>& serialized);

  Channel& channel_;
  const CallOptions options_;
  bool use_alpha_ = false;
  google::protobuf::SimpleDescriptorDatabase database_;
  google::protobuf::DescriptorPool pool_;
  std::set<std::string> files_;
};

}  // namespace sluice
