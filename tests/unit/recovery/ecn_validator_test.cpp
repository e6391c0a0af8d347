// SPDX-License-Identifier: MIT OR BSD-3-Clause
// EcnValidator by itself and behind Recovery. RFC 9000 §13.4.2.
#include "qpeer/transport/recovery/ecn_validator.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

using State = EcnValidator::State;

EcnValidator with_marked(std::uint64_t count) {
  EcnValidator validator{true};
  for (std::uint64_t i = 0; i < count; ++i) validator.on_sent(kApplication, validator.mark());
  return validator;
}

TEST(EcnValidator, MarksAFewPacketsAndWaits) {
  EcnValidator validator = with_marked(EcnValidator::kTestingPackets - 1);
  EXPECT_EQ(validator.mark(), Ecn::ect0);
  validator.on_sent(kApplication, Ecn::ect0);
  EXPECT_EQ(validator.state(), State::unknown);
  EXPECT_EQ(validator.mark(), Ecn::not_ect);
  EXPECT_FALSE(validator.on_ack(kApplication, 3, wire::EcnCounts{.ect0 = 3}));
  EXPECT_EQ(validator.state(), State::capable);
  EXPECT_EQ(validator.mark(), Ecn::ect0);
}

TEST(EcnValidator, StaysOffWhenNotWanted) {
  EcnValidator validator{false};
  EXPECT_EQ(validator.mark(), Ecn::not_ect);
  EXPECT_FALSE(validator.on_ack(kApplication, 0, wire::EcnCounts{.ce = 1}));
}

// RFC 9000 §13.4.2.2 [rfc9000-13.4.2.2-1], [rfc9000-13.4.2.2-4].
TEST(EcnValidator, FailsOnCountsThatCannotBe) {
  struct Case {
    const char* name;
    std::optional<wire::EcnCounts> counts;
  };
  const Case cases[] = {
      {"no counts at all", std::nullopt},
      {"fewer than were acknowledged", wire::EcnCounts{.ect0 = 3}},
      {"a mark that we never set", wire::EcnCounts{.ect0 = 4, .ect1 = 1}},
      {"more than were sent", wire::EcnCounts{.ect0 = 6}},
      {"rewritten to the other mark", wire::EcnCounts{.ect1 = 4}},
  };
  for (const Case& c : cases) {
    EcnValidator validator = with_marked(5);
    EXPECT_FALSE(validator.on_ack(kApplication, 4, c.counts));
    EXPECT_EQ(validator.state(), State::failed) << c.name;
    EXPECT_EQ(validator.mark(), Ecn::not_ect) << c.name;
  }
  EcnValidator later = with_marked(5);
  EXPECT_FALSE(later.on_ack(kApplication, 2, wire::EcnCounts{.ect0 = 2}));
  EXPECT_EQ(later.state(), State::capable);
  EXPECT_FALSE(later.on_ack(kApplication, 2, wire::EcnCounts{.ect0 = 3}));
  EXPECT_EQ(later.state(), State::failed);
}

// [rfc9000-9.4-1]: the peer counts over all paths, also over one where we do not mark.
TEST(EcnValidator, CountsGoOnWhereMarksFailed) {
  EcnValidator failed = with_marked(5);
  EXPECT_FALSE(failed.on_ack(kApplication, 4, wire::EcnCounts{.ect0 = 3}));
  ASSERT_EQ(failed.state(), State::failed);
  EXPECT_FALSE(failed.on_ack(kApplication, 0, wire::EcnCounts{.ect0 = 3, .ce = 2}));
  EcnValidator next{true};
  next.continue_counts_of(failed);
  next.on_sent(kApplication, Ecn::ect0);
  EXPECT_FALSE(next.on_ack(kApplication, 1, wire::EcnCounts{.ect0 = 3, .ce = 2}));
  EXPECT_EQ(next.state(), State::failed) << "its mark was cleared on the way";
}

