#include "common/rpc/reflection.h"

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "gtest/gtest.h"
#include "sluice/v1/tree_service.pb.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

template <typename Names>
class ReflectionTest : public ::testing::Test {
 protected:
  using Request = typename Names::Request;
  using Response = typename Names::Response;

  ReflectionTest() {
    router_.Unary<v1::ListNodesRequest, v1::ListNodesResponse>(
        "sluice.v1.TreeService/ListNodes",
        [](const CallContext&, const v1::ListNodesRequest&) { return v1::ListNodesResponse(); });
    AddReflection(router_);
    exchange_ = (*router_.Find(Names::kPath))->open(CallContext());
  }

  Response Ask(const Request& request) {
    EXPECT_TRUE(exchange_->OnMessage(request.SerializeAsString()).ok());
    const Pull pull = exchange_->Next();
    EXPECT_EQ(pull.kind, Pull::Kind::kMessage);
    Response response;
    EXPECT_TRUE(response.ParseFromString(pull.message.head));
    return response;
  }
  static std::vector<std::string> FilesOf(const Response& response) {
    std::vector<std::string> names;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  Router router_;
  std::unique_ptr<MessageExchange> exchange_;
};

struct V1 {
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
  static constexpr absl::string_view kPath =
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
};
struct V1Alpha {
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
  static constexpr absl::string_view kPath =
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
};
using BothNames = ::testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, BothNames);

TYPED_TEST(ReflectionTest, ListsWhatTheRouterServes) {
  typename TypeParam::Request request;
  request.set_list_services("");
  std::vector<std::string> names;
  const auto response = this->Ask(request);
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names,
              ElementsAre("grpc.reflection.v1.ServerReflection",
                          "grpc.reflection.v1alpha.ServerReflection", "sluice.v1.TreeService"));
}

TYPED_TEST(ReflectionTest, DescribesASymbolWithAllThatItsFileImports) {
  typename TypeParam::Request request;
  request.set_file_containing_symbol("sluice.v1.TreeService.ListNodes");
  const auto files = this->FilesOf(this->Ask(request));
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(files.front(), "sluice/v1/tree_service.proto");
  EXPECT_THAT(files, Contains("google/protobuf/timestamp.proto"));
}

TYPED_TEST(ReflectionTest, DescribesAFileByName) {
  typename TypeParam::Request request;
  request.set_file_by_filename("google/rpc/error_details.proto");
  EXPECT_EQ(this->FilesOf(this->Ask(request)).front(), "google/rpc/error_details.proto");
}

TYPED_TEST(ReflectionTest, AnswersWhatItDoesNotKnowAndGoesOn) {
  typename TypeParam::Request request;
  request.set_file_containing_symbol("no.Such");
  const auto unknown = this->Ask(request);
  EXPECT_EQ(unknown.error_response().error_code(), 5);
  EXPECT_EQ(unknown.error_response().error_message(), "no.Such is not known here");
  EXPECT_EQ(unknown.original_request().file_containing_symbol(), "no.Such");
  request.mutable_file_containing_extension()->set_containing_type("sluice.v1.TreeNode");
  request.mutable_file_containing_extension()->set_extension_number(7);
  EXPECT_EQ(this->Ask(request).error_response().error_code(), 5);
  request.set_all_extension_numbers_of_type("no.Such");
  EXPECT_EQ(this->Ask(request).error_response().error_code(), 5);
  request.Clear();
  EXPECT_EQ(this->Ask(request).error_response().error_code(), 3);
}

TYPED_TEST(ReflectionTest, NamesTheTypeWhoseExtensionsItLists) {
  typename TypeParam::Request request;
  request.set_all_extension_numbers_of_type("google.protobuf.MethodOptions");
  EXPECT_EQ(this->Ask(request).all_extension_numbers_response().base_type_name(),
            "google.protobuf.MethodOptions");
}

}  // namespace
}  // namespace sluice
