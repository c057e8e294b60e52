#include "upstream/catalog_service.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_content_store.h"
#include "tests/storage/test_catalog.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// A catalog with updates of two vendors.
class CatalogServiceTest : public ::testing::Test {
 protected:
  CatalogServiceTest() {
    for (const char* path : {"Contoso/Agent", "Contoso/Server", "Fabrikam/Tool"}) {
      catalog_.AddProduct(path);
    }
    catalog_.AddUpdate({.name = "agent", .title = "Agent 4.2", .contents = {"x", "yy"}});
    catalog_.AddUpdate({.name = "server", .product = "Contoso/Server"});
    catalog_.AddUpdate({.name = "tool", .product = "Fabrikam/Tool", .classification = "Updates"});
  }

  std::vector<std::string> Titles(const v1::UpdateFilter& filter) {
    v1::ListUpdatesRequest request;
    *request.mutable_filter() = filter;
    const auto response = service_.ListUpdates(request);
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<std::string> titles;
    for (const v1::UpdateSummary& update : response->updates()) titles.push_back(update.title());
    return titles;
  }

  absl::StatusOr<v1::GetUpdateResponse> Get(const std::string& id) {
    v1::GetUpdateRequest request;
    request.set_update_id(id);
    return service_.GetUpdate(request);
  }

  void Store(const std::string& bytes) {
    const auto writer =
        content_.Write(Digest::Of(bytes), static_cast<int64_t>(bytes.size())).value();
    EXPECT_TRUE(writer->Append(bytes).ok());
    EXPECT_TRUE(writer->Commit().ok());
  }

  TestCatalog catalog_;
  MemoryContentStore content_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  CatalogService service_{*catalog_, content_, clock_};
};

TEST_F(CatalogServiceTest, FiltersByProductWithAllBelowIt) {
  v1::UpdateFilter filter;
  EXPECT_THAT(Titles(filter), SizeIs(3));
  filter.set_product("Contoso");
  EXPECT_THAT(Titles(filter), UnorderedElementsAre("Agent 4.2", "server"));
  filter.set_product("Contoso/Agent");
  EXPECT_THAT(Titles(filter), ElementsAre("Agent 4.2"));
  filter.set_product("Nobody");
  EXPECT_THAT(Titles(filter), IsEmpty());
}

TEST_F(CatalogServiceTest, FiltersByClassificationAndText) {
  v1::UpdateFilter filter;
  filter.set_classification("Updates");
  EXPECT_THAT(Titles(filter), ElementsAre("tool"));
  filter = v1::UpdateFilter();
  filter.set_text("aGeNt");
  EXPECT_THAT(Titles(filter), ElementsAre("Agent 4.2"));
}

TEST_F(CatalogServiceTest, FiltersByTheStateThatDecisionsLeave) {
  catalog_.Approve("agent");
  catalog_.Decline("tool");
  v1::UpdateFilter filter;
  filter.set_state(v1::UPDATE_STATE_APPROVED);
  EXPECT_THAT(Titles(filter), ElementsAre("Agent 4.2"));
  filter.set_state(v1::UPDATE_STATE_DECLINED);
  EXPECT_THAT(Titles(filter), ElementsAre("tool"));
  filter.set_state(v1::UPDATE_STATE_NOT_APPROVED);
  EXPECT_THAT(Titles(filter), ElementsAre("server"));
}

TEST_F(CatalogServiceTest, FindsUpdatesWithFailedFiles) {
  catalog_.Approve("agent");
  v1::UpdateFilter filter;
  filter.set_failed(true);
  EXPECT_THAT(Titles(filter), IsEmpty());
  stored::v1::ContentRow row;
  row.set_state(v1::CONTENT_STATE_FAILED);
  CatalogChange change;
  change.PutRow(Family::kContent, Digest::Of("x").view(), row);
  catalog_.Commit(change);
  EXPECT_THAT(Titles(filter), ElementsAre("Agent 4.2"));
}

TEST_F(CatalogServiceTest, PagesThroughAllUpdatesOnce) {
  catalog_.AddUpdate({.name = "tool", .title = "second revision"});
  v1::ListUpdatesRequest request;
  request.set_page_size(1);
  std::vector<std::string> titles;
  do {
    const v1::ListUpdatesResponse page = *service_.ListUpdates(request);
    ASSERT_LE(page.updates_size(), 1);
    for (const v1::UpdateSummary& update : page.updates()) titles.push_back(update.title());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(titles, UnorderedElementsAre("Agent 4.2", "server", "second revision"));
}

TEST_F(CatalogServiceTest, RefusesPagesThatItDidNotGiveOut) {
  v1::ListUpdatesRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(ReasonOf(service_.ListUpdates(request).status()), v1::REASON_INVALID_REQUEST);
  request.set_page_size(1);
  for (const char* token : {"%%%", "Z2FyYmFnZQ"}) {
    request.set_page_token(token);
    EXPECT_EQ(ReasonOf(service_.ListUpdates(request).status()), v1::REASON_INVALID_REQUEST)
        << token;
  }
}

TEST_F(CatalogServiceTest, CountsFilesThatAreHere) {
  catalog_.Approve("agent");
  Store("x");
  const auto half = Get(UpdateIdOf("agent").ToString());
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(half->summary().files(), 2);
  EXPECT_EQ(half->summary().files_ready(), 1);
  EXPECT_EQ(half->summary().size_bytes(), 3);
  EXPECT_EQ(half->summary().content(), v1::CONTENT_STATE_QUEUED);
  Store("yy");
  EXPECT_EQ(Get(UpdateIdOf("agent").ToString())->summary().content(), v1::CONTENT_STATE_READY);
}

TEST_F(CatalogServiceTest, ShowsAllRevisionsAndTheDecisionsOfAnUpdate) {
  catalog_.AddUpdate({.name = "agent", .title = "Agent 4.2, mended"});
  catalog_.Approve("agent");
  const auto response = Get(UpdateIdOf("agent").ToString());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->summary().title(), "Agent 4.2, mended");
  EXPECT_THAT(response->summary().products(), ElementsAre("Contoso/Agent"));
  ASSERT_THAT(response->revisions(), SizeIs(2));
  EXPECT_FALSE(response->revisions(0).current());
  EXPECT_TRUE(response->revisions(1).current());
  ASSERT_THAT(response->decisions(), SizeIs(1));
  EXPECT_FALSE(response->decisions(0).pending());
}

TEST_F(CatalogServiceTest, KnowsNoUpdateThatIsNotHere) {
  EXPECT_EQ(ReasonOf(Get(UpdateIdOf("absent").ToString()).status()), v1::REASON_ITEM_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Get("17").status()), v1::REASON_INVALID_REQUEST);
}

TEST_F(CatalogServiceTest, ListsCategoriesByPathWithTheirUpdates) {
  v1::ListCategoriesRequest request;
  request.set_page_size(3);
  const v1::ListCategoriesResponse first = *service_.ListCategories(request);
  ASSERT_THAT(first.categories(), SizeIs(3));
  EXPECT_EQ(first.categories(0).path(), "Contoso");
  EXPECT_EQ(first.categories(0).updates(), 0);
  EXPECT_EQ(first.categories(1).path(), "Contoso/Agent");
  EXPECT_EQ(first.categories(1).updates(), 1);
  request.set_page_token(first.next_page_token());
  const v1::ListCategoriesResponse second = *service_.ListCategories(request);
  ASSERT_THAT(second.categories(), SizeIs(2));
  EXPECT_EQ(second.categories(1).path(), "Fabrikam/Tool");
}

}  // namespace
}  // namespace sluice
