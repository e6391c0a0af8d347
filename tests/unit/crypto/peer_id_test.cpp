// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Names of peers, and how people pass them on.
#include "qpeer/crypto/peer_id.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>

#include "qpeer/crypto/identity.hpp"

namespace qpeer {
namespace {

constexpr PeerId counting() {
  std::array<u8, PeerId::kSize> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i);
  return PeerId{bytes};
}

// Computed apart, with Python's hashlib and base64.
constexpr std::string_view kCountingText =
    "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypszu66";

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? c - 'a' + 'A' : c; });
  return text;
}

TEST(PeerId, HasTheTextOfTheFormat) {
  EXPECT_EQ(counting().to_string(), kCountingText);
  EXPECT_EQ(counting().short_text(), kCountingText.substr(0, 8));
  EXPECT_EQ(PeerId::parse(kCountingText), counting());
}

TEST(PeerId, TextReadsBack) {
  for (int i = 0; i < 200; ++i) {
    std::array<u8, PeerId::kSize> bytes{};
    crypto::system_random().fill_public(bytes);
    const PeerId id{bytes};
    const std::string text = id.to_string();
    EXPECT_EQ(text.size(), PeerId::kTextSize);
    EXPECT_EQ(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
    EXPECT_EQ(PeerId::parse(text), id) << text;
  }
}

TEST(PeerId, ParsesAnyCaseAndWhiteSpaceAround) {
  const std::string text{kCountingText};
  EXPECT_EQ(PeerId::parse(upper(text)), counting());
  EXPECT_EQ(PeerId::parse(" \t" + text + "\r\n"), counting());
}

TEST(PeerId, SaysWhatIsWrongWithItsLength) {
  const std::string text{kCountingText};
  EXPECT_EQ(PeerId::parse("").error(), "a peer id has 56 characters, not 0");
  EXPECT_EQ(PeerId::parse(" \n").error(), "a peer id has 56 characters, not 0");
  EXPECT_EQ(PeerId::parse(text + "a").error(), "a peer id has 56 characters, not 57");
  EXPECT_EQ(PeerId::parse(text.substr(1)).error(), "a peer id has 56 characters, not 55");
}

TEST(PeerId, SaysWhichCharacterIsWrong) {
  const auto with = [](std::size_t at, char character) {
    std::string text{kCountingText};
    text[at] = character;
    return PeerId::parse(text).error();
  };
  constexpr std::string_view kBegins = "a peer id has only letters and the digits 2 to 7, but ";
  EXPECT_EQ(with(0, '1'), std::string(kBegins) + "'1' is at position 1");
  EXPECT_EQ(with(55, '='), std::string(kBegins) + "'=' is at position 56");
  EXPECT_EQ(with(9, ' '), std::string(kBegins) + "byte 0x20 is at position 10");
  EXPECT_EQ(with(9, '\0'), std::string(kBegins) + "byte 0x00 is at position 10");
  EXPECT_EQ(with(9, '\xe9'), std::string(kBegins) + "byte 0xe9 is at position 10");
  for (const char character : {'0', '8', '9', '@', '[', '`', '{', '/'}) {
    EXPECT_TRUE(with(3, character).starts_with(kBegins)) << character;
  }
}

TEST(PeerId, NoMistypedCharacterAndNoSwapPasses) {
  for (std::size_t at = 0; at < PeerId::kTextSize; ++at) {
    for (const char character : std::string_view("abcdefghijklmnopqrstuvwxyz234567")) {
      std::string text{kCountingText};
      if (text[at] == character) continue;
      text[at] = character;
      const auto id = PeerId::parse(text);
      ASSERT_FALSE(id) << text;
      EXPECT_EQ(id.error(), "the peer id is mistyped: its checksum does not match");
    }
    std::string text{kCountingText};
    if (at == 0 || text[at - 1] == text[at]) continue;
    std::swap(text[at - 1], text[at]);
    EXPECT_FALSE(PeerId::parse(text)) << text;
  }
}

TEST(PeerId, OrdersAndHashesAsItsBytesDo) {
  static_assert(PeerId{}.is_zero() && !counting().is_zero());
  static_assert(PeerId{} < counting() && counting() == counting());
  std::array<u8, PeerId::kSize> bytes = counting().bytes();
  bytes[31] ^= 1;
  EXPECT_NE(PeerId{bytes}, counting());
  EXPECT_LT(PeerId{bytes}, counting());
  const std::unordered_set<PeerId> ids{PeerId{}, counting(), PeerId{bytes}, counting()};
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_NE(std::hash<PeerId>{}(PeerId{}), std::hash<PeerId>{}(PeerId{{1}}));
}

}  // namespace
}  // namespace qpeer
