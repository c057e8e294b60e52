#include "storage/update_explanation.h"

#include <functional>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

// A node below the root that offers the update.
PlaceFacts Visible(const std::string& name) {
  PlaceFacts facts;
  facts.node_id = "id of " + name;
  facts.node_name = name;
  facts.here = false;
  facts.heard_at = kNow;
  facts.silent_for = absl::ZeroDuration();
  facts.upstream_name = "hq";
  facts.upstream_has_it = Known::kYes;
  facts.taken = Taken::kTaken;
  facts.metadata = Known::kYes;
  facts.decided = Known::kYes;
  facts.declined = Known::kNo;
  facts.approval = Approval::kApproved;
  facts.held_back = Known::kNo;
  facts.superseded = Known::kNo;
  facts.licence = Known::kYes;
  facts.closure = Known::kYes;
  facts.content = Known::kYes;
  facts.visible_at = kNow;
  return facts;
}

v1::ItemStatus Failure(v1::Reason reason, const std::string& message) {
  v1::ItemStatus status;
  status.set_reason(ReasonName(reason));
  status.set_message(message);
  return status;
}

// The step that decides when `change` is done to a node that offers the update.
v1::ExplainStep Decided(const std::function<void(PlaceFacts&)>& change) {
  PlaceFacts facts = Visible("leaf");
  change(facts);
  const PlaceExplanation explanation = ExplainPlace(facts);
  if (!explanation.decided_by.has_value()) return v1::ExplainStep();
  return explanation.steps[*explanation.decided_by];
}

// What is to be done to a visible update, and what is said then.
struct Case {
  std::string name;
  std::function<void(PlaceFacts&)> change;
  v1::VisibilityRule rule;
  v1::Reason reason;
  std::string words;
};

// Before any decision is asked for.
std::vector<Case> CasesOfMetadata() {
  const auto absent = [](PlaceFacts& facts) {
    facts.metadata = Known::kNo;
    facts.visible_at = absl::InfinitePast();
  };
  const auto not_taken = [absent](Taken taken, const std::string& left_out) {
    return [=](PlaceFacts& facts) {
      absent(facts);
      facts.taken = taken;
      facts.left_out = left_out;
    };
  };
  return {{"node not seen", [](PlaceFacts& facts) { facts.silent_for = absl::Hours(26); },
           v1::VISIBILITY_RULE_NODE_SEEN, v1::REASON_UPSTREAM_CONNECT,
           "not heard of since 2023-11-14 22:13:20 UTC"},
          {"missing upstream",
           [absent](PlaceFacts& facts) {
             absent(facts);
             facts.upstream_has_it = Known::kNo;
           },
           v1::VISIBILITY_RULE_UPSTREAM_HAS_IT, v1::REASON_ITEM_NOT_FOUND,
           "its upstream hq does not have it"},
          {"not taken above", not_taken(Taken::kNotAbove, ""), v1::VISIBILITY_RULE_SELECTED,
           v1::REASON_ITEM_FILTERED, "its upstream hq does not take it"},
          {"product", not_taken(Taken::kNotProduct, "Contoso/Agent"), v1::VISIBILITY_RULE_SELECTED,
           v1::REASON_ITEM_FILTERED, "does not take the product Contoso/Agent"},
          {"classification", not_taken(Taken::kNotClassification, "Updates"),
           v1::VISIBILITY_RULE_SELECTED, v1::REASON_ITEM_FILTERED,
           "does not take the classification Updates"},
          {"language", not_taken(Taken::kNotLanguage, "de"), v1::VISIBILITY_RULE_SELECTED,
           v1::REASON_ITEM_FILTERED, "takes none of the languages de"},
          {"pending metadata", absent, v1::VISIBILITY_RULE_METADATA, v1::REASON_ITEM_NOT_YET,
           "has not arrived yet"},
          {"metadata that failed its verification",
           [absent](PlaceFacts& facts) {
             absent(facts);
             facts.metadata_failure = Failure(v1::REASON_ITEM_CORRUPT, "another digest");
           },
           v1::VISIBILITY_RULE_METADATA, v1::REASON_ITEM_CORRUPT, "not accepted: another digest"}};
}

