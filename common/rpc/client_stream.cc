#include "common/rpc/client_stream.h"

#include "absl/strings/str_cat.h"

namespace sluice {

absl::Status ParseSlices(MessageSlices slices, google::protobuf::Message& message) {
  absl::string_view whole;
  std::string joined;
  if (slices.size() == 1) {
    whole = slices[0];
  } else {
    for (const absl::string_view slice : slices) absl::StrAppend(&joined, slice);
    whole = joined;
  }
  if (message.ParseFromArray(whole.data(), static_cast<int>(whole.size()))) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the received ", whole.size(), " bytes are no ",
                                          std::string(message.GetDescriptor()->full_name())));
}

}  // namespace sluice
