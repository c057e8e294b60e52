#include "upstream/shared_messages.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

SharedMessage Message(const std::string& bytes, uint64_t next) {
  return {std::make_shared<const std::string>(bytes), next, {}};
}

TEST(SharedMessagesTest, AreForAllAtTheSamePlace) {
  SharedMessages messages;
  const StreamPlace place = {Digest::Of("everything"), 7};
  messages.Keep(place, Uuid::Random(), Message("batch", 9));
  const SharedMessage found = messages.Find(place, Uuid::Random());
  ASSERT_NE(found.bytes, nullptr);
  EXPECT_EQ(*found.bytes, "batch");
  EXPECT_EQ(found.next, 9u);
}

TEST(SharedMessagesTest, AreForNobodyElsewhere) {
  SharedMessages messages;
  const Uuid child = Uuid::Random();
  messages.Keep({Digest::Of("everything"), 7}, child, Message("batch", 9));
  EXPECT_EQ(messages.Find({Digest::Of("everything"), 8}, child).bytes, nullptr);
  EXPECT_EQ(messages.Find({Digest::Of("less"), 7}, child).bytes, nullptr);
}

TEST(SharedMessagesTest, AreNotForThoseWhoseOwnShardsWereLookedAt) {
  SharedMessages messages;
  const Uuid owner = Uuid::Random();
  const Uuid other = Uuid::Random();
  const StreamPlace place = {Digest::Of("everything"), 7};
  SharedMessage message = Message("batch", 9);
  message.not_for = {owner.bytes()};
  messages.Keep(place, owner, message);
  EXPECT_EQ(messages.Find(place, other).bytes, nullptr) << "made for the owner alone";
  messages.Keep(place, other, message);
  EXPECT_NE(messages.Find(place, other).bytes, nullptr);
  EXPECT_EQ(messages.Find(place, owner).bytes, nullptr);
}

TEST(SharedMessagesTest, AreForgottenOldestFirst) {
  SharedMessages messages(10);
  const Uuid child = Uuid::Random();
  messages.Keep({Digest(), 1}, child, Message("12345", 2));
  messages.Keep({Digest(), 2}, child, Message("12345", 3));
  messages.Keep({Digest(), 3}, child, Message("12345", 4));
  EXPECT_EQ(messages.Find({Digest(), 1}, child).bytes, nullptr);
  EXPECT_NE(messages.Find({Digest(), 2}, child).bytes, nullptr);
  EXPECT_NE(messages.Find({Digest(), 3}, child).bytes, nullptr);
}

}  // namespace
}  // namespace sluice
