// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/knock_sender.hpp"

#include <gtest/gtest.h>

#include <array>

namespace qpeer::p2p {
namespace {

constexpr KnockToken kToken{1, 2, 3};
constexpr StunTransactionId kId{4, 5};

SocketAddress at(u8 network, u8 host = 1) {
  return SocketAddress::ipv4({5, network, 7, host}, 443);
}

TEST(KnockSender, SendsAnIndicationWithTheToken) {
  KnockSender sender;
  const Path path{.local = {}, .remote = at(1)};
  ASSERT_TRUE(sender.admit(Instant{1s}, at(100), path.remote));
  sender.send(path, kToken, kId);
  std::array<u8, 1'500> storage{};
  TransmitBuffer out{.storage = storage};
  const auto transmit = sender.poll_transmit(out);
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->path, path);
  EXPECT_EQ(transmit->size, 48U);
  const auto message = StunMessage::decode(Bytes(storage).first(transmit->size));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_class, StunClass::indication);
  EXPECT_EQ(message->knock_token, kToken);
  EXPECT_EQ(message->transaction_id, kId);
  EXPECT_FALSE(sender.poll_transmit(out));
  EXPECT_EQ(sender.sent(), 1U);
}

TEST(KnockSender, KnocksFewTimesASecondAndOnceAtANetwork) {
  KnockSender sender{{.per_second = 3}};
  const Instant now{1s};
  EXPECT_TRUE(sender.admit(now, at(100), at(1)));
  EXPECT_FALSE(sender.admit(now, at(101), at(1, 9))) << "the same network";
  EXPECT_TRUE(sender.admit(now, at(101), at(2)));
  EXPECT_TRUE(sender.admit(now + 500ms, at(102), at(3)));
  EXPECT_FALSE(sender.admit(now + 999ms, at(103), at(4))) << "the fourth of a second";
  EXPECT_TRUE(sender.admit(now + 1s, at(103), at(1)));
  EXPECT_TRUE(sender.admit(now + 1s, at(104), at(4)));
  EXPECT_FALSE(sender.admit(now + 1s, at(105), at(5)));
  EXPECT_TRUE(sender.consistent());
}

TEST(KnockSender, LeavesHalfToOthersThanOneNetworkOfAskers) {
  KnockSender sender{{.per_second = 5}};
  const Instant now{1s};
  EXPECT_TRUE(sender.admit(now, at(100), at(1)));
  EXPECT_TRUE(sender.admit(now, at(100, 2), at(2)));
  EXPECT_FALSE(sender.admit(now, at(100, 3), at(3)));
  EXPECT_TRUE(sender.admit(now, at(101), at(3)));
  EXPECT_TRUE(sender.admit(now + 1s, at(100), at(4)));
}

TEST(KnockSender, KeepsFewThatCannotBeSent) {
  KnockSender sender;
  Instant now{1s};
  for (u8 i = 0; i < 100; ++i, now += 1s) {
    const bool admitted = sender.admit(now, at(100), at(i));
    EXPECT_EQ(admitted, i < KnockSender::kMaxWaiting);
    if (admitted) sender.send({.local = {}, .remote = at(i)}, kToken, kId);
  }
  EXPECT_TRUE(sender.consistent());
}

TEST(KnockSender, SendsNothingWhenItMustNot) {
  KnockSender sender{{.per_second = 0}};
  EXPECT_FALSE(sender.admit(Instant{1s}, at(100), at(1)));
}

}  // namespace
}  // namespace qpeer::p2p
