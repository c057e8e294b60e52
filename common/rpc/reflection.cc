#include "common/rpc/reflection.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace sluice {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

// The file and all that it imports; clients that know nothing need them all.
void AddFile(const FileDescriptor* file, std::set<const FileDescriptor*>& seen,
             std::vector<std::string>& files) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  files.push_back(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i), seen, files);
}

// One stream of questions. v1 and v1alpha differ in the names of their messages alone.
template <typename Request, typename Response>
class ReflectionConversation : public Conversation<Request, Response> {
 public:
  explicit ReflectionConversation(const Router& router) : router_(router) {}

  absl::StatusOr<std::vector<Response>> OnMessage(const Request& request) override {
    Response response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    Answer(request, response);
    return std::vector<Response>{std::move(response)};
  }

 private:
  void Answer(const Request& request, Response& response) {
    switch (request.message_request_case()) {
      case Request::kListServices:
        for (const std::string& name : router_.ServiceNames()) {
          response.mutable_list_services_response()->add_service()->set_name(name);
        }
        return;
      case Request::kFileByFilename:
        return Describe(Pool().FindFileByName(request.file_by_filename()),
                        request.file_by_filename(), response);
      case Request::kFileContainingSymbol:
        return Describe(Pool().FindFileContainingSymbol(request.file_containing_symbol()),
                        request.file_containing_symbol(), response);
      case Request::kFileContainingExtension:
        return DescribeExtension(request.file_containing_extension().containing_type(),
                                 request.file_containing_extension().extension_number(), response);
      case Request::kAllExtensionNumbersOfType:
        return ListExtensions(request.all_extension_numbers_of_type(), response);
      case Request::MESSAGE_REQUEST_NOT_SET:
        break;
    }
    SetError(absl::StatusCode::kInvalidArgument, "the request asks for nothing", response);
  }

  void Describe(const FileDescriptor* file, const std::string& asked, Response& response) {
    if (file == nullptr) {
      return SetError(absl::StatusCode::kNotFound, absl::StrCat(asked, " is not known here"),
                      response);
    }
    std::set<const FileDescriptor*> seen;
    std::vector<std::string> files;
    AddFile(file, seen, files);
    for (std::string& bytes : files) {
      response.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(bytes));
    }
  }

  void DescribeExtension(const std::string& type, int number, Response& response) {
    const Descriptor* extended = Pool().FindMessageTypeByName(type);
    const FieldDescriptor* extension =
        extended == nullptr ? nullptr : Pool().FindExtensionByNumber(extended, number);
    Describe(extension == nullptr ? nullptr : extension->file(),
             absl::StrCat("extension ", number, " of ", type), response);
  }

  void ListExtensions(const std::string& type, Response& response) {
    const Descriptor* extended = Pool().FindMessageTypeByName(type);
    if (extended == nullptr) return Describe(nullptr, type, response);
    std::vector<const FieldDescriptor*> extensions;
    Pool().FindAllExtensions(extended, &extensions);
    response.mutable_all_extension_numbers_response()->set_base_type_name(type);
    for (const FieldDescriptor* extension : extensions) {
      response.mutable_all_extension_numbers_response()->add_extension_number(extension->number());
    }
  }

  void SetError(absl::StatusCode code, const std::string& message, Response& response) {
    response.mutable_error_response()->set_error_code(static_cast<int>(code));
    response.mutable_error_response()->set_error_message(message);
  }

  const Router& router_;
};

template <typename Request, typename Response>
void AddService(absl::string_view method, Router& router) {
  router.Exchange<Request, Response>(method, [&router](const CallContext&) {
    return std::make_unique<ReflectionConversation<Request, Response>>(router);
  });
}

}  // namespace

void AddReflection(Router& router) {
  // Clients ask for the types of error details by name; so they must be linked.
  google::protobuf::LinkMessageReflection<google::rpc::ErrorInfo>();
  google::protobuf::LinkMessageReflection<google::rpc::Status>();
  AddService<grpc::reflection::v1::ServerReflectionRequest,
             grpc::reflection::v1::ServerReflectionResponse>(
      "grpc.reflection.v1.ServerReflection/ServerReflectionInfo", router);
  AddService<grpc::reflection::v1alpha::ServerReflectionRequest,
             grpc::reflection::v1alpha::ServerReflectionResponse>(
      "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", router);
}

}  // namespace sluice
