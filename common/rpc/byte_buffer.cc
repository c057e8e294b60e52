#include "common/rpc/byte_buffer.h"

#include <memory>
#include <utility>

#include "common/rpc/wire_status.h"

namespace sluice {
namespace {

using SharedBytes = std::shared_ptr<const std::string>;

// A slice that keeps `bytes` alive for as long as it is in use.
grpc::Slice SharedSlice(SharedBytes bytes) {
  auto* keeper = new SharedBytes(std::move(bytes));
  // The interface has no const, but nothing writes to what is sent.
  return grpc::Slice(
      const_cast<char*>((*keeper)->data()), (*keeper)->size(),
      [](void* user_data) { delete static_cast<SharedBytes*>(user_data); }, keeper);
}

}  // namespace

grpc::ByteBuffer ToByteBuffer(OutMessage message) {
  const grpc::Slice slices[] = {
      grpc::Slice(message.head),
      message.tail == nullptr ? grpc::Slice() : SharedSlice(std::move(message.tail))};
  return grpc::ByteBuffer(slices, slices[1].size() == 0 ? 1 : 2);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  text.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

grpc::Status ToGrpc(const absl::Status& status) {
  WireStatus wire = ToWire(status);
  return grpc::Status(static_cast<grpc::StatusCode>(wire.code), wire.message, wire.details);
}

absl::Status FromGrpc(const grpc::Status& status) {
  return FromWire(
      {static_cast<int>(status.error_code()), status.error_message(), status.error_details()});
}

MessageSlices ReceivedMessage::Take(grpc::ByteBuffer& buffer) {
  views_.clear();
  slices_.clear();
  if (!buffer.Dump(&slices_).ok()) slices_.clear();
  buffer.Clear();
  for (const grpc::Slice& slice : slices_) {
    views_.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return views_;
}

}  // namespace sluice
