#include "common/rpc/wire_status.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(WireStatusTest, BringsReasonDelayAndFieldsToTheOtherEnd) {
  const absl::Status sent = WithRetryDelay(
      InvalidRequest({{"files[2].sha256", "has 31 bytes; 32 are needed"}}), absl::Seconds(3));
  const absl::Status got = FromWire(ToWire(sent));
  EXPECT_EQ(got.code(), sent.code());
  EXPECT_EQ(got.message(), sent.message());
  EXPECT_EQ(ReasonOf(got), v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(RetryDelayOf(got), absl::Seconds(3));
  ASSERT_EQ(FieldViolationsOf(got).size(), 1u);
  EXPECT_EQ(FieldViolationsOf(got)[0].field, "files[2].sha256");
}

TEST(WireStatusTest, KeepsACodeThatIsNotTheReasonsOwn) {
  const absl::Status sent = WithReason(absl::UnavailableError("gone"), v1::REASON_UPSTREAM_AUTH);
  const absl::Status got = FromWire(ToWire(sent));
  EXPECT_EQ(got.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(got), v1::REASON_UPSTREAM_AUTH);
}

TEST(WireStatusTest, WritesErrorInfoForToolsFromElsewhere) {
  const WireStatus wire = ToWire(MakeError(v1::REASON_LOOP, "round and round"));
  google::rpc::Status status;
  ASSERT_TRUE(status.ParseFromString(wire.details));
  EXPECT_EQ(status.code(), wire.code);
  ASSERT_EQ(status.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "LOOP");
  EXPECT_EQ(info.domain(), "sluice");
}

TEST(WireStatusTest, SendsNoDetailsWhereThereAreNone) {
  EXPECT_EQ(ToWire(absl::NotFoundError("x")).details, "");
  EXPECT_EQ(ToWire(absl::OkStatus()).code, 0);
  EXPECT_TRUE(FromWire(WireStatus()).ok());
}

TEST(WireStatusTest, CutsALongMessageBetweenCharacters) {
  std::string message(2047, 'x');
  message += "é and more";
  EXPECT_EQ(ToWire(absl::InternalError(message)).message, std::string(2047, 'x'));
}

TEST(WireStatusTest, KeepsTheReasonWhenTheFieldsAreTooMany) {
  std::vector<FieldViolation> fields(500, FieldViolation{"some.field", "is wrong in some way"});
  const WireStatus wire = ToWire(InvalidRequest(fields));
  EXPECT_LT(wire.details.size() + wire.message.size(), 7000u);
  EXPECT_EQ(ReasonOf(FromWire(wire)), v1::REASON_INVALID_REQUEST);
}

TEST(WireStatusTest, IgnoresDetailsThatItCannotRead) {
  WireStatus wire = ToWire(absl::NotFoundError("x"));
  wire.details = "\xff\xff";
  EXPECT_EQ(FromWire(wire), absl::NotFoundError("x"));
}

TEST(WireStatusTest, IgnoresReasonsOfOtherDomains) {
  google::rpc::ErrorInfo info;
  info.set_reason("LOOP");
  info.set_domain("elsewhere.example");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  const absl::Status got = FromWire({5, "x", details.SerializeAsString()});
  EXPECT_EQ(ReasonOf(got), v1::REASON_UNSPECIFIED);
}

}  // namespace
}  // namespace sluice
