#include "upstream/serving_methods.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "common/uuid.h"
#include "upstream/selection_preview.h"

namespace sluice {
namespace {

// A change feed as a stream: at the head it waits for the next commit. A watching child that has
// something to hear is called to report.
class ChangesSource : public MessageSource {
 public:
  ChangesSource(ReplicationServer& server, const Uuid& child, bool watch, ChangeFeed feed)
      : catalog_(server.catalog()),
        board_(server.board()),
        child_(child),
        watching_(watch),
        calls_(board_.CallsOf(child)),
        feed_(std::move(feed)) {}
  ~ChangesSource() override {
    if (watch_ != 0) catalog_.Unwatch(watch_);
    if (board_watch_ != 0) board_.Unwatch(board_watch_);
  }

  Pull Next() override {
    const uint64_t calls = board_.CallsOf(child_);
    if (watching_ && calls != calls_) {
      calls_ = calls;
      v1::ChangesResponse call;
      call.mutable_report_wanted();
      return Pull::Message(call);
    }
    ChangeFeed::Step step = feed_.Next();
    switch (step.kind) {
      case ChangeFeed::Step::Kind::kMessage:
        if (step.bytes != nullptr) return Pull::Message(OutMessage{"", std::move(step.bytes)});
        return Pull::Message(step.message);
      case ChangeFeed::Step::Kind::kAtHead:
        return Pull::Wait();
      case ChangeFeed::Step::Kind::kEnd:
        break;
    }
    return Pull::End(std::move(step.status));
  }

  void OnWake(Waker waker) override {
    watch_ = catalog_.Watch([waker](const CommitOutcome&) { waker(); });
    board_watch_ = board_.Watch(std::move(waker));
  }

 private:
  Catalog& catalog_;
  ReportBoard& board_;
  const Uuid child_;
  const bool watching_;
  uint64_t calls_;  // That the child knows of.
  ChangeFeed feed_;
  int64_t watch_ = 0;
  int64_t board_watch_ = 0;
};

// A catalog as a stream: it never waits for anything but its reader.
class LoadSource : public MessageSource {
 public:
  explicit LoadSource(CatalogLoad load) : load_(std::move(load)) {}

  Pull Next() override {
    CatalogLoad::Step step = load_.Next();
    if (step.kind == CatalogLoad::Step::Kind::kMessage) return Pull::Message(step.message);
    return Pull::End(std::move(step.status));
  }

 private:
  CatalogLoad load_;
};

class ReconcileConversation : public Conversation<v1::ReconcileRequest, v1::ReconcileResponse> {
 public:
  explicit ReconcileConversation(ReconcileExchange exchange) : exchange_(exchange) {}

  absl::StatusOr<std::vector<v1::ReconcileResponse>> OnMessage(
      const v1::ReconcileRequest& request) override {
    return exchange_.Handle(request);
  }

 private:
  ReconcileExchange exchange_;
};

// A file as a stream; its bytes leave without being copied.
class ReadSource : public MessageSource {
 public:
  explicit ReadSource(ContentFeed feed) : feed_(feed) {}

  Pull Next() override {
    absl::StatusOr<std::optional<ContentChunk>> chunk = feed_.Next();
    if (!chunk.ok()) return Pull::End(chunk.status());
    if (!chunk->has_value()) return Pull::End();
    return Pull::Message(OutMessage{std::move((*chunk)->head), std::move((*chunk)->data)});
  }

 private:
  ContentFeed feed_;
};

// A request for files as a late answer.
class RequestSource : public MessageSource {
 public:
  RequestSource(ContentDemand& demand, Clock& clock, ContentWait wait)
      : demand_(demand), clock_(clock), wait_(std::move(wait)) {}
  ~RequestSource() override {
    if (watch_ != 0) demand_.Unwatch(watch_);
  }

  Pull Next() override {
    if (answered_) return Pull::End();
    const std::optional<v1::RequestResponse> response = wait_.Poll(clock_.Now());
    if (!response.has_value()) return Pull::Wait(wait_.until());
    answered_ = true;
    return Pull::Message(*response);
  }

  void OnWake(Waker waker) override { watch_ = demand_.Watch(std::move(waker)); }

