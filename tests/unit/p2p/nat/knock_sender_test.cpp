// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/knock_sender.hpp"

#include <gtest/gtest.h>

#include <array>

namespace qpeer::p2p {
namespace {

constexpr KnockToken kToken{1, 2, 3};
constexpr StunTransactionId kId{4, 5};

Path to(u8 network, u8 host = 1) {
  return {.local = {}, .remote = SocketAddress::ipv4({5, network, 7, host}, 443)};
}

TEST(KnockSender, SendsAnIndicationWithTheToken) {
  KnockSender sender;
  ASSERT_TRUE(sender.send(Instant{1s}, to(1), kToken, kId));
  std::array<u8, 1'500> storage{};
  TransmitBuffer out{.storage = storage};
  const auto transmit = sender.poll_transmit(out);
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->path, to(1));
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
  Instant now{1s};
  EXPECT_TRUE(sender.send(now, to(1), kToken, kId));
  EXPECT_FALSE(sender.send(now, to(1, 9), kToken, kId)) << "the same network";
  EXPECT_TRUE(sender.send(now, to(2), kToken, kId));
  EXPECT_TRUE(sender.send(now + 500ms, to(3), kToken, kId));
  EXPECT_FALSE(sender.send(now + 999ms, to(4), kToken, kId)) << "the fourth of a second";
  EXPECT_TRUE(sender.send(now + 1s, to(1), kToken, kId));
  EXPECT_TRUE(sender.send(now + 1s, to(4), kToken, kId));
  EXPECT_FALSE(sender.send(now + 1s, to(5), kToken, kId));
  EXPECT_EQ(sender.sent(), 5U);
  EXPECT_TRUE(sender.consistent());
}

TEST(KnockSender, KeepsFewThatCannotBeSent) {
  KnockSender sender;
  Instant now{1s};
  for (u8 i = 0; i < 100; ++i, now += 1s) {
    EXPECT_EQ(sender.send(now, to(i), kToken, kId), i < KnockSender::kMaxWaiting);
  }
  EXPECT_TRUE(sender.consistent());
}

TEST(KnockSender, SendsNothingWhenItMustNot) {
  KnockSender sender{{.per_second = 0}};
  EXPECT_FALSE(sender.send(Instant{1s}, to(1), kToken, kId));
}

}  // namespace
}  // namespace qpeer::p2p
