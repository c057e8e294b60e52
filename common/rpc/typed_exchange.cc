#include "common/rpc/typed_exchange.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace sluice {

absl::Status ParseRequest(absl::string_view bytes, google::protobuf::Message& request) {
  if (request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return MakeError(v1::REASON_INVALID_REQUEST,
                   absl::StrCat("the request's ", bytes.size(), " bytes are no ",
                                std::string(request.GetDescriptor()->full_name())));
}

absl::Status NoRequest() {
  return MakeError(v1::REASON_INVALID_REQUEST, "the call ended without a request");
}

absl::Status SecondRequest() {
  return MakeError(v1::REASON_INVALID_REQUEST, "the method takes one request and got a second one");
}

}  // namespace sluice
