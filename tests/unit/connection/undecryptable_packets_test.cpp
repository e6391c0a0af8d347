// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/undecryptable_packets.hpp"

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

constexpr Instant kNow{1s};
constexpr EncryptionLevel kHandshake = EncryptionLevel::handshake;
constexpr EncryptionLevel kOneRtt = EncryptionLevel::one_rtt;

bool keep(UndecryptablePackets& early, EncryptionLevel level, u8 fill, std::size_t size = 100) {
  return early.keep(kNow, level, Ecn::ect0, std::vector<u8>(size, fill));
}

TEST(UndecryptablePackets, AreGivenByLevelInTheirOrder) {
  UndecryptablePackets early;
  EXPECT_TRUE(keep(early, kOneRtt, 1));
  EXPECT_TRUE(keep(early, kHandshake, 2));
  EXPECT_TRUE(keep(early, kOneRtt, 3));
  const auto handshake = early.take(kHandshake);
  ASSERT_EQ(handshake.size(), 1U);
  EXPECT_EQ(handshake[0].bytes, std::vector<u8>(100, 2));
  EXPECT_EQ(handshake[0].received_at, kNow);
  EXPECT_EQ(handshake[0].ecn, Ecn::ect0);
  EXPECT_TRUE(early.take(kHandshake).empty());
  const auto one_rtt = early.take(kOneRtt);
  ASSERT_EQ(one_rtt.size(), 2U);
  EXPECT_EQ(one_rtt[0].bytes[0], 1);
  EXPECT_EQ(one_rtt[1].bytes[0], 3);
  EXPECT_TRUE(early.empty());
}

TEST(UndecryptablePackets, AreBoundedInNumber) {
  UndecryptablePackets early;
  for (std::size_t i = 0; i < UndecryptablePackets::kMaxPackets; ++i)
    EXPECT_TRUE(keep(early, kOneRtt, 1));
  EXPECT_FALSE(keep(early, kHandshake, 1));
  early.clear();
  EXPECT_TRUE(keep(early, kHandshake, 1));
}

TEST(UndecryptablePackets, AreBoundedInSize) {
  UndecryptablePackets early;
  EXPECT_FALSE(keep(early, kOneRtt, 1, UndecryptablePackets::kMaxBytes + 1));
  EXPECT_TRUE(keep(early, kHandshake, 1, 1'000));
  EXPECT_TRUE(keep(early, kOneRtt, 1, UndecryptablePackets::kMaxBytes - 1'000));
  EXPECT_FALSE(keep(early, kOneRtt, 1, 1));
  (void)early.take(kHandshake);
  EXPECT_TRUE(keep(early, kOneRtt, 1, 1'000)) << "room comes back";
  EXPECT_FALSE(keep(early, kOneRtt, 1, 1));
}

}  // namespace
}  // namespace qpeer::transport