std::vector<Case> CasesOfDecisions() {
  return {
      {"declined",
       [](PlaceFacts& facts) {
         facts.declined = Known::kYes;
         facts.declined_by = " by ada: too risky";
       },
       v1::VISIBILITY_RULE_NOT_DECLINED, v1::REASON_ITEM_DECLINED,
       "it is declined by ada: too risky"},
      {"not approved", [](PlaceFacts& facts) { facts.approval = Approval::kNotApproved; },
       v1::VISIBILITY_RULE_APPROVED, v1::REASON_ITEM_NOT_APPROVED, "not approved for any group"},
      {"approved for another revision",
       [](PlaceFacts& facts) { facts.approval = Approval::kForAnotherRevision; },
       v1::VISIBILITY_RULE_APPROVED, v1::REASON_ITEM_NOT_YET, "a revision that is not here"},
      {"held back", [](PlaceFacts& facts) { facts.held_back = Known::kYes; },
       v1::VISIBILITY_RULE_NOT_HELD_BACK, v1::REASON_ITEM_HELD_BACK, "holds it back"},
      {"licence", [](PlaceFacts& facts) { facts.licence = Known::kNo; },
       v1::VISIBILITY_RULE_LICENCE, v1::REASON_ITEM_NOT_APPROVED, "licence has not been accepted"}};
}

std::vector<Case> CasesOfWhatIsNeeded() {
  return {
      {"closure",
       [](PlaceFacts& facts) {
         facts.closure = Known::kNo;
         facts.absent = {"a", "b", "c", "d", "e", "f", "g"};
       },
       v1::VISIBILITY_RULE_CLOSURE, v1::REASON_ITEM_NOT_FOUND, "a, b, c, d, e and 2 more"},
      {"content on its way",
       [](PlaceFacts& facts) {
         facts.content = Known::kNo;
         facts.files = 3;
         facts.files_missing = 2;
       },
       v1::VISIBILITY_RULE_CONTENT, v1::REASON_CONTENT_MISSING, "2 of 3 files are not here yet"},
      {"content that failed",
       [](PlaceFacts& facts) {
         facts.content = Known::kNo;
         facts.files_missing = 1;
         facts.content_failure = Failure(v1::REASON_CONTENT_DIR_PERMISSION, "");
       },
       v1::VISIBILITY_RULE_CONTENT, v1::REASON_CONTENT_DIR_PERMISSION,
       "1 file is not here: the service may not read or write its content directory"},
      {"content that failed its verification",
       [](PlaceFacts& facts) {
         facts.content = Known::kNo;
         facts.files_missing = 1;
         facts.content_failure = Failure(v1::REASON_CONTENT_CORRUPT, "another digest");
       },
       v1::VISIBILITY_RULE_CONTENT, v1::REASON_CONTENT_CORRUPT, "another digest"},
  };
}

TEST(UpdateExplanationTest, EveryReasonIsReachedAndSaysWhatToDo) {
  std::vector<Case> cases = CasesOfMetadata();
  for (const Case& one : CasesOfDecisions()) cases.push_back(one);
  for (const Case& one : CasesOfWhatIsNeeded()) cases.push_back(one);
  for (const Case& one : cases) {
    const v1::ExplainStep step = Decided(one.change);
    EXPECT_EQ(v1::VisibilityRule_Name(step.rule()), v1::VisibilityRule_Name(one.rule)) << one.name;
    EXPECT_EQ(step.reason(), ReasonName(one.reason)) << one.name;
    EXPECT_THAT(step.words(), HasSubstr(one.words)) << one.name;
    EXPECT_NE(step.remedy(), "") << one.name;
    EXPECT_FALSE(step.passed() || step.unknown()) << one.name;
  }
}

TEST(UpdateExplanationTest, EveryRuleIsAskedInOrder) {
  const PlaceExplanation explanation = ExplainPlace(Visible("leaf"));
  EXPECT_FALSE(explanation.decided_by.has_value());
  ASSERT_THAT(explanation.steps, SizeIs(v1::VisibilityRule_MAX));
  for (size_t i = 0; i < explanation.steps.size(); ++i) {
    EXPECT_EQ(explanation.steps[i].rule(), static_cast<int>(i) + 1);
    EXPECT_TRUE(explanation.steps[i].passed());
  }
}

TEST(UpdateExplanationTest, EachThingThatIsNotKnownIsSaidToBeUnknown) {
  const std::vector<std::pair<v1::VisibilityRule, std::function<void(PlaceFacts&)>>> cases = {
      {v1::VISIBILITY_RULE_METADATA, [](PlaceFacts& facts) { facts.metadata = Known::kUnknown; }},
      {v1::VISIBILITY_RULE_NOT_DECLINED,
       [](PlaceFacts& facts) { facts.declined = Known::kUnknown; }},
      {v1::VISIBILITY_RULE_APPROVED,
       [](PlaceFacts& facts) { facts.approval = Approval::kUnknown; }},
      {v1::VISIBILITY_RULE_NOT_HELD_BACK,
       [](PlaceFacts& facts) { facts.held_back = Known::kUnknown; }},
      {v1::VISIBILITY_RULE_LICENCE, [](PlaceFacts& facts) { facts.licence = Known::kUnknown; }},
      {v1::VISIBILITY_RULE_CLOSURE, [](PlaceFacts& facts) { facts.closure = Known::kUnknown; }},
      {v1::VISIBILITY_RULE_CONTENT, [](PlaceFacts& facts) { facts.content = Known::kUnknown; }}};
  for (const auto& [rule, change] : cases) {
    const v1::ExplainStep step = Decided(change);
    EXPECT_EQ(v1::VisibilityRule_Name(step.rule()), v1::VisibilityRule_Name(rule));
    EXPECT_TRUE(step.unknown()) << v1::VisibilityRule_Name(rule);
  }
}

