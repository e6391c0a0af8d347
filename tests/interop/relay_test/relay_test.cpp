// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The relay of the interoperation tests: its bad line in virtual time, and what it reads off packets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "qpeer/tests/interop/relay/line.hpp"
#include "qpeer/tests/interop/relay/wiretap.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::relay {
namespace {

const std::vector<u8> kDatagram(1'250, 7);

// How many of `count` datagrams, one a millisecond, arrive in the end.
std::size_t arrivals(Line& line, std::size_t count) {
  Instant now{};
  std::size_t arrived = 0;
  for (std::size_t i = 0; i < count; ++i, now += 1ms) line.push(now, kDatagram, Ecn::not_ect);
  while (line.pop(now + 1h)) ++arrived;
  return arrived;
}

TEST(Line, DelaysByItsTimeAndByTheBottleneck) {
  Line line({.delay = 15ms, .rate = 10'000'000}, 1);
  line.push(Instant{}, kDatagram, Ecn::ect0);
  line.push(Instant{}, kDatagram, Ecn::not_ect);
  EXPECT_EQ(line.next_deadline(), Instant{} + 16ms);  // 10,000 bits take a millisecond.
  EXPECT_FALSE(line.pop(Instant{} + 15'999us));
  const auto first = line.pop(Instant{} + 16ms);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->ecn, Ecn::ect0);
  EXPECT_EQ(first->bytes, kDatagram);
  EXPECT_EQ(line.next_deadline(), Instant{} + 17ms);
  ASSERT_TRUE(line.pop(Instant{} + 17ms));
  EXPECT_EQ(line.next_deadline(), kNever);
}

TEST(Line, SharesItsBottleneckWithAnother) {
  const auto bottleneck = std::make_shared<Bottleneck>();
  Line one({.rate = 10'000'000}, 1, bottleneck);
  Line other({.rate = 10'000'000}, 2, bottleneck);
  one.push(Instant{}, kDatagram, Ecn::not_ect);
  other.push(Instant{}, Bytes(kDatagram).first(10), Ecn::not_ect);
  EXPECT_EQ(one.next_deadline(), Instant{} + 1ms);
  EXPECT_EQ(other.next_deadline(), Instant{} + 1'008us);
}

TEST(Line, LosesWhatTheQueueCannotHold) {
  Line line({.rate = 10'000'000, .queue = 25}, 1);
  for (int i = 0; i < 40; ++i) line.push(Instant{}, kDatagram, Ecn::not_ect);
  EXPECT_EQ(line.stats().overflowed, 40U - 26U);  // One is in the bottleneck.
}

TEST(Line, LosesTheShareThatItIsToldAndNeverMoreInARow) {
  Line line({.loss = 30, .burst = 3}, 4);
  Instant now{};
  unsigned row = 0;
  unsigned longest = 0;
  for (int i = 0; i < 10'000; ++i) {
    line.push(now, kDatagram, Ecn::not_ect);
    row = line.pop(now) ? 0 : row + 1;
    longest = std::max(longest, row);
  }
  EXPECT_EQ(longest, 3U);
  EXPECT_NEAR(static_cast<double>(line.stats().lost), 2'900, 200);
}

TEST(Line, LosesWhatIsLargerThanItsMtu) {
  Line line({.mtu = 1'250}, 1);
  EXPECT_TRUE(line.push(Instant{}, kDatagram, Ecn::not_ect));
  EXPECT_FALSE(line.push(Instant{}, std::vector<u8>(1'251), Ecn::not_ect));
  EXPECT_EQ(line.stats().oversized, 1U);
}

TEST(Line, LosesWhatIsListed) {
  Line line({.lost = {2, 3}}, 1);
  EXPECT_EQ(arrivals(line, 5), 3U);
  EXPECT_EQ(line.stats().lost, 2U);
  Line first({.lost = {1}}, 1);
  EXPECT_FALSE(first.push(Instant{}, kDatagram, Ecn::not_ect));
  EXPECT_TRUE(first.push(Instant{}, kDatagram, Ecn::not_ect));
}

TEST(Line, IsABlackHoleAtTimes) {
  Line line({.on = 50ms, .off = 20ms}, 1);
  EXPECT_EQ(arrivals(line, 140), 100U);
}

TEST(Line, CorruptsExactlyOneByte) {
  Line line({.corruption = 100}, 9);
  line.push(Instant{}, kDatagram, Ecn::not_ect);
  const auto parcel = line.pop(Instant{});
  ASSERT_TRUE(parcel);
  ASSERT_EQ(parcel->bytes.size(), kDatagram.size());
  std::size_t changed = 0;
  for (std::size_t i = 0; i < kDatagram.size(); ++i) changed += parcel->bytes[i] != kDatagram[i];
  EXPECT_EQ(changed, 1U);
}

TEST(Line, Duplicates) {
  Line line({.duplication = 100}, 1);
  EXPECT_EQ(arrivals(line, 5), 10U);
}

TEST(Line, HasTheSameAccidentsForTheSameSeed) {
  const LineConfig config{.loss = 20, .corruption = 20, .duplication = 20};
  Line one(config, 5);
  Line two(config, 5);
  EXPECT_EQ(arrivals(one, 500), arrivals(two, 500));
  EXPECT_EQ(one.stats().corrupted, two.stats().corrupted);
}

// A long header with a payload of 100 bytes, padded to `size`.
std::vector<u8> datagram(wire::PacketType type, Version version, std::size_t size,
                         Bytes token = {}) {
  constexpr std::array<u8, 8> kId{1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<u8> out(size);
  Writer writer{out};
  const std::size_t at = wire::encode_long_header(
      writer, {.type = type, .version = version, .dcid = kId, .scid = kId, .token = token}, 2);
  wire::patch_length(out, at, 100);
  return out;
}

TEST(Wiretap, TellsTypesAndVersionsApart) {
  Wiretap tap;
  Proof proof;
  tap.from_client(0, datagram(wire::PacketType::initial, Version::v1, 140), Ecn::ect0);
  tap.from_client(0, datagram(wire::PacketType::initial, Version::v2, 140), Ecn::not_ect);
  tap.from_client(1, datagram(wire::PacketType::initial, Version::v2, 140), Ecn::ce);
  tap.from_client(0, datagram(wire::PacketType::zero_rtt, Version::v2, 140), Ecn::not_ect);
  tap.from_server(proof, datagram(wire::PacketType::handshake, Version::v2, 140), Ecn::ect1);
  EXPECT_EQ(tap.client().initial_v1, 1U);
  EXPECT_EQ(tap.client().initial_v2, 2U);
  EXPECT_EQ(tap.client().zero_rtt, 1U);
  EXPECT_EQ(tap.client().ecn[static_cast<std::size_t>(Ecn::ect0)], 1U);
  EXPECT_EQ(tap.client().ecn[static_cast<std::size_t>(Ecn::ce)], 1U);
  EXPECT_EQ(tap.server().handshake_v2, 1U);
  EXPECT_EQ(tap.server().ecn[static_cast<std::size_t>(Ecn::ect1)], 1U);
  EXPECT_EQ(tap.connections(), 2U);
}

TEST(Wiretap, CountsReservedVersionsAndNegotiation) {
  Wiretap tap;
  Proof proof;
  tap.from_client(0, datagram(wire::PacketType::initial, Version{0x1a2a3a4a}, 140), Ecn::not_ect);
  tap.from_server(proof, datagram(wire::PacketType::initial, Version::negotiation, 140),
                  Ecn::not_ect);
  EXPECT_EQ(tap.client().other_version, 1U);
  EXPECT_EQ(tap.connections(), 0U);
  EXPECT_EQ(tap.server().version_negotiation, 1U);
}

TEST(Outline, NamesThePacketsOfADatagram) {
  auto both = datagram(wire::PacketType::initial, Version::v1, 140);
  EXPECT_EQ(outline(both), "Initial");
  const auto header = wire::decode_header(both, 0, true);
  ASSERT_TRUE(header);
  both.resize(header->size);  // Without the padding.
  const auto second = datagram(wire::PacketType::handshake, Version::v2, 140);
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(outline(both), "Initial Handshake");
  EXPECT_EQ(outline(datagram(wire::PacketType::initial, Version::negotiation, 140)),
            "Version Negotiation");
  EXPECT_EQ(outline(datagram(wire::PacketType::initial, Version{0x1a2a3a4a}, 140)), "other");
}

TEST(Wiretap, MeasuresAmplificationUntilTheAddressIsProved) {
  Wiretap tap;
  Proof proof;
  tap.at_server(proof, datagram(wire::PacketType::initial, Version::v1, 1'200));
  for (int i = 0; i < 3; ++i) {
    tap.from_server(proof, datagram(wire::PacketType::handshake, Version::v1, 1'200), Ecn::not_ect);
  }
  EXPECT_EQ(tap.amplification(), 300U);
  tap.from_server(proof, datagram(wire::PacketType::handshake, Version::v1, 1'200), Ecn::not_ect);
  EXPECT_EQ(tap.amplification(), 400U);
  Proof other;
  tap.at_server(other, datagram(wire::PacketType::handshake, Version::v1, 200));
  tap.from_server(other, datagram(wire::PacketType::handshake, Version::v1, 1'200), Ecn::not_ect);
  EXPECT_EQ(tap.amplification(), 400U) << "a Handshake packet proves the address";
}

}  // namespace
}  // namespace qpeer::relay
