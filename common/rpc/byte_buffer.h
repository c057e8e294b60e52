// Byte buffer: messages as gRPC carries them, to and from ours. For the gRPC side of this folder
// only.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/rpc/client_stream.h"
#include "common/rpc/message_source.h"

namespace sluice {

// The tail becomes a slice of its own that shares the bytes.
grpc::ByteBuffer ToByteBuffer(OutMessage message);

std::string ToString(const grpc::ByteBuffer& buffer);

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// Keeps a received message while its slices are looked at.
class ReceivedMessage {
 public:
  // Takes what `buffer` holds. The slices are valid until the next call.
  MessageSlices Take(grpc::ByteBuffer& buffer);

 private:
  std::vector<grpc::Slice> slices_;
  std::vector<absl::string_view> views_;
};

}  // namespace sluice
