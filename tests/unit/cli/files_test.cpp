// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/cli/common/files.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/base/folder.hpp"

namespace qpeer::cli {
namespace {

using AtomicFileTest = InFolder;
using Names = std::vector<std::string>;

TEST_F(AtomicFileTest, AppearsWholeWhenCommitted) {
  auto file = AtomicFile::create(folder);
  ASSERT_TRUE(file) << file.error();
  EXPECT_TRUE(file->write(as_bytes("hello ")));
  EXPECT_TRUE(file->write(as_bytes("there")));
  ASSERT_EQ(files().size(), 1U);
  EXPECT_TRUE(files()[0].starts_with(TemporaryFile::kPrefix));
  EXPECT_EQ(file->commit("name", AtomicFile::Collision::number), "name");
  EXPECT_EQ(files(), Names{"name"});
  EXPECT_EQ(contents("name"), "hello there");
}

TEST_F(AtomicFileTest, LeavesNothingWhenAbandoned) {
  {
    auto file = AtomicFile::create(folder);
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->write(as_bytes("half")));
    const AtomicFile moved = std::move(*file);
    EXPECT_EQ(files().size(), 1U);
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(AtomicFileTest, NumbersWhatIsTaken) {
  for (const char* text : {"a", "b", "c"}) {
    auto file = AtomicFile::create(folder);
    EXPECT_TRUE(file->write(as_bytes(text)));
    EXPECT_TRUE(file->commit("name", AtomicFile::Collision::number));
  }
  EXPECT_EQ(files(), (Names{"name", "name.1", "name.2"}));
  EXPECT_EQ(contents("name"), "a");
  EXPECT_EQ(contents("name.2"), "c");
}

TEST_F(AtomicFileTest, ReplacesWhenToldTo) {
  make("name", "old");
  auto file = AtomicFile::create(folder);
  EXPECT_TRUE(file->write(as_bytes("new")));
  EXPECT_EQ(file->commit("name", AtomicFile::Collision::replace), "name");
  EXPECT_EQ(files(), Names{"name"});
  EXPECT_EQ(contents("name"), "new");
}

TEST_F(AtomicFileTest, RemovesOnlyWhatNobodyUses) {
  make(std::string(TemporaryFile::kPrefix) + "dead", "x");
  make("kept", "y");
  auto file = AtomicFile::create(folder);
  EXPECT_EQ(TemporaryFile::remove_stale(folder), 1U);
  EXPECT_EQ(files().size(), 2U);
  EXPECT_TRUE(file->commit("mine", AtomicFile::Collision::number));
  EXPECT_EQ(files(), (Names{"kept", "mine"}));
}

TEST_F(AtomicFileTest, AFolderThatIsMissingIsAnError) {
  const auto file = AtomicFile::create(folder + "/missing");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().find("missing: No such file"), std::string::npos) << file.error();
}

TEST(FileNames, OrdinaryOnesAreTaken) {
  for (const char* name : {"a", "file.txt", "with space", "Übergröße.tar.gz", "日本語", "a..b", "~",
                           "name'\"$(x)", "\xF0\x9F\x98\x80"}) {
    EXPECT_EQ(why_bad_name(name), "") << name;
  }
  EXPECT_EQ(why_bad_name(std::string(200, 'x')), "");
}

TEST(FileNames, HostileOnesAreRefused) {
  using namespace std::string_literals;
  const std::vector<std::string> names{
      "",
      ".",
      "..",
      ".hidden",
      ".qpeer-part-0",
      "-rf",
      "a/b",
      "/etc/passwd",
      "../up",
      "a\\b",
      "a\0b"s,
      "a\nb",
      "a\x1b[2J",
      "a\x7f",
      " a",
      "a ",
      std::string(201, 'x'),
      "\xff",              // Not UTF-8:
      "a\xc0\xaf",         // a slash in too long a form,
      "\xe2\x82",          // cut short,
      "\xed\xa0\x80",      // a surrogate,
      "\xf4\x90\x80\x80",  // beyond Unicode.
      "\xc2\x85",          // A control of C1.
      "\xc2\xad",          // A soft hyphen.
      "a\xe2\x80\xaegpj",  // Right-to-left override.
      "\xe2\x80\x8b",      // A space of no width.
      "\xe2\x80\xa8",      // A line separator.
      "\xe2\x81\xa6",      // An isolate.
      "\xef\xbb\xbf",      // A byte order mark.
      "\xee\x80\x80",      // Private use.
      "\xf3\xa0\x81\x81",  // A tag.
  };
  for (const std::string& name : names) {
    EXPECT_NE(why_bad_name(name), "") << testing::PrintToString(name);
  }
}

}  // namespace
}  // namespace qpeer::cli
