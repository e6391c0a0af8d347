// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/base32.hpp"

#include <gtest/gtest.h>

#include <array>

namespace qpeer {
namespace {

TEST(Base32, HasTheTextOfRfc4648) {  // §10, without padding.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kVectors{{
      {"", ""},
      {"f", "my"},
      {"fo", "mzxq"},
      {"foo", "mzxw6"},
      {"foob", "mzxw6yq"},
      {"fooba", "mzxw6ytb"},
      {"foobar", "mzxw6ytboi"},
  }};
  for (const auto& [bytes, text] : kVectors) {
    EXPECT_EQ(to_base32(as_bytes(bytes)), text);
    const Base32Bytes back = from_base32(text);
    EXPECT_EQ(as_text(back.bytes), bytes);
    EXPECT_TRUE(back.is_exact);
    EXPECT_EQ(back.wrong_at, std::string_view::npos);
  }
}

TEST(Base32, ReadsUpperCase) {
  const Base32Bytes back = from_base32("MZXW6YTBOI");
  EXPECT_EQ(as_text(back.bytes), "foobar");
  EXPECT_TRUE(back.is_exact);
}

TEST(Base32, SaysWhichCharacterIsWrong) {
  for (const char wrong : {'0', '1', '8', '9', '@', '[', '`', '{', '=', ' ', '\0', '\xe9'}) {
    std::string text = "mzxw6ytboi";
    text[8] = wrong;
    const Base32Bytes back = from_base32(text);
    EXPECT_EQ(back.wrong_at, 8U) << wrong;
    EXPECT_EQ(as_text(back.bytes), "fooba") << "what comes before it";
    EXPECT_FALSE(back.is_exact);
  }
  EXPECT_EQ(why_not_base32("ab8", 2),
            "only letters and the digits 2 to 7, but '8' is at position 3");
  EXPECT_EQ(why_not_base32("\n", 0),
            "only letters and the digits 2 to 7, but byte 0x0a is at position 1");
}

TEST(Base32, OtherTextsForTheSameBytesAreNotExact) {
  for (const std::string_view text : {"mz", "mzxw6ytboj", "m", "mzx", "mzxw6y", "mzxw6ytba"}) {
    EXPECT_FALSE(from_base32(text).is_exact) << text;
  }
}

}  // namespace
}  // namespace qpeer
