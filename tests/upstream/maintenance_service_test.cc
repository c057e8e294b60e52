#include "upstream/maintenance_service.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Cannot read its files while it is told so.
class UnreadableContentStore : public MemoryContentStore {
 public:
  absl::Status Verify(const Digest& digest) override {
    if (!readable) return MakeError(v1::REASON_CONTENT_DIR_PERMISSION, "cannot be opened");
    return MemoryContentStore::Verify(digest);
  }
  bool readable = true;
};

class MaintenanceServiceTest : public ::testing::Test {
 protected:
  MaintenanceServiceTest() {
    service_.AddTo(router_);
    for (const std::string bytes : {"one", "three"}) {
      const auto writer =
          content_.Write(Digest::Of(bytes), static_cast<int64_t>(bytes.size())).value();
      EXPECT_TRUE(writer->Append(bytes).ok());
      EXPECT_TRUE(writer->Commit().ok());
    }
  }

  // The problems that a verification streams; its summary goes to `summary_`.
  std::vector<v1::ContentProblem> Verify(bool validate_only) {
    const auto method = router_.Find("/sluice.v1.MaintenanceService/VerifyContent");
    const std::unique_ptr<MessageExchange> call = (*method)->open(CallContext());
    v1::VerifyContentRequest request;
    request.set_validate_only(validate_only);
    EXPECT_TRUE(call->OnMessage(request.SerializeAsString()).ok());
    std::vector<v1::ContentProblem> problems;
    while (true) {
      const Pull pull = call->Next();
      if (pull.kind != Pull::Kind::kMessage) return problems;
      v1::VerifyContentResponse response;
      EXPECT_TRUE(response.ParseFromString(pull.message.head));
      if (response.has_problem()) problems.push_back(response.problem());
      if (response.has_summary()) summary_ = response.summary();
    }
  }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  UnreadableContentStore content_;
  Audit audit_{*catalog_, clock_};
  std::vector<Digest> refetched_;
  MaintenanceService service_{content_,
                              audit_,
                              {.refetch =
                                   [this](const Digest& digest) {
                                     refetched_.push_back(digest);
                                     return true;
                                   },
                               .conditions = [] { return std::vector<v1::Condition>(); }}};
  Router router_;
  v1::VerifyContentSummary summary_;
};

TEST_F(MaintenanceServiceTest, FindsNothingWrongWithWhatIsWhole) {
  EXPECT_THAT(Verify(false), SizeIs(0));
  EXPECT_EQ(summary_.files(), 2);
  EXPECT_EQ(summary_.bytes(), 8);
}

TEST_F(MaintenanceServiceTest, SetsAWrongFileAsideAndGetsItAgain) {
  content_.Damage(Digest::Of("one"), "0ne");
  const std::vector<v1::ContentProblem> problems = Verify(false);
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_EQ(problems[0].reason(), "CONTENT_CORRUPT");
  EXPECT_EQ(summary_.refetching(), 1);
  EXPECT_THAT(refetched_, ElementsAre(Digest::Of("one")));
  EXPECT_FALSE(content_.Stat(Digest::Of("one")).ok());
}

TEST_F(MaintenanceServiceTest, OnlySaysWhatIsWrongWhenValidating) {
  content_.Damage(Digest::Of("one"), "0ne");
  EXPECT_THAT(Verify(true), SizeIs(1));
  EXPECT_TRUE(content_.Stat(Digest::Of("one")).ok());
  EXPECT_THAT(refetched_, SizeIs(0));
}

// Whatever could not be read was removed: as the wrong user, every file.
TEST_F(MaintenanceServiceTest, KeepsFilesThatCannotBeReadJustNow) {
  content_.readable = false;
  EXPECT_THAT(Verify(false), SizeIs(2));
  EXPECT_EQ(summary_.refetching(), 0);
  EXPECT_TRUE(content_.Stat(Digest::Of("one")).ok());
}

TEST_F(MaintenanceServiceTest, ListsAuditEntriesNewestFirstPageByPage) {
  for (const char* subject : {"first", "second", "third"}) {
    CatalogChange change;
    audit_.Add(CallContext(), "approve", subject, "", change);
    catalog_.Commit(change);
  }
  v1::ListAuditEntriesRequest request;
  request.set_page_size(2);
  const v1::ListAuditEntriesResponse first = *audit_.List(request);
  ASSERT_THAT(first.entries(), SizeIs(2));
  EXPECT_EQ(first.entries(0).subject(), "third");
  request.set_page_token(first.next_page_token());
  const v1::ListAuditEntriesResponse second = *audit_.List(request);
  ASSERT_THAT(second.entries(), SizeIs(1));
  EXPECT_EQ(second.entries(0).subject(), "first");
}

TEST_F(MaintenanceServiceTest, GoesOnNumberingTheAuditAfterARestart) {
  CatalogChange before;
  audit_.Add(CallContext(), "approve", "first", "", before);
  catalog_.Commit(before);
  Audit reopened(*catalog_, clock_);
  CatalogChange after;
  reopened.Add(CallContext(), "approve", "second", "", after);
  catalog_.Commit(after);
  EXPECT_THAT(audit_.List({})->entries(), SizeIs(2));
}

}  // namespace
}  // namespace sluice
