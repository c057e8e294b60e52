#include "common/sip_hash.h"

#include <string>

#include "gtest/gtest.h"

namespace sluice {
namespace {

std::string Counting(size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

// The example of the paper's appendix A, and two of its authors' test vectors.
TEST(SipHashTest, GivesThePublishedValues) {
  const absl::StatusOr<SipKey> key = SipKey::FromBytes(Counting(16));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(SipHash(*key, Counting(15)), 0xa129ca6149be45e5);
  EXPECT_EQ(SipHash(*key, ""), 0x726fdb47dd0e0e31);
  EXPECT_EQ(SipHash(*key, Counting(8)), 0x93f5f5799a932462);
}

TEST(SipHashTest, AnotherKeyGivesAnotherHash) {
  EXPECT_NE(SipHash(SipKey{1, 2}, "facts"), SipHash(SipKey{1, 3}, "facts"));
  EXPECT_NE(SipKey::Random(), SipKey::Random());
}

TEST(SipHashTest, KeysTravelAsSixteenBytes) {
  const SipKey key = SipKey::Random();
  const absl::StatusOr<SipKey> read = SipKey::FromBytes(key.bytes());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, key);
  EXPECT_EQ(SipKey::FromBytes("short").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sluice
