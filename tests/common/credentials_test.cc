#include "common/credentials.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(WithoutCredentialsTest, LeavesNothingThatIsSecret) {
  EXPECT_EQ(WithoutCredentials("http://ann:secret@proxy.test:3128"), "http://proxy.test:3128");
  EXPECT_EQ(WithoutCredentials("https://a:b@c@host/debian/@x"), "https://host/debian/@x");
  EXPECT_EQ(WithoutCredentials("http://host/a@b"), "http://host/a@b");
  EXPECT_EQ(WithoutCredentials("file:/srv/debian"), "file:/srv/debian");
}

}  // namespace
}  // namespace sluice
