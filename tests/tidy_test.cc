// What the compiler does not check about how the project reads, and the proof that each rule bites.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/tidy/function_scan.h"
#include "tests/tidy/rules.h"
#include "tests/tidy/source_tree.h"

namespace sluice::tidy {
namespace {

using Rule = std::function<std::vector<Wrong>(const SourceFile&)>;

const std::vector<SourceFile>& Tree() {
  static const auto& tree = *new std::vector<SourceFile>(ReadSourceTree(SLUICE_SOURCE_DIR));
  return tree;
}

void ExpectHolds(const Rule& rule) {
  ASSERT_GT(Tree().size(), 100u) << "the tree was not found at " << SLUICE_SOURCE_DIR;
  for (const SourceFile& file : Tree()) {
    for (const Wrong& wrong : rule(file)) {
      ADD_FAILURE() << file.path << ":" << wrong.line << ": " << wrong.what;
    }
  }
}

// The lines on which `rule` finds something wrong in a file of this path and text.
std::vector<int> WrongLines(const Rule& rule, const std::string& path, const std::string& text) {
  std::vector<int> lines;
  for (const Wrong& wrong : rule(SourceFile(path, text))) lines.push_back(wrong.line);
  return lines;
}

using Lines = std::vector<int>;

std::string Repeated(const std::string& line, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += line;
  return text;
}

TEST(TidyTest, ArrowsHold) { ExpectHolds(CheckArrows); }
TEST(TidyTest, ForeignLibrariesAreWrapped) { ExpectHolds(CheckForeignIncludes); }
TEST(TidyTest, FilesAreShort) { ExpectHolds(CheckFileLength); }
TEST(TidyTest, FunctionsAreShort) { ExpectHolds(CheckFunctionLength); }
TEST(TidyTest, LinesAreNarrow) { ExpectHolds(CheckLineWidth); }
TEST(TidyTest, NamesSayWhatThingsAre) { ExpectHolds(CheckNames); }
TEST(TidyTest, HeadersOpenWithWhatTheyAre) { ExpectHolds(CheckHeader); }
TEST(TidyTest, NothingIsLeftUnfinished) { ExpectHolds(CheckLeftovers); }
TEST(TidyTest, ForbiddenCodeIsAbsent) { ExpectHolds(CheckForbiddenCode); }
TEST(TidyTest, ProtosAreCommented) { ExpectHolds(CheckProtoComments); }
TEST(TidyTest, ScriptsStopAtTheFirstFailure) { ExpectHolds(CheckShell); }
TEST(TidyTest, TestsDoNotSleep) { ExpectHolds(CheckNoSleepInTests); }

TEST(ArrowRuleTest, FindsIncludesAgainstTheArrows) {
  EXPECT_EQ(WrongLines(CheckArrows, "common/a.h", "#include \"storage/catalog.h\"\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckArrows, "upstream/a.cc", "\n#include \"downstream/b.h\"\n"), Lines{2});
  EXPECT_EQ(WrongLines(CheckArrows, "downstream/a.cc", "#include \"upstream/b.h\"\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckArrows, "cli/verbs/a.cc", "#include \"storage/b.h\"\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckArrows, "storage/a.cc", "#include \"tests/b.h\"\n"), Lines{1});
}

TEST(ArrowRuleTest, AllowsWhatTheArrowsAllow) {
  EXPECT_EQ(WrongLines(CheckArrows, "downstream/main.cc", "#include \"upstream/b.h\"\n"), Lines{});
  EXPECT_EQ(WrongLines(CheckArrows, "upstream/a.cc", "#include \"storage/b.h\"\n"), Lines{});
  EXPECT_EQ(WrongLines(CheckArrows, "cli/a.cc", "#include \"sluice/v1/record.pb.h\"\n"), Lines{});
  EXPECT_EQ(WrongLines(CheckArrows, "tests/a.cc", "#include \"upstream/b.h\"\n"), Lines{});
}

TEST(ForeignIncludeRuleTest, FindsGrpcAndSpdlogOutsideOfTheirPlaces) {
  EXPECT_EQ(WrongLines(CheckForeignIncludes, "upstream/a.cc", "#include <grpcpp/grpcpp.h>\n"),
            Lines{1});
  EXPECT_EQ(WrongLines(CheckForeignIncludes, "common/log.h", "#include <spdlog/spdlog.h>\n"),
            Lines{1});
  EXPECT_EQ(WrongLines(CheckForeignIncludes, "common/rpc/a.cc", "#include <grpcpp/grpcpp.h>\n"),
            Lines{});
}

TEST(FileLengthRuleTest, FindsAFileThatIsTooLong) {
  EXPECT_EQ(WrongLines(CheckFileLength, "common/a.cc", Repeated("int a;\n", 500)), Lines{});
  EXPECT_EQ(WrongLines(CheckFileLength, "common/a.cc", Repeated("int a;\n", 501)), Lines{0});
  EXPECT_EQ(WrongLines(CheckFileLength, "docs/a.md", Repeated("text\n", 501)), Lines{});
}

TEST(FunctionLengthRuleTest, FindsAFunctionThatIsTooLong) {
  const std::string head = "namespace a {\nclass B {\n public:\n  int C(int d) {\n";
  const std::string tail = "  }\n};\n}  // namespace a\n";
  EXPECT_EQ(WrongLines(CheckFunctionLength, "a.cc", head + Repeated("    ++d;\n", 68) + tail),
            Lines{});
  EXPECT_EQ(WrongLines(CheckFunctionLength, "a.cc", head + Repeated("    ++d;\n", 69) + tail),
            Lines{4});
}

TEST(FunctionLengthRuleTest, CountsAFunctionWithBlocksAndLambdasAsOne) {
  const std::string text = "void A() {\n  if (b) {\n    C([&] { return '}'; });\n  }\n" +
                           Repeated("  // {\n", 70) + "}\n";
  EXPECT_EQ(WrongLines(CheckFunctionLength, "a.cc", text), Lines{1});
}

TEST(FunctionLengthRuleTest, DoesNotTakeAClassOrATableForAFunction) {
  const std::string members = Repeated("  int x(int y = int{});\n", 100);
  EXPECT_EQ(WrongLines(CheckFunctionLength, "a.h",
                       "class A final : public B<int(int)> {\n" + members + "};\n"),
            Lines{});
  EXPECT_EQ(WrongLines(CheckFunctionLength, "a.h",
                       "const T kTable[] = {\n" + Repeated("    {A(1), 2},\n", 100) + "};\n"),
            Lines{});
}

TEST(FunctionScanTest, NamesFunctionsAndTypes) {
  const Scan scan = ScanCpp(
      SourceFile("a.cc",
                 "template <typename T>\nclass Foo {\n private:\n  struct Bar {};\n};\n"
                 "enum class Kind { kA };\nFoo::Foo(int a) : a_(a) {}\nTEST(Some, Thing) {}\n"));
  ASSERT_EQ(scan.types.size(), 3u);
  EXPECT_EQ(scan.types[0].name, "Foo");
  EXPECT_EQ(scan.types[1].name, "Bar");
  EXPECT_EQ(scan.types[2].name, "Kind");
  ASSERT_EQ(scan.functions.size(), 2u);
  EXPECT_EQ(scan.functions[0].name, "Foo");
  EXPECT_EQ(scan.functions[0].first_line, 7);
}

TEST(LineWidthRuleTest, CountsCharactersNotBytes) {
  EXPECT_EQ(WrongLines(CheckLineWidth, "a.cc", "//" + Repeated("x", 98) + "\n"), Lines{});
  EXPECT_EQ(WrongLines(CheckLineWidth, "a.cc", "//" + Repeated("x", 99) + "\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckLineWidth, "a.cc", "//" + Repeated("\xc3\xa4", 98) + "\n"), Lines{});
}

TEST(NameRuleTest, FindsBannedWordsInPathsTypesAndFunctions) {
  EXPECT_EQ(WrongLines(CheckNames, "common/string_util.h", ""), Lines{0});
  EXPECT_EQ(WrongLines(CheckNames, "common/a.h", "class SyncManager {};\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckNames, "common/a.cc", "\nint ReadBlob(int a) { return a; }\n"),
            Lines{2});
  EXPECT_EQ(WrongLines(CheckNames, "common/a.cc", "enum class Slave { kA };\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckNames, "common/Digest.h", ""), Lines{0});
}

TEST(NameRuleTest, SaysWhatToWriteInstead) {
  const auto wrongs = CheckNames(SourceFile("common/a.h", "struct MirrorState {};\n"));
  ASSERT_EQ(wrongs.size(), 1u);
  EXPECT_EQ(wrongs[0].what,
            "type \"MirrorState\": instead of \"mirror\" write \"downstream\" or \"replica\"");
}

TEST(NameRuleTest, TakesWholeWordsOnly) {
  EXPECT_EQ(WrongLines(CheckNames, "common/a.h", "class Utilisation {};\n"), Lines{});
}

TEST(HeaderRuleTest, FindsAHeaderThatDoesNotSayWhatItIs) {
  EXPECT_EQ(WrongLines(CheckHeader, "a.h", "#pragma once\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckHeader, "a.h", "// Thing: what it is.\nint a;\n"), Lines{2});
  EXPECT_EQ(WrongLines(CheckHeader, "a.h", "// Thing: what it is.\n#pragma once\n"), Lines{});
}

TEST(LeftoverRuleTest, FindsMarksOfUnfinishedWork) {
  const std::string mark = std::string("TO") + "DO";
  EXPECT_EQ(WrongLines(CheckLeftovers, "a.md", "done\n" + mark + ": more\n"), Lines{2});
  EXPECT_EQ(WrongLines(CheckLeftovers, "a.md", mark + "S\n"), Lines{});
}

TEST(ForbiddenCodeRuleTest, FindsCredentialsWithoutAGateAndOpenNamespaces) {
  EXPECT_EQ(WrongLines(CheckForbiddenCode, "common/rpc/a.cc",
                       "auto c = grpc::InsecureServerCredentials();\n"),
            Lines{1});
  EXPECT_EQ(WrongLines(CheckForbiddenCode, "common/a.cc", "using namespace grpc;\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckForbiddenCode, "common/a.cc", "// InsecureServerCredentials\n"),
            Lines{});
}

TEST(ProtoCommentRuleTest, FindsWhatNobodyExplained) {
  EXPECT_EQ(WrongLines(CheckProtoComments, "a.proto", "// A.\nmessage A {}\n\nmessage B {}\n"),
            Lines{4});
  EXPECT_EQ(WrongLines(CheckProtoComments, "a.proto",
                       "// S.\nservice S {\n  rpc Do(DoRequest) returns (DoResponse);\n}\n"),
            Lines{3});
  EXPECT_EQ(WrongLines(CheckProtoComments, "a.proto", "message DoRequest {}\n"), Lines{});
}

TEST(ShellRuleTest, FindsAScriptThatGoesOnAfterAFailure) {
  EXPECT_EQ(WrongLines(CheckShell, "deploy/a", "#!/bin/bash\n# Text.\nls\n"), Lines{3});
  EXPECT_EQ(WrongLines(CheckShell, "deploy/a", "#!/bin/bash\nset -euo pipefail\nls\n"), Lines{});
}

TEST(SleepRuleTest, FindsTestsThatWaitForTime) {
  EXPECT_EQ(WrongLines(CheckNoSleepInTests, "tests/a.cc", "absl::SleepFor(kSecond);\n"), Lines{1});
  EXPECT_EQ(WrongLines(CheckNoSleepInTests, "tests/run", "#!/bin/bash\nsleep 1\n"), Lines{2});
  EXPECT_EQ(WrongLines(CheckNoSleepInTests, "tests/a.cc", "// no sleep here\n"), Lines{});
}

}  // namespace
}  // namespace sluice::tidy
