#include "cli/raw/reflection_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace sluice {
namespace {

namespace v1_reflection = grpc::reflection::v1;
namespace alpha_reflection = grpc::reflection::v1alpha;

constexpr absl::string_view kMethod = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr absl::string_view kAlphaMethod =
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

}  // namespace

ReflectionClient::ReflectionClient(Channel& channel, CallOptions options)
    : channel_(channel), options_(options), pool_(&database_) {}

ReflectionClient::~ReflectionClient() = default;

template <typename Request, typename Response>
absl::StatusOr<Response> ReflectionClient::Ask(absl::string_view method, const Request& request) {
  const std::unique_ptr<ClientStream> stream = channel_.Open(method, options_);
  stream->Write(request);
  stream->CloseWrites();
  Response response;
  const bool answered = stream->Read(response);
  RETURN_IF_ERROR(stream->Finish());
  if (!answered) return absl::InternalError("the server's reflection gave no answer");
  return response;
}

template <typename Request, typename Response>
absl::StatusOr<std::vector<std::string>> ReflectionClient::ListBy(absl::string_view method) {
  Request request;
  request.set_list_services("*");
  absl::StatusOr<Response> response = Ask<Request, Response>(method, request);
  if (!response.ok()) return response.status();
  std::vector<std::string> names;
  for (const auto& service : response->list_services_response().service()) {
    names.push_back(service.name());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::vector<std::string>> ReflectionClient::ListServices() {
  auto names =
      ListBy<v1_reflection::ServerReflectionRequest, v1_reflection::ServerReflectionResponse>(
          kMethod);
  if (!absl::IsUnimplemented(names.status())) return names;
  use_alpha_ = true;
  names =
      ListBy<alpha_reflection::ServerReflectionRequest, alpha_reflection::ServerReflectionResponse>(
          kAlphaMethod);
  if (absl::IsUnimplemented(names.status())) {
    return absl::UnimplementedError("server does not support the reflection API");
  }
  return names;
}

template <typename Request, typename Response>
absl::Status ReflectionClient::LoadBy(absl::string_view method, const Request& request) {
  absl::StatusOr<Response> response = Ask<Request, Response>(method, request);
  RETURN_IF_ERROR(response.status());
  if (response->has_error_response()) {
    return absl::NotFoundError(response->error_response().error_message());
  }
  const auto& files = response->file_descriptor_response().file_descriptor_proto();
  return AddFiles(std::vector<std::string>(files.begin(), files.end()));
}

absl::Status ReflectionClient::AddFiles(const std::vector<std::string>& serialized) {
  std::vector<std::string> wanted;
  for (const std::string& bytes : serialized) {
    google::protobuf::FileDescriptorProto file;
    if (!file.ParseFromString(bytes)) return absl::DataLossError("a descriptor does not parse");
    if (!files_.insert(file.name()).second) continue;
    database_.Add(file);
    wanted.insert(wanted.end(), file.dependency().begin(), file.dependency().end());
  }
  for (const std::string& name : wanted) {
    if (!files_.contains(name)) RETURN_IF_ERROR(LoadFile(name));
  }
  return absl::OkStatus();
}

absl::Status ReflectionClient::LoadFile(const std::string& name) {
  if (use_alpha_) {
    alpha_reflection::ServerReflectionRequest request;
    request.set_file_by_filename(name);
    return LoadBy<alpha_reflection::ServerReflectionRequest,
                  alpha_reflection::ServerReflectionResponse>(kAlphaMethod, request);
  }
  v1_reflection::ServerReflectionRequest request;
  request.set_file_by_filename(name);
  return LoadBy<v1_reflection::ServerReflectionRequest, v1_reflection::ServerReflectionResponse>(
      kMethod, request);
}

absl::Status ReflectionClient::Load(absl::string_view symbol) {
  absl::Status status;
  if (!use_alpha_) {
    v1_reflection::ServerReflectionRequest request;
    request.set_file_containing_symbol(std::string(symbol));
    status =
        LoadBy<v1_reflection::ServerReflectionRequest, v1_reflection::ServerReflectionResponse>(
            kMethod, request);
    use_alpha_ = absl::IsUnimplemented(status);
  }
  if (use_alpha_) {
    alpha_reflection::ServerReflectionRequest request;
    request.set_file_containing_symbol(std::string(symbol));
    status = LoadBy<alpha_reflection::ServerReflectionRequest,
                    alpha_reflection::ServerReflectionResponse>(kAlphaMethod, request);
    if (absl::IsUnimplemented(status)) {
      return absl::UnimplementedError("server does not support the reflection API");
    }
  }
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(absl::StrCat("Symbol not found: ", symbol));
  }
  return status;
}

}  // namespace sluice
