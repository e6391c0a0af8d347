// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/cache_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "qpeer/tests/unit/cache/entries.hpp"

namespace qpeer::cache {
namespace {

const std::string kId = "\"id\":\"" + id_of(1).to_string() + '"';
const std::string kAddress = R"("address":"192.0.2.1:443")";

TEST(CacheText, IsOneObjectALine) {
  CacheEntry entry = entry_of(1, 1'700'000'000);
  entry.address = *SocketAddress::parse("192.0.2.1:443");
  entry.failures = 2;
  entry.ticket = {1, 2, 3};
  const std::string expected =
      "{" + kId + "," + kAddress +
      ",\"first_reached\":1700000000,\"last_reached\":1700000000,"
      "\"evidence\":\"dialled\",\"failures\":2,\"certificate\":\"3001\"}\n";
  EXPECT_EQ(export_text(std::vector{entry}), expected);
  EXPECT_EQ(export_text({}), "");
}

TEST(CacheText, ReadsBackAllButTheSecrets) {
  CacheEntry entry = entry_of(1, 1'700'000'000);
  entry.address = *SocketAddress::parse("[2001:db8::1]:443");
  entry.evidence = Evidence::dialled_back;
  entry.certificate.clear();
  std::vector<CacheEntry> entries{entry, entry_of(2, 7)};
  entries[1].ticket = {1};
  entries[1].address_token = {2};
  const std::string text = export_text(entries);
  entries[1].ticket.clear();
  entries[1].address_token.clear();
  for (CacheEntry& one : entries) one.order = 0;  // It means nothing to another cache.
  EXPECT_EQ(import_text(text), entries);
}

TEST(CacheText, TakesSpacesEmptyLinesAndAnyOrder) {
  const auto entries = import_text("\n  \r\n\t{ " + kAddress + " ,\t" + kId + " }  \r\n\n{" + kId +
                                   "," + kAddress + ",\"last_reached\":5}");
  ASSERT_TRUE(entries) << entries.error();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].id, id_of(1));
  EXPECT_EQ((*entries)[0].last_reached, 0);
  EXPECT_EQ((*entries)[1].last_reached, 5);
  EXPECT_EQ(import_text(""), std::vector<CacheEntry>{});
}

TEST(CacheText, ErrorsNameTheLineAndTheReason) {
  const std::string good = "{" + kId + "," + kAddress;
  struct Case {
    std::string line;
    std::string what;
  };
  const std::vector<Case> cases{
      {"hello", "does not begin with '{'"},
      {"[]", "does not begin with '{'"},
      {"{}", "a key in quotes is missing, or is no plain text"},
      {good + ",}", "a key in quotes is missing, or is no plain text"},
      {good + ",\"a\\u0020\":1}", "a key in quotes is missing, or is no plain text"},
      {good + ",\"\x1b[2J\":1}", "a key in quotes is missing, or is no plain text"},
      {good, "does not end with one '}'"},
      {good + "}}", "does not end with one '}'"},
      {good + "} x", "does not end with one '}'"},
      {good + ",\"more\":1}", "unknown key \"more\""},
      {good + "," + kId + "}", "\"id\" is there twice"},
      {good + ",\"failures\" 1}", "\"failures\" is not followed by ':'"},
      {good + ",\"failures\":-1}", "\"failures\": is not a number, or too large a one"},
      {good + ",\"failures\":1.5}", "does not end with one '}'"},
      {good + ",\"failures\":01}", "\"failures\": is not a number, or too large a one"},
      {good + ",\"failures\":4294967296}", "\"failures\": is not a number, or too large a one"},
      {good + ",\"last_reached\":9223372036854775808}",
       "\"last_reached\": is not a number, or too large a one"},
      {good + ",\"first_reached\":1}", "\"first_reached\" is after \"last_reached\""},
      {good + ",\"certificate\":\"abc\"}",
       "\"certificate\": is not a string of pairs of hexadecimal digits"},
      {good + ",\"certificate\":\"AB\"}",
       "\"certificate\": is not a string of pairs of hexadecimal digits"},
      {good + ",\"evidence\":\"told\"}",
       "\"evidence\": is none of \"dialled\", \"dialled_back\" and \"unproved\""},
      {"{" + kId + "}", "there is no \"address\""},
      {"{" + kAddress + "}", "there is no \"id\""},
      {"{" + kId + ",\"address\":\"localhost:1\"}",
       "\"address\": is not an address such as \"192.0.2.1:4433\" or \"[2001:db8::1]:4433\""},
      {"{\"id\":7}", "\"id\": is not a string"},
  };
  for (const Case& c : cases) {
    const auto entries = import_text(good + "}\n\n" + c.line + "\n" + good + "}\n");
    ASSERT_FALSE(entries) << c.line;
    EXPECT_EQ(entries.error(), "line 3: " + c.what) << c.line;
  }
  const auto bad_id = import_text("{\"id\":\"aaaa\"," + kAddress + "}");
  ASSERT_FALSE(bad_id);
  EXPECT_TRUE(bad_id.error().starts_with("line 1: \"id\": ")) << bad_id.error();
}

TEST(CacheText, IsBounded) {
  const std::string good = "{" + kId + "," + kAddress + "}";
  std::string lines;
  for (std::size_t i = 0; i < kMostTextLines; ++i) lines += '\n';
  lines.back() = ' ';
  EXPECT_TRUE(import_text(lines + good));
  EXPECT_EQ(import_text(lines + "\n" + good).error(),
            "line " + std::to_string(kMostTextLines + 1) + ": there are too many lines");
  const std::string padded = good + std::string(kLongestTextLine - good.size(), ' ');
  EXPECT_TRUE(import_text(padded));
  EXPECT_EQ(import_text(padded + " ").error(), "line 1: is too long");
}

}  // namespace
}  // namespace qpeer::cache
