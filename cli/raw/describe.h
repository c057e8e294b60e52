// Describe: a descriptor in words, the way grpcurl prints it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace sluice {

// "<name> is <kind>:" and its definition. Errors: NOT_FOUND "Symbol not found: X".
absl::StatusOr<std::string> DescribeSymbol(const google::protobuf::DescriptorPool& pool,
                                           absl::string_view symbol);

// A method as "rpc Name ( .Request ) returns ( stream .Response );".
std::string DescribeMethod(const google::protobuf::MethodDescriptor& method);

// A JSON object that shows every field of a message once.
std::string MessageTemplate(const google::protobuf::Descriptor& message);

}  // namespace sluice
