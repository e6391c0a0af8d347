// SPDX-License-Identifier: MIT OR BSD-3-Clause
// RefusalLog: all are counted, few are told of.
#include "qpeer/p2p/refusal_log.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace qpeer::p2p {
namespace {

DialRefused from(u8 network, u8 host = 1) {
  return {.reason = Refusal::untrusted, .address = SocketAddress::ipv4({5, 6, network, host}, 443)};
}

class RefusalLogTest : public testing::Test {
 protected:
  ~RefusalLogTest() override { EXPECT_TRUE(log.consistent()); }
  Instant now{1s};
  RefusalLog log{};
};

TEST_F(RefusalLogTest, ANetworkHasAShareOfTheEvents) {
  for (u8 i = 0; i < 100; ++i) {
    EXPECT_EQ(log.on_refused(now, from(1, i)).has_value(), i < RefusalLog::kMaxOfNetwork) << +i;
  }
  const auto other = log.on_refused(now, from(2));
  ASSERT_TRUE(other);
  EXPECT_EQ(other->unreported, 97U);
  EXPECT_EQ(log.counts()[std::to_underlying(Refusal::untrusted)], 101U);
}

TEST_F(RefusalLogTest, AllTogetherHaveSoManyEventsAWindow) {
  std::size_t told = 0;
  for (u8 i = 0; i < 100; ++i) told += log.on_refused(now, from(i)) ? 1U : 0U;
  EXPECT_EQ(told, RefusalLog::kMaxReported);
  now += RefusalLog::kWindow;
  const auto next = log.on_refused(now, from(1));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->unreported, 80U);
  EXPECT_EQ(log.on_refused(now, from(1))->unreported, 0U) << "each is counted once";
}

TEST(Refusal, OfAnAlertIsItsMeaning) {
  const auto of = [](u8 alert) { return refusal_of_alert(0x100U + alert, false); };
  EXPECT_EQ(of(116), Refusal::no_certificate);
  EXPECT_EQ(of(48), Refusal::untrusted);
  EXPECT_EQ(of(42), Refusal::untrusted);
  EXPECT_EQ(refusal_of_alert(0x100 + 42, true), Refusal::not_allowed);
  EXPECT_EQ(of(120), Refusal::wrong_protocol);
  EXPECT_EQ(of(40), Refusal::handshake_failed);
  EXPECT_EQ(refusal_of_alert(10, true), Refusal::handshake_failed);
  EXPECT_EQ(to_string(Refusal::no_certificate), "it shows no certificate");
  EXPECT_EQ(to_string(Refusal::too_many_of_network), "too many newcomers of one network");
  EXPECT_EQ(to_string(Refusal{kRefusals}), "unknown reason");
}

}  // namespace
}  // namespace qpeer::p2p
