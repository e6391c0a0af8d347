// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/ids.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer {
namespace {

TEST(StreamId, BitsAreInitiatorAndDirection) {
  for (const Side side : {Side::client, Side::server}) {
    for (const bool bidirectional : {true, false}) {
      const StreamId id = StreamId::make(side, bidirectional, 77);
      EXPECT_EQ(id.initiator(), side);
      EXPECT_EQ(id.is_bidirectional(), bidirectional);
      EXPECT_EQ(id.index(), 77U);
    }
  }
  // RFC 9000 §2.1, Table 1.
  EXPECT_EQ(StreamId::make(Side::client, true, 0).value, 0U);
  EXPECT_EQ(StreamId::make(Side::server, true, 0).value, 1U);
  EXPECT_EQ(StreamId::make(Side::client, false, 0).value, 2U);
  EXPECT_EQ(StreamId::make(Side::server, false, 0).value, 3U);
}

TEST(ConnectionId, HoldsNoMoreThanTwentyBytes) {
  std::array<u8, 25> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i);
  EXPECT_TRUE(ConnectionId{}.empty());
  EXPECT_EQ(ConnectionId(bytes).size(), 20U);
  EXPECT_TRUE(equal(ConnectionId(bytes).bytes(), Bytes(bytes).first(20)));
}

TEST(ConnectionId, LengthIsPartOfTheIdentity) {
  constexpr std::array<u8, 3> zeros{};
  EXPECT_NE(ConnectionId(zeros), ConnectionId(Bytes(zeros).first(2)));
  EXPECT_EQ(ConnectionId(zeros), ConnectionId(zeros));
}

TEST(PacketNumberSpace, ZeroRttAndOneRttShareOne) {
  EXPECT_EQ(space_of(EncryptionLevel::initial), PacketNumberSpace::initial);
  EXPECT_EQ(space_of(EncryptionLevel::handshake), PacketNumberSpace::handshake);
  EXPECT_EQ(space_of(EncryptionLevel::zero_rtt), PacketNumberSpace::application);
  EXPECT_EQ(space_of(EncryptionLevel::one_rtt), PacketNumberSpace::application);
}

TEST(Version, ReservedOnesHaveTheirPattern) {
  EXPECT_TRUE(is_reserved(Version{0x1a2a3a4a}));
  EXPECT_TRUE(is_reserved(Version{0xfafafafa}));
  EXPECT_FALSE(is_reserved(Version::v1) || is_reserved(Version::v2));
  EXPECT_TRUE(is_supported(Version::v1) && is_supported(Version::v2));
  EXPECT_FALSE(is_supported(Version::negotiation) || is_supported(Version{0xff00001d}));
}

class CountingRandom final : public Random {
 public:
  void fill_public(MutableBytes out) override {
    for (u8& byte : out) byte = next_++;
  }
  void fill_private(MutableBytes) override { FAIL() << "uniform() is public"; }

 private:
  u8 next_ = 0xf0;  // Its first numbers are above the limit of most bounds.
};

TEST(Random, UniformStaysBelowItsBound) {
  CountingRandom random;
  for (std::uint64_t bound : {std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{1} << 63}) {
    for (int i = 0; i < 100; ++i) EXPECT_LT(random.uniform(bound), bound);
  }
}

}  // namespace
}  // namespace qpeer
