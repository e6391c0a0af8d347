// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/packets.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace qpeer::sim {
namespace {

/// A long header packet with IDs of 2 and 3 bytes and `length` bytes of content.
std::vector<u8> long_packet(u8 first, std::uint32_t version, bool token, std::size_t length) {
  std::vector<u8> storage(100);
  Writer out{storage};
  out.byte(first);
  out.u32(version);
  out.byte(2);
  out.zeros(2);
  out.byte(3);
  out.zeros(3);
  if (token) out.byte(0);
  out.varint(length);
  out.zeros(length);
  storage.resize(out.size());
  return storage;
}

std::string kinds_of(std::initializer_list<std::vector<u8>> packets) {
  std::vector<u8> datagram;
  for (const auto& packet : packets) datagram.insert(datagram.end(), packet.begin(), packet.end());
  return packet_kinds(datagram);
}

TEST(PacketKinds, NamesCoalescedPackets) {
  const auto initial = long_packet(0xc0, 1, true, 30);
  const auto zero_rtt = long_packet(0xd0, 1, false, 30);
  const auto handshake = long_packet(0xe0, 1, false, 30);
  const std::vector<u8> one_rtt(20, 0x40);
  EXPECT_EQ(kinds_of({initial}), "I");
  EXPECT_EQ(kinds_of({initial, handshake, one_rtt}), "IH1");
  EXPECT_EQ(kinds_of({initial, zero_rtt}), "I0");
  EXPECT_EQ(kinds_of({long_packet(0xf0, 1, false, 30)}), "R");
  EXPECT_EQ(kinds_of({long_packet(0x80, 0, false, 30)}), "V");
  EXPECT_EQ(kinds_of({}), "");
}

TEST(PacketKinds, KnowsThatVersionTwoCountsDifferently) {
  EXPECT_EQ(kinds_of({long_packet(0xd0, 0x6b3343cf, true, 30)}), "I");
  EXPECT_EQ(kinds_of({long_packet(0xf0, 0x6b3343cf, false, 30)}), "H");
  EXPECT_EQ(kinds_of({long_packet(0xc0, 0x6b3343cf, false, 30)}), "R");
}

TEST(PacketKinds, MarksWhatIsNoPacket) {
  auto cut = long_packet(0xe0, 1, false, 30);
  cut.pop_back();
  EXPECT_EQ(kinds_of({cut}), "?");
  EXPECT_EQ(kinds_of({long_packet(0xc0, 1, true, 30), {0xc0, 0, 0}}), "I?");
  EXPECT_EQ(kinds_of({{0xc0, 0, 0}}), "?");
}

}  // namespace
}  // namespace qpeer::sim
