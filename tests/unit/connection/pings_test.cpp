// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/pings.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

std::optional<SentFrame> write(Pings& pings) {
  std::vector<u8> storage(8);
  PacketWriter out(storage, wire::PacketType::one_rtt);
  pings.write_frames(out);
  EXPECT_TRUE(pings.consistent());
  return out.empty() ? std::optional<SentFrame>{} : out.sent_frames()[0];
}

TEST(Pings, OneFrameAnswersAllThatAskedBefore) {
  Pings pings;
  EXPECT_FALSE(pings.has_frames());
  EXPECT_FALSE(write(pings));
  pings.ask();
  pings.ask();
  EXPECT_TRUE(pings.has_frames());
  const auto frame = write(pings);
  ASSERT_TRUE(frame);
  EXPECT_FALSE(pings.has_frames());
  pings.ask();
  EXPECT_EQ(pings.on_fate(*frame, Fate::acked), 2U) << "the third asked later";
  EXPECT_EQ(pings.on_fate(*frame, Fate::acked), 0U) << "a copy";
  const auto later = write(pings);
  ASSERT_TRUE(later);
  EXPECT_EQ(pings.on_fate(*later, Fate::acked), 1U);
}

TEST(Pings, WhatIsLostIsSentAgainUnlessItWasAnswered) {
  Pings pings;
  pings.ask();
  const auto first = write(pings);
  ASSERT_TRUE(first);
  EXPECT_EQ(pings.on_fate(*first, Fate::lost), 0U);
  const auto again = write(pings);
  ASSERT_TRUE(again);
  EXPECT_EQ(pings.on_fate(*again, Fate::acked), 1U);
  EXPECT_EQ(pings.on_fate(*first, Fate::lost), 0U);
  EXPECT_FALSE(pings.has_frames()) << "it was answered";
}

TEST(Pings, OnesThatTheApplicationDidNotAskForAreNotSentAgain) {
  Pings pings;
  pings.send();
  const auto frame = write(pings);
  ASSERT_TRUE(frame);
  EXPECT_EQ(pings.on_fate(*frame, Fate::acked), 0U);
  EXPECT_EQ(pings.on_fate(*frame, Fate::lost), 0U);
  EXPECT_FALSE(pings.has_frames());
  std::vector<u8> storage(8);
  PacketWriter out(storage, wire::PacketType::one_rtt);
  Pings::write_probe(out);
  ASSERT_EQ(out.sent_frames().size(), 1U);
  EXPECT_TRUE(out.ack_eliciting());
  EXPECT_EQ(pings.on_fate(out.sent_frames()[0], Fate::lost), 0U);
  EXPECT_FALSE(pings.has_frames());
}

}  // namespace
}  // namespace qpeer::transport
