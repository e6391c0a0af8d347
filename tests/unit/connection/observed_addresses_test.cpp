// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Who is told its address, when, and what is believed. draft-ietf-quic-address-discovery.
#include "qpeer/transport/connection/observed_addresses.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace qpeer::transport {
namespace {

constexpr wire::AddressDiscovery kProvide{.provide = true};
constexpr wire::AddressDiscovery kRequest{.request = true};
constexpr Instant kStart{100s};
const SocketAddress kHome = SocketAddress::ipv4({192, 0, 2, 1}, 443);
const SocketAddress kAway = *SocketAddress::parse("[2001:db8::1]:4433");
const SocketAddress kElsewhere = SocketAddress::ipv4({198, 51, 100, 7}, 1);

using Frame = wire::ObservedAddressFrame;

std::vector<Frame> written(ObservedAddresses& from, std::size_t room = 100) {
  std::vector<u8> storage(room);
  PacketWriter out(storage, wire::PacketType::one_rtt);
  from.write_frames(out);
  std::vector<Frame> frames;
  Reader in{Bytes(storage).first(out.size())};
  while (!in.empty()) {
    const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
    EXPECT_TRUE(frame.has_value());
    if (!frame) break;
    frames.push_back(std::get<Frame>(*frame));
    EXPECT_EQ(out.sent_frames()[frames.size() - 1].owner, FrameOwner::observed_addresses);
    EXPECT_EQ(out.sent_frames()[frames.size() - 1].offset, frames.back().sequence_number);
    EXPECT_TRUE(out.ack_eliciting());
  }
  return frames;
}

SentFrame note(std::uint64_t sequence_number) {
  return {.owner = FrameOwner::observed_addresses, .stream = {}, .offset = sequence_number};
}

ObservedAddresses provider() {
  ObservedAddresses out(kProvide);
  out.set_peer(kRequest);
  return out;
}

// [draft-ietf-quic-address-discovery-4.1-6]
TEST(ObservedAddresses, AreToldOnlyToWhoAskedByWhoOffered) {
  constexpr wire::AddressDiscovery kNothing{};
  constexpr wire::AddressDiscovery kBoth{.provide = true, .request = true};
  for (const auto& ours : {kNothing, kProvide, kRequest, kBoth}) {
    for (const auto& theirs : {kNothing, kProvide, kRequest, kBoth}) {
      ObservedAddresses addresses(ours);
      addresses.set_peer(theirs);
      addresses.on_remote_address(kStart, kHome);
      EXPECT_EQ(addresses.has_frames(), ours.provide && theirs.request);
    }
  }
}

// [draft-ietf-quic-address-discovery-4.1-1] [draft-ietf-quic-address-discovery-5-4]
TEST(ObservedAddresses, EachAddressHasALargerNumber) {
  ObservedAddresses addresses = provider();
  Instant now = kStart;
  std::optional<std::uint64_t> last;
  for (const SocketAddress& each : {kHome, kAway, kHome, kElsewhere}) {
    addresses.on_remote_address(now, each);
    const auto frames = written(addresses);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].address, each);
    EXPECT_TRUE(!last || frames[0].sequence_number > *last);
    last = frames[0].sequence_number;
    now += ObservedAddresses::kInterval;
  }
}

TEST(ObservedAddresses, TheSameAddressIsNoNews) {
  ObservedAddresses addresses = provider();
  addresses.on_remote_address(kStart, kHome);
  EXPECT_EQ(written(addresses).size(), 1U);
  addresses.on_remote_address(kStart + 1h, kHome);
  EXPECT_FALSE(addresses.has_frames());
}

// [draft-ietf-quic-address-discovery-5-5] [draft-ietf-quic-address-discovery-6.2-2]
TEST(ObservedAddresses, OfChangesInASecondOnlyTheLastIsTold) {
  ObservedAddresses addresses = provider();
  addresses.on_remote_address(kStart, kHome);
  EXPECT_EQ(written(addresses).size(), 1U);
  EXPECT_EQ(addresses.deadline(), kNever);
  for (int i = 0; i < 100; ++i) {
    addresses.on_remote_address(kStart + i * 1ms, i % 2 == 0 ? kAway : kElsewhere);
    EXPECT_FALSE(addresses.has_frames());
  }
  EXPECT_EQ(addresses.deadline(), kStart + ObservedAddresses::kInterval);
  addresses.on_deadline(kStart + ObservedAddresses::kInterval - 1ns);
  EXPECT_FALSE(addresses.has_frames());
  addresses.on_deadline(kStart + ObservedAddresses::kInterval);
  const auto frames = written(addresses);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].address, kElsewhere);
  EXPECT_EQ(addresses.deadline(), kNever);
}

TEST(ObservedAddresses, BackWhereItWasBeforeAnyoneWasToldIsNoNews) {
  ObservedAddresses addresses = provider();
  addresses.on_remote_address(kStart, kHome);
  EXPECT_EQ(written(addresses).size(), 1U);
  addresses.on_remote_address(kStart + 1ms, kAway);
  addresses.on_remote_address(kStart + 2ms, kHome);
  EXPECT_EQ(addresses.deadline(), kNever);
}

