#include "common/credentials.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(CredentialsTest, AreTakenOutOfUrls) {
  EXPECT_EQ(WithoutCredentials("http://ann:secret@proxy.test:3128"), "http://proxy.test:3128");
  EXPECT_EQ(WithoutCredentials("http://token@host/debian"), "http://host/debian");
  EXPECT_EQ(WithoutCredentials("ann:secret@proxy.test:3128"), "proxy.test:3128");
  EXPECT_EQ(WithoutCredentials("http:/ann:secret@host"), "host");
}

TEST(CredentialsTest, AreTakenOutWhereThePasswordIsNoProperPartOfAUrl) {
  EXPECT_EQ(WithoutCredentials("https://a:b@c@host/debian"), "https://host/debian");
  EXPECT_EQ(WithoutCredentials("http://ann:sec/ret@host/debian"), "http://host/debian");
  EXPECT_EQ(WithoutCredentials("http://ann:1/2@host"), "http://host");
  EXPECT_EQ(WithoutCredentials("http://ann:sec@r/et@host/debian"), "http://host/debian");
  EXPECT_EQ(WithoutCredentials("http://ann:sec ret#?\"@host"), "http://host");
}

TEST(CredentialsTest, LeaveAloneWhatHasNone) {
  for (const char* text :
       {"http://host/a@b", "http://host:80/debian", "file:/srv/debian@12", "file:///srv/a@b",
        "unix:/run/a@b.sock", "127.0.0.1:8530", "spiffe://contoso.example/user/ann",
        "ann@contoso.example", "/srv/a@b.yaml:12:", ""}) {
    EXPECT_EQ(WithoutCredentials(text), text);
    EXPECT_EQ(TextWithoutCredentials(text), text);
  }
}

TEST(CredentialsTest, AreTakenOutOfText) {
  EXPECT_EQ(TextWithoutCredentials("a.yaml:3: uri: \"http://ann:secret@host/x\" is\nwrong, and "
                                   "http://b:c@d too "),
            "a.yaml:3: uri: \"http://host/x\" is\nwrong, and http://d too ");
  EXPECT_EQ(TextWithoutCredentials("a.yaml:3: sources.uri http://ann:secret@host: unknown field"),
            "a.yaml:3: sources.uri http://host: unknown field");
}

}  // namespace
}  // namespace sluice