TEST(UpdateExplanationTest, TellsOfASuccessorButOffersTheUpdateAllTheSame) {
  PlaceFacts facts = Visible("leaf");
  facts.superseded = Known::kYes;
  facts.superseded_by = "it was replaced by agent 2";
  const PlaceExplanation explanation = ExplainPlace(facts);
  EXPECT_FALSE(explanation.decided_by.has_value());
  const v1::ExplainStep& step = explanation.steps[v1::VISIBILITY_RULE_NOT_SUPERSEDED - 1];
  EXPECT_FALSE(step.passed());
  EXPECT_EQ(step.words(), "it was replaced by agent 2");
}

TEST(UpdateExplanationTest, OffersWhatIsKeptThoughItsUpstreamLostIt) {
  PlaceFacts facts = Visible("leaf");
  facts.upstream_has_it = Known::kNo;
  const PlaceExplanation explanation = ExplainPlace(facts);
  EXPECT_FALSE(explanation.decided_by.has_value());
  EXPECT_EQ(explanation.steps[v1::VISIBILITY_RULE_UPSTREAM_HAS_IT - 1].reason(), "HISTORY_DIFFERS");
}

TEST(UpdateExplanationTest, NamesWhoHoldsItBackAndUntilWhen) {
  PlaceFacts facts = Visible("leaf");
  facts.held_back = Known::kYes;
  facts.notice.emplace();
  facts.notice->set_decided_by("ada");
  facts.notice->set_comment("after the fair");
  facts.notice->mutable_held_until()->set_seconds(1'700'000'000);
  const PlaceExplanation explanation = ExplainPlace(facts);
  EXPECT_EQ(explanation.steps[*explanation.decided_by].words(),
            "a node on the way holds it until 2023-11-14 22:13:20 UTC (ada: after the fair)");
}

TEST(UpdateExplanationTest, TheVerdictSaysSinceWhenItIsOffered) {
  const v1::ExplainResponse response = ExplainPath({Visible("hq"), Visible("leaf")});
  EXPECT_TRUE(response.visible());
  EXPECT_EQ(response.verdict(), "leaf offers it since 2023-11-14 22:13:20 UTC");
  EXPECT_THAT(response.steps(), SizeIs(2 * v1::VisibilityRule_MAX));
}

TEST(UpdateExplanationTest, TheVerdictBlamesTheNodeAboveThatLacksTheFiles) {
  PlaceFacts middle = Visible("region");
  middle.content = Known::kNo;
  middle.files_missing = 1;
  middle.content_failure = Failure(v1::REASON_CONTENT_NO_SPACE, "the volume is full");
  PlaceFacts leaf = Visible("leaf");
  leaf.content = Known::kNo;
  leaf.files_missing = 1;
  const v1::ExplainResponse response = ExplainPath({Visible("hq"), middle, leaf});
  EXPECT_FALSE(response.visible());
  EXPECT_THAT(response.verdict(),
              AllOf(HasSubstr("leaf does not offer it: at region, 1 file is not here: the volume "
                              "is full."),
                    HasSubstr("Free space")));
}

TEST(UpdateExplanationTest, TheVerdictBlamesTheFilterOfTheNodeAbove) {
  PlaceFacts middle = Visible("region");
  middle.metadata = Known::kNo;
  middle.taken = Taken::kNotProduct;
  middle.left_out = "Contoso/Agent";
  PlaceFacts leaf = Visible("leaf");
  leaf.metadata = Known::kNo;
  leaf.upstream_has_it = Known::kNo;
  leaf.taken = Taken::kNotAbove;
  EXPECT_THAT(ExplainPath({Visible("hq"), middle, leaf}).verdict(),
              AllOf(HasSubstr("at region, its subscription does not take the product "
                              "Contoso/Agent"),
                    HasSubstr("Widen the subscription of region")));
}

TEST(UpdateExplanationTest, TheVerdictDoesNotBlameTheNodeAboveForTheNodesOwnFailure) {
  PlaceFacts middle = Visible("region");
  middle.content = Known::kNo;
  middle.files_missing = 1;
  PlaceFacts leaf = Visible("leaf");
  leaf.declined = Known::kYes;
  EXPECT_THAT(ExplainPath({middle, leaf}).verdict(),
              HasSubstr("leaf does not offer it: it is declined."));
}

}  // namespace
}  // namespace sluice
