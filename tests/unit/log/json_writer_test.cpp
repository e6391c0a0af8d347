// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/json_writer.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "qpeer/tests/unit/log/json_value.hpp"

namespace qpeer::transport::log {
namespace {

std::string text(std::string_view value) {
  std::string out;
  JsonWriter(out).text(value);
  return out;
}

std::string milliseconds(Duration value) {
  std::string out;
  JsonWriter(out).milliseconds("t", value);
  return out;
}

TEST(JsonWriter, SeparatesMembersAndElements) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.number("a", 1);
  json.key("b").begin_array();
  json.number(2);
  json.begin_object();
  json.end_object();
  json.text("c");
  json.end_array();
  json.flag("d", false);
  json.end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[2,{},"c"],"d":false})");
}

TEST(JsonWriter, EscapesWhatJsonDoesNotAllowInAText) {
  EXPECT_EQ(text("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(text(std::string_view("\0\n\x1f\x7f", 4)), R"("\u0000\u000a\u001f\u007f")");
  EXPECT_EQ(text("h\xc3\xa9 \xf0\x9f\x98\x80"), "\"h\xc3\xa9 \xf0\x9f\x98\x80\"");
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(text("\xff"), R"("\ufffd")");
  EXPECT_EQ(text("\xc3"), R"("\ufffd")");                      // Cut off.
  EXPECT_EQ(text("\xc0\x80"), R"("\ufffd\ufffd")");            // Longer than need be.
  EXPECT_EQ(text("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");  // A surrogate.
  EXPECT_EQ(text("\xf4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")");
}

TEST(JsonWriter, WritesValidJsonWhateverTheBytes) {
  std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same bytes each time
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (char& c : bytes)
      c = static_cast<char>(random() % 2 == 0 ? random() : 0xc0 + random() % 64);
    ASSERT_TRUE(test::parse_json(text(bytes))) << text(bytes);
  }
}

TEST(JsonWriter, WritesTimesToTheMicrosecond) {
  EXPECT_EQ(milliseconds(0ns), R"("t":0)");
  EXPECT_EQ(milliseconds(1'999ns), R"("t":0.001)");
  EXPECT_EQ(milliseconds(1'500us), R"("t":1.5)");
  EXPECT_EQ(milliseconds(12'345'678us), R"("t":12345.678)");
  EXPECT_EQ(milliseconds(-20us), R"("t":-0.02)");
}

TEST(JsonWriter, WritesHexDigitsInPairs) {
  std::string out;
  const u8 bytes[] = {0x00, 0xaf, 0x09};
  JsonWriter(out).hex(bytes);
  EXPECT_EQ(out, "\"00af09\"");
}

}  // namespace
}  // namespace qpeer::transport::log
