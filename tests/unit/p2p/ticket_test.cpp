// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tickets as they are written, and everything that can go wrong while people pass them on.
#include "qpeer/p2p/ticket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/transport/base/base32.hpp"
#include "qpeer/transport/base/crc32.hpp"

namespace qpeer::p2p {
namespace {

constexpr PeerId kId{{1, 2, 3}};
constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz234567";

Ticket sample() {
  return {.id = kId,
          .places = {{.host = "192.0.2.1", .port = 4477},
                     {.host = "2001:db8::1", .port = 443},
                     {.host = "node.test", .port = 65535}}};
}
// Computed apart, with Python's zlib, struct and base64.
constexpr std::string_view kSampleText =
    "qpeerticket1aebagaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaakiba3aaaaqbcf6qeeraaeg3qa"
    "aaaaaaaaaaaaaaaaabag5qgc7775xg6zdffz2gk43ulsi32za";

/// Entries as bytes, with the rest of a ticket around them.
std::string ticket_of(const std::vector<u8>& entries) {
  std::vector<u8> all(kId.bytes().begin(), kId.bytes().end());
  all.push_back(static_cast<u8>(entries.size() >> 8));
  all.push_back(static_cast<u8>(entries.size()));
  all.insert(all.end(), entries.begin(), entries.end());
  const std::uint32_t checksum = crc32(all);
  for (int i = 0; i < 4; ++i) all.push_back(static_cast<u8>(checksum >> (8 * i)));
  return "qpeerticket1" + to_base32(all);
}

std::string why_refused(std::string_view text) {
  const auto ticket = Ticket::parse(text);
  return ticket ? "nothing" : ticket.error();
}

void expect_same(const std::expected<Ticket, std::string>& read, const Ticket& wanted) {
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->id, wanted.id);
  EXPECT_EQ(read->places, wanted.places);
}

TEST(Ticket, HasTheTextOfTheFormat) {
  EXPECT_EQ(sample().to_string(), kSampleText);
  expect_same(Ticket::parse(kSampleText), sample());
}

TEST(Ticket, ReadsBack) {
  const std::vector<Ticket::Place> all{
      {"192.0.2.1", 1},      {"255.255.255.255", 65535}, {"::", 7}, {"2001:db8::1", 443},
      {"fe80::1%eth0", 443}, {"fe80::1%2", 443},         {"a", 1},  {std::string(253, 'a'), 2}};
  for (std::size_t begin = 0; begin < all.size(); ++begin) {
    for (std::size_t end = begin + 1; end <= all.size(); ++end) {
      const Ticket ticket{.id = kId,
                          .places = {all.begin() + static_cast<std::ptrdiff_t>(begin),
                                     all.begin() + static_cast<std::ptrdiff_t>(end)}};
      const std::string text = ticket.to_string();
      EXPECT_TRUE(std::ranges::all_of(
          text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '1' && c <= '7'); }))
          << "one word: " << text;
      expect_same(Ticket::parse(text), ticket);
    }
  }
}

TEST(Ticket, IsReadInUpperCase) {
  std::string text{kSampleText};
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? c - 'a' + 'A' : c; });
  EXPECT_TRUE(Ticket::is_meant(text));
  expect_same(Ticket::parse(text), sample());
}

TEST(Ticket, IsMeantByItsBeginning) {
  EXPECT_TRUE(Ticket::is_meant("qpeerticket"));
  EXPECT_TRUE(Ticket::is_meant("QpeerTicket7"));
  for (const std::string_view text :
       {"", "qpeer", "qpeerticke", "qpeer1", "node.test", "xqpeerticket"}) {
    EXPECT_FALSE(Ticket::is_meant(text)) << text;
    EXPECT_EQ(why_refused(text), "a ticket begins with qpeerticket");
  }
}

// With one address and with the most, so that the tickets have several lengths modulo 8 characters and 5 bytes.
TEST(Ticket, NoMistypedCharacterAndNoSwapPasses) {
  Ticket ticket{.id = kId, .places = {}};
  for (std::size_t count = 1; count <= Ticket::kMaxPlaces; ++count) {
    ticket.places.push_back(count % 2 == 0 ? Ticket::Place{"2001:db8::77", 4477}
                                           : Ticket::Place{"node" + std::string(count, 'x'), 4477});
    const std::string right = ticket.to_string();
    for (std::size_t at = 0; at < right.size(); ++at) {
      std::string text = right;
      for (const char character : kCharacters) {
        if (character == right[at]) continue;
        text[at] = character;
        ASSERT_FALSE(Ticket::parse(text)) << text;
      }
      for (const char character : std::string_view("0189-._ @:[]\n\0\x7f\xe9", 16)) {
        if (character == right[at]) continue;
        text[at] = character;
        ASSERT_FALSE(Ticket::parse(text)) << text;
      }
      text = right;
      if (at == 0 || text[at - 1] == text[at]) continue;
      std::swap(text[at - 1], text[at]);
      ASSERT_FALSE(Ticket::parse(text)) << text;
    }
  }
}

