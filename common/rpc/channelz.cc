#include "common/rpc/channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/util/json_util.h"
#include "grpc/channelz/v1/channelz.pb.h"

namespace sluice {
namespace {

namespace channelz = grpc::channelz::v1;

absl::Status CheckIsUnixSocket(const CallContext& context) {
  if (absl::StartsWith(context.local_identity, "local:unix:")) return absl::OkStatus();
  return MakeError(v1::REASON_ROLE_REQUIRED,
                   "channelz answers on this machine's administrator socket only");
}

// Takes gRPC's answer, JSON in the form of the protocol, which it leaves to us to free.
template <typename Response>
absl::StatusOr<Response> Parse(char* json, const std::string& what) {
  const std::unique_ptr<char, void (*)(void*)> owned(json, gpr_free);
  if (owned == nullptr) return absl::NotFoundError(absl::StrCat("there is no ", what));
  Response response;
  const auto parsed = google::protobuf::util::JsonStringToMessage(owned.get(), &response);
  if (!parsed.ok()) {
    return absl::InternalError(
        absl::StrCat("reading gRPC's answer about ", what, ": ", parsed.message().ToString()));
  }
  return response;
}

// Adds the method that asks `ask` (of the request: JSON) about `what`.
template <typename Request, typename Response, typename Ask>
void Add(Router& router, const std::string& name, const std::string& what, Ask ask) {
  router.Unary<Request, Response>(
      "grpc.channelz.v1.Channelz/" + name,
      [ask, what](const CallContext& context, const Request& request) -> absl::StatusOr<Response> {
        RETURN_IF_ERROR(CheckIsUnixSocket(context));
        return Parse<Response>(ask(request), what);
      });
}

}  // namespace

void AddChannelz(Router& router) {
  Add<channelz::GetTopChannelsRequest, channelz::GetTopChannelsResponse>(
      router, "GetTopChannels", "channel", [](const channelz::GetTopChannelsRequest& request) {
        return grpc_channelz_get_top_channels(request.start_channel_id());
      });
  Add<channelz::GetServersRequest, channelz::GetServersResponse>(
      router, "GetServers", "server", [](const channelz::GetServersRequest& request) {
        return grpc_channelz_get_servers(request.start_server_id());
      });
  Add<channelz::GetServerRequest, channelz::GetServerResponse>(
      router, "GetServer", "such server", [](const channelz::GetServerRequest& request) {
        return grpc_channelz_get_server(request.server_id());
      });
  Add<channelz::GetServerSocketsRequest, channelz::GetServerSocketsResponse>(
      router, "GetServerSockets", "such server",
      [](const channelz::GetServerSocketsRequest& request) {
        return grpc_channelz_get_server_sockets(request.server_id(), request.start_socket_id(),
                                                request.max_results());
      });
  Add<channelz::GetChannelRequest, channelz::GetChannelResponse>(
      router, "GetChannel", "such channel", [](const channelz::GetChannelRequest& request) {
        return grpc_channelz_get_channel(request.channel_id());
      });
  Add<channelz::GetSubchannelRequest, channelz::GetSubchannelResponse>(
      router, "GetSubchannel", "such subchannel",
      [](const channelz::GetSubchannelRequest& request) {
        return grpc_channelz_get_subchannel(request.subchannel_id());
      });
  Add<channelz::GetSocketRequest, channelz::GetSocketResponse>(
      router, "GetSocket", "such socket", [](const channelz::GetSocketRequest& request) {
        return grpc_channelz_get_socket(request.socket_id());
      });
}

}  // namespace sluice