// [draft-ietf-quic-address-discovery-4.1-4] [draft-ietf-quic-address-discovery-4.1-5]
TEST(ObservedAddresses, LostOnesAreSentAgainAsTheyWereUntilTheyArrive) {
  ObservedAddresses addresses = provider();
  addresses.on_remote_address(kStart, kHome);
  EXPECT_TRUE(written(addresses, 5).empty()) << "no room";
  const auto first = written(addresses);
  ASSERT_EQ(first.size(), 1U);
  addresses.on_fate(note(first[0].sequence_number), Fate::lost);
  const auto again = written(addresses);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].sequence_number, first[0].sequence_number);
  EXPECT_EQ(again[0].address, kHome);
  addresses.on_fate(note(first[0].sequence_number), Fate::lost);
  addresses.on_fate(note(first[0].sequence_number), Fate::acked);
  EXPECT_FALSE(addresses.has_frames()) << "it was not lost after all";
  addresses.on_fate(note(first[0].sequence_number), Fate::lost);
  EXPECT_FALSE(addresses.has_frames());

  addresses.on_remote_address(kStart + 2s, kAway);
  const auto next = written(addresses);
  ASSERT_EQ(next.size(), 1U);
  addresses.on_fate(note(next[0].sequence_number), Fate::lost);
  EXPECT_TRUE(addresses.has_frames()) << "another frame, another fate";
}

TEST(ObservedAddresses, LostOnesOfAnAddressThatIsOverAreNotSentAgain) {
  ObservedAddresses addresses = provider();
  addresses.on_remote_address(kStart, kHome);
  const auto old = written(addresses);
  addresses.on_remote_address(kStart + 2s, kAway);
  EXPECT_EQ(written(addresses).size(), 1U);
  addresses.on_fate(note(old[0].sequence_number), Fate::lost);
  EXPECT_FALSE(addresses.has_frames());
}

// --- receiving ---------------------------------------------------------------------------------

// [draft-ietf-quic-address-discovery-4.1-7]
TEST(ObservedAddresses, AreAViolationWhenNotRequested) {
  ObservedAddresses addresses(kProvide);
  const auto refused = addresses.on_frame(kStart, {.sequence_number = 0, .address = kHome});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, TransportErrorCode::protocol_violation);
  EXPECT_EQ(refused.error().frame_type, 0x9f81a6U);
  EXPECT_EQ(addresses.poll_event(), std::nullopt);
}

// [draft-ietf-quic-address-discovery-4.1-2]
TEST(ObservedAddresses, OldNumbersAreIgnored) {
  ObservedAddresses addresses(kRequest);
  Instant now = kStart;
  const auto receive = [&](std::uint64_t number, const SocketAddress& address) {
    now += 10s;
    EXPECT_TRUE(addresses.on_frame(now, {.sequence_number = number, .address = address}));
    return addresses.poll_event();
  };
  EXPECT_EQ(receive(5, kHome), kHome);
  EXPECT_EQ(addresses.poll_event(), std::nullopt);
  EXPECT_EQ(receive(5, kAway), std::nullopt);
  EXPECT_EQ(receive(4, kAway), std::nullopt);
  EXPECT_EQ(receive(6, kHome), std::nullopt) << "no news";
  EXPECT_EQ(receive(7, kAway), kAway);
}

TEST(ObservedAddresses, WhatIsNobodysAddressIsIgnored) {
  ObservedAddresses addresses(kRequest);
  std::uint64_t number = 0;
  for (const char* text : {"192.0.2.1:0", "0.0.0.0:443", "224.0.0.1:443", "239.1.2.3:443",
                           "[::]:443", "[ff02::1]:443", "[2001:db8::1]:0"}) {
    const Frame frame{.sequence_number = number++, .address = *SocketAddress::parse(text)};
    EXPECT_TRUE(addresses.on_frame(kStart, frame));
    EXPECT_EQ(addresses.poll_event(), std::nullopt) << text;
  }
  EXPECT_TRUE(addresses.on_frame(kStart, {.sequence_number = number, .address = kHome}));
  EXPECT_EQ(addresses.poll_event(), kHome) << "a bad one does not delay the next";
}

TEST(ObservedAddresses, APeerThatTalksIsHeardOnceASecond) {
  ObservedAddresses addresses(kRequest);
  int events = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Instant now = kStart + i * 1ms;
    const SocketAddress address = kHome.with_port(static_cast<std::uint16_t>(1 + i));
    const Frame frame{.sequence_number = static_cast<std::uint64_t>(i), .address = address};
    EXPECT_TRUE(addresses.on_frame(now, frame));
    if (addresses.poll_event()) ++events;
  }
  EXPECT_EQ(events, 10);
  ASSERT_EQ(addresses.deadline(), kStart + 10s);
  addresses.on_deadline(kStart + 10s);
  EXPECT_EQ(addresses.poll_event(), kHome.with_port(10'000)) << "the last one is not forgotten";
}

TEST(ObservedAddresses, WhoDoesNotPollIsToldTheLast) {
  ObservedAddresses addresses(kRequest);
  EXPECT_TRUE(addresses.on_frame(kStart, {.sequence_number = 0, .address = kHome}));
  EXPECT_TRUE(addresses.on_frame(kStart + 5s, {.sequence_number = 1, .address = kAway}));
  EXPECT_EQ(addresses.poll_event(), kAway);
  EXPECT_EQ(addresses.poll_event(), std::nullopt);
}

}  // namespace
}  // namespace qpeer::transport
