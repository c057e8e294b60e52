#include "upstream/origin_content.h"

#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "storage/payload.h"
#include "tests/storage/test_catalog.h"
#include "tests/upstream/bell.h"
#include "tests/upstream/fake_source.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const char kBytes[] = "bytes of a";

// A root with an update "a" that has one file, at a source.
class OriginContentTest : public ::testing::Test {
 protected:
  OriginContentTest() {
    source_.Offer({{.name = "a", .contents = {kBytes}}});
    catalog_.AddUpdate({.name = "a", .contents = {kBytes}});
    stored::v1::ContentOrigin origin;
    origin.set_source("fake");
    origin.set_path(file_.ToHex());
    CatalogChange change;
    change.PutRow(Family::kContentOrigins, file_.view(), origin);
    catalog_.Commit(change);
    watch_ = origin_.Watch([this] { bell_.Ring(); });
    origin_.Start();
  }
  ~OriginContentTest() override {
    origin_.Stop();
    origin_.Unwatch(watch_);
  }

  bool WaitUntilPresent() {
    return bell_.WaitUntil([this] { return content_.Stat(file_).ok(); });
  }

  // What is said of the file once it failed.
  v1::ContentAnswer WaitForFailure() {
    v1::ContentAnswer answer;
    EXPECT_TRUE(bell_.WaitUntil([&] {
      answer = origin_.Want(file_);
      return answer.state() == v1::CONTENT_STATE_FAILED;
    }));
    return answer;
  }

  const Digest file_ = Digest::Of(kBytes);
  TestCatalog catalog_;
  MemoryContentStore content_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  Log log_{LogLevel::kOff};
  FakeSource source_{"fake"};
  Bell bell_;
  int64_t watch_ = 0;
  OriginContent origin_{*catalog_, content_, clock_, log_, [this](absl::string_view name) {
                          return name == source_.name() ? &source_ : nullptr;
                        }};
};

TEST_F(OriginContentTest, FetchesAFileAsSoonAsItsUpdateIsApproved) {
  catalog_.Approve("a");
  EXPECT_TRUE(WaitUntilPresent());
  EXPECT_TRUE(content_.Verify(file_).ok());
}

TEST_F(OriginContentTest, FetchesNothingThatNobodyWants) {
  v1::NodeStatus status;
  origin_.FillStatus(status);
  EXPECT_EQ(status.files_wanted(), 0);
  EXPECT_THAT(source_.offsets(), IsEmpty());
}

TEST_F(OriginContentTest, FetchesWhatANodeBelowAsksFor) {
  const v1::ContentAnswer first = origin_.Want(file_);
  EXPECT_NE(first.state(), v1::CONTENT_STATE_FAILED);
  EXPECT_TRUE(WaitUntilPresent());
  EXPECT_EQ(origin_.Want(file_).state(), v1::CONTENT_STATE_READY);
}

TEST_F(OriginContentTest, RefusesFilesThatNoUpdateNames) {
  const v1::ContentAnswer answer = origin_.Want(Digest::Of("unheard of"));
  EXPECT_EQ(answer.state(), v1::CONTENT_STATE_FAILED);
  EXPECT_EQ(answer.status().reason(), "ITEM_NOT_FOUND");
}

TEST_F(OriginContentTest, GoesOnBehindTheBytesThatAreStaged) {
  {
    const auto writer = content_.Write(file_, sizeof(kBytes) - 1).value();
    ASSERT_TRUE(writer->Append(absl::string_view(kBytes).substr(0, 5)).ok());
  }
  catalog_.Approve("a");
  EXPECT_TRUE(WaitUntilPresent());
  EXPECT_THAT(source_.offsets(), ElementsAre(5));
}

TEST_F(OriginContentTest, PublishesNoBytesThatAreWrong) {
  source_.SetFile(kBytes, "BYTES OF A");
  catalog_.Approve("a");
  EXPECT_EQ(WaitForFailure().status().reason(), "CONTENT_CORRUPT");
  EXPECT_FALSE(content_.Stat(file_).ok());
  v1::NodeStatus status;
  origin_.FillStatus(status);
  EXPECT_EQ(status.files_failed(), 1);
}

TEST_F(OriginContentTest, NamesTheSuccessorOfAnUpdateWhoseFileIsGone) {
  catalog_.AddUpdate({.name = "b", .title = "Agent 4.3"});
  v1::Expiry expiry;
  expiry.set_update_id(UpdateIdOf("a").bytes());
  expiry.set_reason("no longer offered by its source");
  expiry.set_successor_id(UpdateIdOf("b").bytes());
  CatalogChange change;
  change.Originate(*PackExpiry(expiry, ShardOfRevision(MakeRevision({.name = "a"}))));
  catalog_.Commit(change);
  source_.DropFile(kBytes);
  catalog_.Approve("a");
  const v1::ContentAnswer answer = WaitForFailure();
  EXPECT_EQ(answer.status().reason(), "CONTENT_SOURCE_GONE");
  EXPECT_THAT(answer.status().message(), HasSubstr("Agent 4.3"));
}

TEST_F(OriginContentTest, GetsADamagedFileAgainWhenItIsWanted) {
  EXPECT_FALSE(origin_.Refetch(file_));
  catalog_.Approve("a");
  ASSERT_TRUE(WaitUntilPresent());
  ASSERT_TRUE(bell_.WaitUntil([this] {
    v1::NodeStatus status;
    origin_.FillStatus(status);
    return status.files_missing() == 0;
  }));
  ASSERT_TRUE(content_.Remove(file_).ok());
  EXPECT_TRUE(origin_.Refetch(file_));
  EXPECT_TRUE(WaitUntilPresent());
}

}  // namespace
}  // namespace sluice
