#include "cli/showing_caller.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/tls/certificate.h"
#include "google/protobuf/util/json_util.h"

namespace sluice {
namespace {

std::string RequestJson(const google::protobuf::Message& request) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(request, &json);
  return status.ok() ? json : status.ToString();
}

}  // namespace

std::string ShellQuoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

absl::Status ShowingCaller::Unary(absl::string_view method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response) {
  Show(method, ShellQuoted(RequestJson(request)));
  return inner_.Unary(method, request, response);
}

absl::Status ShowingCaller::ServerStream(absl::string_view method,
                                         const google::protobuf::Message& request,
                                         google::protobuf::Message& response, absl::Duration limit,
                                         absl::FunctionRef<bool()> on_message) {
  Show(method, ShellQuoted(RequestJson(request)));
  return inner_.ServerStream(method, request, response, limit, on_message);
}

absl::Status ShowingCaller::ClientStream(absl::string_view method,
                                         google::protobuf::Message& request,
                                         absl::FunctionRef<absl::StatusOr<bool>()> next,
                                         google::protobuf::Message& response) {
  // The messages hold whole files, which is more than a line can show.
  Show(method, "@");
  return inner_.ClientStream(method, request, next, response);
}

void ShowingCaller::Show(absl::string_view method, absl::string_view data) {
  // The way in which grpcurl takes the address of a Unix socket, too.
  absl::string_view address = target_.address;
  const bool is_unix = absl::ConsumePrefix(&address, "unix:");
  std::string how = "-plaintext";
  if (!is_unix && !target_.certificates.empty()) {
    const CertificatePaths paths = CertificatePaths::In(target_.certificates);
    how = absl::StrCat("-cacert ", paths.authorities, " -cert ", paths.certificate, " -key ",
                       paths.key);
  }
  err_ << "sluice " << how << " " << (is_unix ? "-unix " : "") << "-d " << data << " " << address
       << " " << method << std::endl;
}

}  // namespace sluice
