#include "upstream/publish.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/catalog_service.pb.h"
#include "storage/memory_content_store.h"
#include "tests/storage/test_catalog.h"
#include "tests/upstream/manifest_of_agent.h"
#include "upstream/manifest.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const char kBytes[] = "bytes of the agent";

// A root to publish at.
class PublishTest : public ::testing::Test {
 protected:
  PublishTest() {
    publisher_.AddTo(router_);
    manifest_.mutable_files(0)->set_sha256(Digest::Of(kBytes).ToHex());
    manifest_.mutable_files(0)->set_size_bytes(sizeof(kBytes) - 1);
  }

  static v1::PublishUpdateRequest PartOf(const v1::UpdateManifest& manifest) {
    v1::PublishUpdateRequest request;
    *request.mutable_manifest() = manifest;
    return request;
  }
  static v1::PublishUpdateRequest FilePart(const std::string& path) {
    v1::PublishUpdateRequest request;
    request.set_file(path);
    return request;
  }
  static v1::PublishUpdateRequest DataPart(const std::string& data) {
    v1::PublishUpdateRequest request;
    request.set_data(data);
    return request;
  }
  static v1::PublishUpdateRequest ValidatePart() {
    v1::PublishUpdateRequest request;
    request.set_validate_only(true);
    return request;
  }

  absl::StatusOr<v1::PublishUpdateResponse> Publish(
      const std::vector<v1::PublishUpdateRequest>& parts) {
    const auto method = router_.Find("/sluice.v1.CatalogService/PublishUpdate");
    if (!method.ok()) return method.status();
    const std::unique_ptr<MessageExchange> call = (*method)->open(CallContext());
    for (const v1::PublishUpdateRequest& part : parts) {
      const absl::Status status = call->OnMessage(part.SerializeAsString());
      if (!status.ok()) return status;
    }
    if (const absl::Status status = call->OnHalfClose(); !status.ok()) return status;
    v1::PublishUpdateResponse response;
    EXPECT_TRUE(response.ParseFromString(call->Next().message.head));
    return response;
  }

  absl::StatusOr<v1::PublishUpdateResponse> PublishAgent() {
    return Publish(
        {PartOf(manifest_), FilePart("agent.bin"), DataPart("bytes of "), DataPart("the agent")});
  }

  // Neither a record nor a byte came of what was tried.
  void ExpectNothingStored() {
    EXPECT_EQ(catalog_->durable_head(), 0u);
    EXPECT_FALSE(content_.Stat(Digest::Of(kBytes)).ok());
  }

  TestCatalog catalog_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'100)};
  MemoryContentStore content_;
  Audit audit_{*catalog_, clock_};
  Publisher publisher_{*catalog_, content_, audit_};
  Router router_;
  v1::UpdateManifest manifest_ = ManifestOfAgent();
};

TEST_F(PublishTest, StoresTheFilesAndThenTheUpdateInOneCommit) {
  const uint64_t commits = catalog_.Read().State()->commits();
  const auto response = PublishAgent();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->changed());
  EXPECT_EQ(response->revision(), 1u);
  EXPECT_EQ(response->update_id(), UpdateIdOf(manifest_)->ToString());
  EXPECT_TRUE(content_.Verify(Digest::Of(kBytes)).ok());
  EXPECT_EQ(catalog_.Read().State()->commits(), commits + 1);
  EXPECT_THAT(audit_.List({})->entries(), SizeIs(1));
}

TEST_F(PublishTest, ChangesNothingTheSecondTime) {
  ASSERT_TRUE(PublishAgent().ok());
  const uint64_t head = catalog_->durable_head();
  const auto again = PublishAgent();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->changed());
  EXPECT_EQ(catalog_->durable_head(), head);
  EXPECT_THAT(audit_.List({})->entries(), SizeIs(1));
}

TEST_F(PublishTest, MakesANewRevisionOfChangedFacts) {
  ASSERT_TRUE(PublishAgent().ok());
  manifest_.mutable_texts(0)->set_title("Contoso Agent 4.2, mended");
  EXPECT_EQ(PublishAgent()->revision(), 2u);
}

TEST_F(PublishTest, ValidatesWithoutStoring) {
  const auto response =
      Publish({ValidatePart(), PartOf(manifest_), FilePart("agent.bin"), DataPart(kBytes)});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->changed());
  ExpectNothingStored();
}