TEST(Ticket, NothingWithinFiveCharactersPasses) {
  const std::string right{kSampleText};
  std::uint32_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = right;
    const std::size_t at = 12 + static_cast<std::size_t>(i) % (right.size() - 16);
    for (std::size_t j = 0; j < 5; ++j) {
      random = random * 1'664'525 + 1'013'904'223;
      text[at + j] = kCharacters[random >> 27];
    }
    if (text == right) continue;
    ASSERT_FALSE(Ticket::parse(text)) << text;
  }
}

TEST(Ticket, CutOffAnywhereItSaysSo) {
  const std::string_view text = kSampleText;
  for (std::size_t size = Ticket::kPrefix.size(); size < text.size(); ++size) {
    EXPECT_EQ(why_refused(text.substr(0, size)), "the ticket was cut off") << size;
  }
}

TEST(Ticket, SaysWhatElseIsWrong) {
  const std::string text{kSampleText};
  EXPECT_EQ(why_refused(text + "a"), "the ticket is mistyped: its checksum does not match");
  EXPECT_EQ(why_refused(text + text),
            "a ticket has only letters and the digits 2 to 7, but '1' is at position 151");
  EXPECT_EQ(why_refused("qpeerticket2" + text.substr(12)),
            "the ticket is mistyped after \"qpeerticket\", or of a later version of qpeer");
  std::string wrong = text;
  wrong[20] = '9';
  EXPECT_EQ(why_refused(wrong),
            "a ticket has only letters and the digits 2 to 7, but '9' is at position 21");
  wrong = text;
  wrong[20] = wrong[20] == 'b' ? 'c' : 'b';
  EXPECT_EQ(why_refused(wrong), "the ticket is mistyped: its checksum does not match");
  EXPECT_EQ(why_refused(text.substr(0, 12) + std::string(Ticket::kMaxTextSize, 'a')),
            "the ticket is longer than any");
}

TEST(Ticket, EntriesOfALaterVersionAreSkipped) {
  const std::vector<u8> later{9, 3, 1, 2, 3, 1, 6, 192, 0, 2, 1, 0, 7, 0, 0, 255, 0};
  expect_same(Ticket::parse(ticket_of(later)),
              {.id = kId, .places = {{.host = "192.0.2.1", .port = 7}}});
  EXPECT_EQ(why_refused(ticket_of({9, 3, 1, 2, 3})),
            "the ticket has no address that this version of qpeer knows");
  EXPECT_EQ(why_refused(ticket_of({})),
            "the ticket has no address that this version of qpeer knows");
}

TEST(Ticket, EntriesThatCannotBeReadAreRefused) {
  const std::vector<u8> good{1, 6, 192, 0, 2, 1, 0, 7};
  EXPECT_EQ(why_refused(ticket_of(good)), "nothing");
  for (std::size_t size = 1; size < good.size(); ++size) {
    EXPECT_EQ(
        why_refused(ticket_of({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)})),
        "the ticket has an address that cannot be read")
        << size;
  }
  for (const std::vector<u8>& bad :
       {std::vector<u8>{1, 5, 192, 0, 2, 1, 0}, std::vector<u8>{1, 7, 192, 0, 2, 1, 0, 7, 7},
        std::vector<u8>{2, 6, 192, 0, 2, 1, 0, 7}, std::vector<u8>{3, 2, 0, 7},
        std::vector<u8>{3, 0}, std::vector<u8>{3, 200, 0, 7, 'a'},
        std::vector<u8>{1, 6, 192, 0, 2, 1, 0, 7, 1}}) {
    EXPECT_EQ(why_refused(ticket_of(bad)), "the ticket has an address that cannot be read");
  }
}

TEST(Ticket, HasAtMostEightAddresses) {
  Ticket many{.id = kId, .places = {}};
  std::vector<u8> entries;
  for (std::size_t i = 0; i <= Ticket::kMaxPlaces; ++i) {
    many.places.push_back({.host = std::string(253, 'a'), .port = 7});
    entries.insert(entries.end(), {1, 6, 192, 0, 2, 1, 0, 7});
  }
  const std::string text = many.to_string();
  EXPECT_LE(text.size(), Ticket::kMaxTextSize);
  many.places.resize(Ticket::kMaxPlaces);
  expect_same(Ticket::parse(text), many);
  EXPECT_EQ(why_refused(ticket_of(entries)), "the ticket has more than 8 addresses");
}

TEST(Ticket, LeavesOutWhatHasNoPlaceInIt) {
  Ticket ticket = sample();
  ticket.places.insert(ticket.places.begin(), {.host = "", .port = 1});
  ticket.places.push_back({.host = std::string(254, 'a'), .port = 1});
  expect_same(Ticket::parse(ticket.to_string()), sample());
}

TEST(Ticket, AnAddressIsWrittenInOneWay) {
  const auto with = [](const std::string& host) {
    return Ticket{.id = kId, .places = {{.host = host, .port = 7}}}.to_string();
  };
  EXPECT_EQ(with("2001:DB8:0::1"), with("2001:db8::1"));
  EXPECT_EQ(with("::ffff:192.0.2.1"), with("192.0.2.1"));
}

}  // namespace
}  // namespace qpeer::p2p