TEST(EcnValidator, TellsOfEachRiseOfCongestionOnce) {
  EcnValidator validator = with_marked(8);
  EXPECT_TRUE(validator.on_ack(kApplication, 3, wire::EcnCounts{.ect0 = 2, .ce = 1}));
  EXPECT_FALSE(validator.on_ack(kApplication, 2, wire::EcnCounts{.ect0 = 4, .ce = 1}));
  EXPECT_TRUE(validator.on_ack(kApplication, 1, wire::EcnCounts{.ect0 = 4, .ce = 2}));
  EXPECT_EQ(validator.state(), State::capable);
}

TEST(EcnValidator, CountsEachSpaceByItself) {
  EcnValidator validator{true};
  validator.on_sent(kInitial, Ecn::ect0);
  validator.on_sent(kHandshake, Ecn::ect0);
  EXPECT_FALSE(validator.on_ack(kInitial, 1, wire::EcnCounts{.ect0 = 1}));
  EXPECT_FALSE(validator.on_ack(kHandshake, 1, wire::EcnCounts{.ect0 = 1}));
  EXPECT_EQ(validator.state(), State::capable);
}

TEST(EcnValidator, FailsWhenEveryMarkedPacketIsLost) {
  EcnValidator few = with_marked(3);
  few.on_lost(3);
  EXPECT_EQ(few.state(), State::testing) << "too few to tell";
  EcnValidator validator = with_marked(EcnValidator::kTestingPackets);
  validator.on_lost(EcnValidator::kTestingPackets - 1);
  EXPECT_EQ(validator.state(), State::unknown);
  validator.on_lost(1);
  EXPECT_EQ(validator.state(), State::failed);
}

PacketNumber send_marked(Sender& sender) {
  return sender.send_packet(
      kApplication,
      {.size = 1200, .ack_eliciting = true, .in_flight = true, .ecn = sender.recovery.ecn_mark()});
}

TEST(EcnValidator, ReducesTheWindowOnValidatedCongestionOnly) {
  Sender sender = Sender::established();
  for (int i = 0; i < 4; ++i) send_marked(sender);
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{0, 1}}, kApplication, {}, wire::EcnCounts{.ect0 = 1, .ce = 1}));
  EXPECT_EQ(sender.recovery.congestion_window(), 6000U);

  Sender liar = Sender::established();
  for (int i = 0; i < 4; ++i) send_marked(liar);
  liar.now += 50ms;
  ASSERT_TRUE(liar.ack({{0, 1}}, kApplication, {}, wire::EcnCounts{.ect1 = 2, .ce = 1}));
  EXPECT_GT(liar.recovery.congestion_window(), 12'000U);
  EXPECT_EQ(liar.recovery.ecn_mark(), Ecn::not_ect);
}

// RFC 9000 §13.4.2.1 [rfc9000-13.4.2.1-1]: ACKs may overtake one another.
TEST(EcnValidator, IgnoresAcksThatDoNotRaiseTheLargest) {
  Sender sender = Sender::established();
  for (int i = 0; i < 4; ++i) send_marked(sender);
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{2, 3}}, kApplication, {}, wire::EcnCounts{.ect0 = 2}));
  ASSERT_TRUE(sender.ack({{1, 1}}, kApplication, {}, wire::EcnCounts{.ect0 = 1}));
  ASSERT_TRUE(sender.ack({{0, 0}}));
  EXPECT_EQ(sender.recovery.ecn_mark(), Ecn::ect0);
}

TEST(EcnValidator, LetsProbesGoUnmarkedWhileTheMarkIsUntried) {
  Sender sender;
  EXPECT_EQ(sender.recovery.ecn_mark(), Ecn::ect0);
  sender.send(kInitial);
  sender.expire();
  EXPECT_EQ(sender.recovery.ecn_mark(), Ecn::not_ect);
}

}  // namespace
}  // namespace qpeer::transport
