#include "common/rpc/channelz.h"

#include <algorithm>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "grpc/channelz/v1/channelz.pb.h"
#include "tests/common/rpc/served_router.h"

namespace sluice {
namespace {

namespace channelz = grpc::channelz::v1;

class ChannelzTest : public ServedRouterTest {
 protected:
  ChannelzTest() {
    AddChannelz(router_);
    Start({}, {{UnixAddress("admin.sock"), {Role::kAdministrator}},
               {UnixAddress("viewer.sock"), {Role::kViewer}},
               {"127.0.0.1:0", kEveryRole}});
    channel_ = Connect();
  }

  template <typename Response>
  Response Ask(const std::string& method, const google::protobuf::Message& request) {
    Response response;
    const absl::Status status =
        channel_->Unary("grpc.channelz.v1.Channelz/" + method, request, response, Bounded());
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }
  absl::Status AskAt(size_t listener) {
    channelz::GetServersResponse response;
    return Connect(listener)->Unary("grpc.channelz.v1.Channelz/GetServers",
                                    channelz::GetServersRequest(), response, Bounded());
  }

  // Stays open, so that its socket can be looked at.
  std::unique_ptr<Channel> channel_;
};

TEST_F(ChannelzTest, ShowsServersTheirSocketsAndChannels) {
  const auto servers =
      Ask<channelz::GetServersResponse>("GetServers", channelz::GetServersRequest());
  const auto called =
      std::find_if(servers.server().begin(), servers.server().end(),
                   [](const channelz::Server& one) { return one.data().calls_started() > 0; });
  ASSERT_NE(called, servers.server().end()) << servers.DebugString();
  const channelz::Server& server = *called;

  channelz::GetServerRequest one;
  one.set_server_id(server.ref().server_id());
  EXPECT_EQ(Ask<channelz::GetServerResponse>("GetServer", one).server().ref().server_id(),
            server.ref().server_id());

  channelz::GetServerSocketsRequest sockets;
  sockets.set_server_id(server.ref().server_id());
  const auto open = Ask<channelz::GetServerSocketsResponse>("GetServerSockets", sockets);
  ASSERT_GE(open.socket_ref_size(), 1);
  channelz::GetSocketRequest socket;
  socket.set_socket_id(open.socket_ref(open.socket_ref_size() - 1).socket_id());
  EXPECT_GE(Ask<channelz::GetSocketResponse>("GetSocket", socket).socket().data().streams_started(),
            1);

  const auto channels =
      Ask<channelz::GetTopChannelsResponse>("GetTopChannels", channelz::GetTopChannelsRequest());
  ASSERT_GE(channels.channel_size(), 1);
  channelz::GetChannelRequest channel;
  channel.set_channel_id(channels.channel(0).ref().channel_id());
  EXPECT_EQ(Ask<channelz::GetChannelResponse>("GetChannel", channel).channel().ref().channel_id(),
            channel.channel_id());
}

TEST_F(ChannelzTest, SaysWhatIsNotThere) {
  channelz::GetSocketRequest request;
  request.set_socket_id(1 << 30);
  channelz::GetSocketResponse response;
  const absl::Status status =
      Connect()->Unary("grpc.channelz.v1.Channelz/GetSocket", request, response, Bounded());
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
}

TEST_F(ChannelzTest, AnswersOnTheAdministratorsSocketOnly) {
  EXPECT_TRUE(AskAt(0).ok()) << AskAt(0);
  EXPECT_EQ(ReasonOf(AskAt(1)), v1::REASON_ROLE_REQUIRED) << AskAt(1);
  EXPECT_EQ(ReasonOf(AskAt(2)), v1::REASON_ROLE_REQUIRED) << AskAt(2);
}

}  // namespace
}  // namespace sluice
