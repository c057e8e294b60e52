// Typed exchange: messages in, messages out, put on top of bytes; one class for each kind of
// method.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/call_context.h"
#include "common/rpc/message_exchange.h"
#include "common/rpc/message_source.h"
#include "common/status.h"
#include "google/protobuf/message.h"

namespace sluice {

// One call with many requests. Nothing is called by two threads at once.
template <typename Req, typename Res>
class Conversation {
 public:
  virtual ~Conversation() = default;

  // The answers to one message, in order; a failure ends the call.
  virtual absl::StatusOr<std::vector<Res>> OnMessage(const Req& request) = 0;

  // The caller is done: the last answers. A client stream answers with exactly one here. A caller
  // that was lost may look like one that is done, so whether everything came is judged by what
  // came.
  virtual absl::StatusOr<std::vector<Res>> OnEnd() { return std::vector<Res>(); }
};

// Errors: INVALID_ARGUMENT INVALID_REQUEST the bytes are no such message.
absl::Status ParseRequest(absl::string_view bytes, google::protobuf::Message& request);

// What a call that takes exactly one request answers when there was none, or a second one.
absl::Status NoRequest();
absl::Status SecondRequest();

template <typename Req, typename Res>
class UnaryExchange : public MessageExchange {
 public:
  using Handler = std::function<absl::StatusOr<Res>(const CallContext&, const Req&)>;
  UnaryExchange(CallContext context, Handler handler)
      : context_(std::move(context)), handler_(std::move(handler)) {}

  absl::Status OnMessage(absl::string_view bytes) override {
    if (answered_) return SecondRequest();
    Req request;
    RETURN_IF_ERROR(ParseRequest(bytes, request));
    absl::StatusOr<Res> response = handler_(context_, request);
    if (!response.ok()) return response.status();
    answered_ = true;
    answer_ = Pull::Message(*response);
    return absl::OkStatus();
  }
  absl::Status OnHalfClose() override { return answered_ ? absl::OkStatus() : NoRequest(); }
  Pull Next() override {
    if (!answered_) return Pull::Wait();
    return std::exchange(answer_, Pull::End());
  }

 private:
  const CallContext context_;
  const Handler handler_;
  bool answered_ = false;
  Pull answer_;
};

template <typename Req>
class SourceExchange : public MessageExchange {
 public:
  using Handler =
      std::function<absl::StatusOr<std::unique_ptr<MessageSource>>(const CallContext&, const Req&)>;
  SourceExchange(CallContext context, Handler handler)
      : context_(std::move(context)), handler_(std::move(handler)) {}

  absl::Status OnMessage(absl::string_view bytes) override {
    if (source_ != nullptr) return SecondRequest();
    Req request;
    RETURN_IF_ERROR(ParseRequest(bytes, request));
    ASSIGN_OR_RETURN(source_, handler_(context_, request));
    source_->OnWake(waker_);
    return absl::OkStatus();
  }
  absl::Status OnHalfClose() override {
    return source_ != nullptr ? absl::OkStatus() : NoRequest();
  }
  Pull Next() override { return source_ != nullptr ? source_->Next() : Pull::Wait(); }
  void OnWake(Waker waker) override { waker_ = std::move(waker); }

 private:
  const CallContext context_;
  const Handler handler_;
  Waker waker_;
  std::unique_ptr<MessageSource> source_;
};

template <typename Req, typename Res>
class ConversationExchange : public MessageExchange {
 public:
  explicit ConversationExchange(std::unique_ptr<Conversation<Req, Res>> conversation)
      : conversation_(std::move(conversation)) {}

  absl::Status OnMessage(absl::string_view bytes) override {
    Req request;
    RETURN_IF_ERROR(ParseRequest(bytes, request));
    return Queue(conversation_->OnMessage(request));
  }
  absl::Status OnHalfClose() override {
    ended_ = true;
    return Queue(conversation_->OnEnd());
  }
  Pull Next() override {
    if (answers_.empty()) return ended_ ? Pull::End() : Pull::Wait();
    Pull next = std::move(answers_.front());
    answers_.pop_front();
    return next;
  }

 private:
  absl::Status Queue(absl::StatusOr<std::vector<Res>> answers) {
    if (!answers.ok()) return answers.status();
    for (const Res& answer : *answers) answers_.push_back(Pull::Message(answer));
    return absl::OkStatus();
  }

  const std::unique_ptr<Conversation<Req, Res>> conversation_;
  std::deque<Pull> answers_;
  bool ended_ = false;
};

}  // namespace sluice