 private:
  ContentDemand& demand_;
  Clock& clock_;
  ContentWait wait_;
  bool answered_ = false;
  int64_t watch_ = 0;
};

}  // namespace

absl::Status CheckCaller(const CallContext& context, absl::string_view node_id) {
  if (!context.identity.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Uuid claimed, Uuid::FromBytes(node_id));
  if (context.identity->kind == PeerKind::kNode && context.identity->name == claimed.ToString()) {
    return absl::OkStatus();
  }
  return MakeError(v1::REASON_DUPLICATE_NODE,
                   absl::StrCat("the caller says that it is node ", claimed.ToString(),
                                ", and its certificate says ", context.identity->Text()));
}

void AddReplicationMethods(ReplicationServer& server, Router& router) {
  router.Unary<v1::HelloRequest, v1::HelloResponse>(
      "sluice.v1.ReplicationService/Hello",
      [&server](const CallContext& context,
                const v1::HelloRequest& request) -> absl::StatusOr<v1::HelloResponse> {
        RETURN_IF_ERROR(CheckCaller(context, request.node_id()));
        return server.Hello(request);
      });
  router.ServerStream<v1::ChangesRequest>(
      "sluice.v1.ReplicationService/Changes",
      [&server](const CallContext& context, const v1::ChangesRequest& request)
          -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        RETURN_IF_ERROR(CheckCaller(context, request.node_id()));
        ASSIGN_OR_RETURN(const Uuid child, Uuid::FromBytes(request.node_id()));
        ASSIGN_OR_RETURN(ChangeFeed feed, server.Changes(request));
        return std::make_unique<ChangesSource>(server, child, request.watch(), std::move(feed));
      });
  router.ServerStream<v1::LoadRequest>(
      "sluice.v1.ReplicationService/Load",
      [&server](const CallContext& context,
                const v1::LoadRequest& request) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        RETURN_IF_ERROR(CheckCaller(context, request.node_id()));
        ASSIGN_OR_RETURN(CatalogLoad load, server.Load(request));
        return std::make_unique<LoadSource>(std::move(load));
      });
  router.Unary<v1::GetRecordsRequest, v1::GetRecordsResponse>(
      "sluice.v1.ReplicationService/GetRecords",
      [&server](const CallContext&, const v1::GetRecordsRequest& request) {
        return server.GetRecords(request);
      });
  router.Exchange<v1::ReconcileRequest, v1::ReconcileResponse>(
      "sluice.v1.ReplicationService/Reconcile", [&server](const CallContext&) {
        return std::make_unique<ReconcileConversation>(server.Reconcile());
      });
  router.Unary<v1::PreviewSelectionRequest, v1::PreviewSelectionResponse>(
      "sluice.v1.ReplicationService/PreviewSelection",
      [&server](const CallContext& context, const v1::PreviewSelectionRequest& request)
          -> absl::StatusOr<v1::PreviewSelectionResponse> {
        RETURN_IF_ERROR(CheckCaller(context, request.node_id()));
        return PreviewSelection(server.catalog().Read(), request);
      });
  router.Unary<v1::ReportRequest, v1::ReportResponse>(
      "sluice.v1.ReplicationService/Report",
      [&server](const CallContext& context,
                const v1::ReportRequest& request) -> absl::StatusOr<v1::ReportResponse> {
        if (request.nodes().empty()) return InvalidRequest({{"nodes", "is empty"}});
        RETURN_IF_ERROR(CheckCaller(context, request.nodes(0).node_id()));
        return server.Report(request);
      });
}

void AddContentMethods(ContentServer& server, Clock& clock, Router& router) {
  router.Unary<v1::FindMissingRequest, v1::FindMissingResponse>(
      "sluice.v1.ContentService/FindMissing",
      [&server](const CallContext&, const v1::FindMissingRequest& request) {
        return server.FindMissing(request);
      });
  router.Unary<v1::FindRepresentationsRequest, v1::FindRepresentationsResponse>(
      "sluice.v1.ContentService/FindRepresentations",
      [&server](const CallContext&, const v1::FindRepresentationsRequest& request) {
        return server.FindRepresentations(request);
      });
  router.ServerStream<v1::ReadRequest>(
      "sluice.v1.ContentService/Read",
      [&server](const CallContext&,
                const v1::ReadRequest& request) -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        ASSIGN_OR_RETURN(const ContentFeed feed, server.Read(request));
        return std::make_unique<ReadSource>(feed);
      });
  router.LateUnary<v1::RequestRequest>(
      "sluice.v1.ContentService/Request",
      [&server, &clock](const CallContext&, const v1::RequestRequest& request)
          -> absl::StatusOr<std::unique_ptr<MessageSource>> {
        ASSIGN_OR_RETURN(ContentWait wait, server.Request(request));
        return std::make_unique<RequestSource>(server.demand(), clock, std::move(wait));
      });
}

}  // namespace sluice