TEST_F(PublishTest, RefusesAManifestThatIsWrong) {
  manifest_.clear_texts();
  EXPECT_EQ(ReasonOf(PublishAgent().status()), v1::REASON_INVALID_REQUEST);
  ExpectNothingStored();
}

TEST_F(PublishTest, RefusesBytesThatAreNotTheManifests) {
  EXPECT_EQ(
      ReasonOf(Publish({PartOf(manifest_), FilePart("agent.bin"), DataPart("other")}).status()),
      v1::REASON_CONTENT_CORRUPT);
  ExpectNothingStored();
}

TEST_F(PublishTest, TakesTheRightBytesAfterWrongOnes) {
  const std::string wrong(sizeof(kBytes) - 1, 'x');
  EXPECT_EQ(ReasonOf(Publish({PartOf(manifest_), FilePart("agent.bin"), DataPart(wrong)}).status()),
            v1::REASON_CONTENT_CORRUPT);
  ExpectNothingStored();
  EXPECT_TRUE(PublishAgent().ok());
}

TEST_F(PublishTest, RefusesTheFirstByteTooMany) {
  const absl::Status status =
      Publish({PartOf(manifest_), FilePart("agent.bin"), DataPart(kBytes), DataPart("!")}).status();
  EXPECT_EQ(ReasonOf(status), v1::REASON_CONTENT_CORRUPT);
  EXPECT_THAT(status.message(), HasSubstr("the manifest says 18 bytes"));
  ExpectNothingStored();
}

TEST_F(PublishTest, GoesOnBehindWhatAnUploadThatWasCutOffHasStaged) {
  const auto method = router_.Find("/sluice.v1.CatalogService/PublishUpdate");
  {
    const std::unique_ptr<MessageExchange> cut = (*method)->open(CallContext());
    for (const auto& part : {PartOf(manifest_), FilePart("agent.bin"), DataPart("bytes o")}) {
      ASSERT_TRUE(cut->OnMessage(part.SerializeAsString()).ok());
    }
  }
  ExpectNothingStored();
  const auto response = PublishAgent();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(content_.Verify(Digest::Of(kBytes)).ok());
}

TEST_F(PublishTest, TakesTwoFilesWithTheSameBytes) {
  *manifest_.add_files() = manifest_.files(0);
  manifest_.mutable_files(1)->set_path("copy.bin");
  const auto response = Publish({PartOf(manifest_), FilePart("agent.bin"), DataPart(kBytes),
                                 FilePart("copy.bin"), DataPart(kBytes)});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(content_.Verify(Digest::Of(kBytes)).ok());
}

TEST_F(PublishTest, RefusesMoreFilesThanItHoldsOpen) {
  for (int i = 0; i < 256; ++i) {
    *manifest_.add_files() = manifest_.files(0);
    manifest_.mutable_files(i + 1)->set_path(absl::StrCat("copy", i));
  }
  const absl::Status status = Publish({PartOf(manifest_)}).status();
  ASSERT_THAT(FieldViolationsOf(status), SizeIs(1));
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "files");
}

// A publisher that was lost in the middle of the last file once published half of it.
TEST_F(PublishTest, RefusesFilesWithoutDigest) {
  manifest_.mutable_files(0)->clear_sha256();
  const absl::Status status = PublishAgent().status();
  ASSERT_THAT(FieldViolationsOf(status), SizeIs(1));
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "files[0].sha256");
  ExpectNothingStored();
}

TEST_F(PublishTest, RefusesPartsThatAreMissingOrOutOfOrder) {
  const std::vector<std::vector<v1::PublishUpdateRequest>> wrong = {
      {},
      {PartOf(manifest_)},
      {FilePart("agent.bin")},
      {PartOf(manifest_), DataPart("x")},
      {PartOf(manifest_), PartOf(manifest_)},
      {PartOf(manifest_), ValidatePart()},
      {PartOf(manifest_), FilePart("another.bin")},
      {PartOf(manifest_), FilePart("agent.bin"), DataPart(kBytes), FilePart("agent.bin")},
      {v1::PublishUpdateRequest()},
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_EQ(ReasonOf(Publish(wrong[i]).status()), v1::REASON_INVALID_REQUEST) << i;
  }
  ExpectNothingStored();
}

}  // namespace
}  // namespace sluice
