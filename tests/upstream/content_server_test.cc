#include "upstream/content_server.h"

#include <map>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Answers as the test says.
class ScriptedDemand : public ContentDemand {
 public:
  v1::ContentAnswer Want(const Digest& digest) override {
    v1::ContentAnswer answer;
    answer.set_digest(digest.bytes());
    answer.set_state(states[digest]);
    return answer;
  }
  int64_t Watch(std::function<void()> /*wake*/) override { return 1; }
  void Unwatch(int64_t /*handle*/) override {}

  std::map<Digest, v1::ContentState> states;
};

const Digest kAbsent = Digest::Of("absent");

class ContentServerTest : public ::testing::Test {
 protected:
  Digest Store(const std::string& bytes) {
    const Digest digest = Digest::Of(bytes);
    const auto writer = content_.Write(digest, static_cast<int64_t>(bytes.size())).value();
    EXPECT_TRUE(writer->Append(bytes).ok());
    EXPECT_TRUE(writer->Commit().ok());
    return digest;
  }

  static v1::ReadRequest ReadOf(const Digest& digest, int64_t offset) {
    v1::ReadRequest request;
    request.set_digest(digest.bytes());
    request.set_offset(offset);
    return request;
  }

  MemoryContentStore content_;
  ScriptedDemand demand_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  ContentServer server_{content_, demand_, clock_};
};

TEST_F(ContentServerTest, NamesTheFilesThatAreMissing) {
  v1::FindMissingRequest request;
  request.add_digests(Store("x").bytes());
  request.add_digests(kAbsent.bytes());
  EXPECT_THAT(server_.FindMissing(request)->missing(), ElementsAre(kAbsent.bytes()));
}

TEST_F(ContentServerTest, RefusesDigestsThatAreNone) {
  v1::FindMissingRequest request;
  request.add_digests(kAbsent.bytes());
  request.add_digests("../../etc/passwd");
  const absl::Status status = server_.FindMissing(request).status();
  ASSERT_THAT(FieldViolationsOf(status), SizeIs(1));
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "digests[1]");
}

TEST_F(ContentServerTest, ReadsAFileInChunksThatAreWellFormedMessages) {
  const std::string bytes = std::string(1 << 20, 'a') + "tail";
  absl::StatusOr<ContentFeed> feed = server_.Read(ReadOf(Store(bytes), 0));
  ASSERT_TRUE(feed.ok()) << feed.status();
  std::string got;
  while (true) {
    const absl::StatusOr<std::optional<ContentChunk>> chunk = feed->Next();
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk->has_value()) break;
    v1::ReadResponse message;
    ASSERT_TRUE(message.ParseFromString((*chunk)->head + *(*chunk)->data));
    EXPECT_EQ(message.offset(), static_cast<int64_t>(got.size()));
    EXPECT_EQ(message.size_bytes(), static_cast<int64_t>(bytes.size()));
    got += message.data();
  }
  EXPECT_EQ(got, bytes);
}

TEST_F(ContentServerTest, GoesOnFromAnOffsetUpToTheEnd) {
  const Digest digest = Store("0123456789");
  absl::StatusOr<ContentFeed> feed = server_.Read(ReadOf(digest, 7));
  EXPECT_EQ(*(*feed->Next())->data, "789");
  EXPECT_FALSE(server_.Read(ReadOf(digest, 10))->Next()->has_value());
  EXPECT_TRUE(absl::IsOutOfRange(server_.Read(ReadOf(digest, 11)).status()));
  EXPECT_TRUE(absl::IsOutOfRange(server_.Read(ReadOf(digest, -1)).status()));
  EXPECT_EQ(ReasonOf(server_.Read(ReadOf(kAbsent, 0)).status()), v1::REASON_CONTENT_MISSING);
}

TEST_F(ContentServerTest, AnswersARequestWhenAFileIsReadyOrTheTimeIsOver) {
  v1::RequestRequest request;
  request.add_digests(kAbsent.bytes());
  request.mutable_max_wait()->set_seconds(5);
  demand_.states[kAbsent] = v1::CONTENT_STATE_FETCHING;
  absl::StatusOr<ContentWait> wait = server_.Request(request);
  ASSERT_TRUE(wait.ok()) << wait.status();
  EXPECT_FALSE(wait->Poll(clock_.Now()).has_value());
  EXPECT_EQ(wait->Poll(wait->until())->answers(0).state(), v1::CONTENT_STATE_FETCHING);
  demand_.states[kAbsent] = v1::CONTENT_STATE_READY;
  EXPECT_EQ(wait->Poll(clock_.Now())->answers(0).state(), v1::CONTENT_STATE_READY);
}

TEST_F(ContentServerTest, WaitsNoLongerThanHalfAMinute) {
  v1::RequestRequest request;
  request.add_digests(kAbsent.bytes());
  request.mutable_max_wait()->set_seconds(3600);
  EXPECT_EQ(server_.Request(request)->until(), clock_.Now() + absl::Seconds(30));
  request.mutable_max_wait()->set_seconds(-1);
  EXPECT_EQ(ReasonOf(server_.Request(request).status()), v1::REASON_INVALID_REQUEST);
}

}  // namespace
}  // namespace sluice
