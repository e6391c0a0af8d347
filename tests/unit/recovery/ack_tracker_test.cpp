// SPDX-License-Identifier: MIT OR BSD-3-Clause
// AckTracker: what is a duplicate, when an ACK is due, and what it says.
#include "qpeer/transport/recovery/ack_tracker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

using Ranges = std::vector<wire::PacketNumberRange>;

Ranges reported(const AckTracker& tracker) {
  return {tracker.ranges().begin(), tracker.ranges().end()};
}

void receive(AckTracker& tracker, PacketNumber number, Instant now = at(1s)) {
  tracker.on_packet_received(now, number, true, Ecn::not_ect);
}

TEST(AckTracker, StartsWithNothingToSay) {
  const AckTracker tracker{25ms};
  EXPECT_FALSE(tracker.largest_received());
  EXPECT_TRUE(tracker.ranges().empty());
  EXPECT_FALSE(tracker.ack_due(at(1h)));
  EXPECT_FALSE(tracker.ack_pending());
  EXPECT_EQ(tracker.deadline(), kNever);
  EXPECT_FALSE(tracker.has_ecn_counts());
  EXPECT_FALSE(tracker.is_duplicate(0));
  EXPECT_EQ(tracker.ack_delay(at(1s)), 0ns);
}

TEST(AckTracker, MergesRangesWhateverTheOrder) {
  AckTracker tracker{25ms};
  for (const PacketNumber number : {5, 1, 3, 0, 9, 4}) receive(tracker, number);
  EXPECT_EQ(reported(tracker), (Ranges{{9, 9}, {3, 5}, {0, 1}}));
  receive(tracker, 2);
  EXPECT_EQ(reported(tracker), (Ranges{{9, 9}, {0, 5}}));
  EXPECT_EQ(tracker.largest_received(), 9U);
  for (const PacketNumber number : {0, 3, 5, 9}) EXPECT_TRUE(tracker.is_duplicate(number));
  for (const PacketNumber number : {6, 8, 10}) EXPECT_FALSE(tracker.is_duplicate(number));
}

// RFC 9000 §13.2.2 [rfc9000-13.2.2-1], §13.2.1 [rfc9000-13.2.1-2].
TEST(AckTracker, IsDueAfterTwoPacketsOrTheDelay) {
  AckTracker tracker{25ms};
  receive(tracker, 0, at(1s));
  EXPECT_TRUE(tracker.ack_pending());
  EXPECT_FALSE(tracker.ack_due(at(1s)));
  EXPECT_EQ(tracker.deadline(), at(1s) + 25ms);
  EXPECT_TRUE(tracker.ack_due(at(1s) + 25ms));
  receive(tracker, 1, at(1s) + 10ms);
  EXPECT_TRUE(tracker.ack_due(at(1s) + 10ms));
  EXPECT_EQ(tracker.deadline(), kNever) << "nothing to wait for";
  tracker.on_ack_sent(at(1s) + 10ms);
  EXPECT_FALSE(tracker.ack_pending());
  EXPECT_FALSE(tracker.ack_due(at(1h)));
  EXPECT_EQ(tracker.deadline(), kNever);
  receive(tracker, 2, at(2s));
  EXPECT_EQ(tracker.deadline(), at(2s) + 25ms);
}

// RFC 9000 §13.2.1 [rfc9000-13.2.1-2]: Initial and Handshake do not wait.
TEST(AckTracker, IsDueAtOnceWithoutADelay) {
  AckTracker tracker;
  receive(tracker, 0);
  EXPECT_TRUE(tracker.ack_due(at(1s)));
}

// RFC 9000 §13.2.1 [rfc9000-13.2.1-4]: ACKs of ACKs would never end.
TEST(AckTracker, IsNeverDueForPacketsThatAskForNoAck) {
  AckTracker tracker{25ms};
  for (const PacketNumber number : {0, 1, 7, 3}) {
    tracker.on_packet_received(at(1s), number, false, Ecn::ce);
  }
  EXPECT_FALSE(tracker.ack_due(at(1h)));
  EXPECT_EQ(tracker.deadline(), kNever);
  EXPECT_FALSE(tracker.ack_pending());
  for (PacketNumber number = 8; number < 12; ++number) {
    tracker.on_packet_received(at(1s), number, false, Ecn::not_ect);
  }
  EXPECT_TRUE(tracker.ack_pending()) << "by now it is worth a few bytes";
  EXPECT_FALSE(tracker.ack_due(at(1h)));
}

// RFC 9000 §13.2.1 [rfc9000-13.2.1-8].
TEST(AckTracker, IsDueAtOnceOnAGapAndOnWhatFillsIt) {
  AckTracker tracker{25ms};
  receive(tracker, 0);
  tracker.on_ack_sent(at(1s));
  receive(tracker, 2);
  EXPECT_TRUE(tracker.ack_due(at(1s))) << "1 is missing";
  tracker.on_ack_sent(at(1s));
  receive(tracker, 3);
  EXPECT_FALSE(tracker.ack_due(at(1s))) << "an old gap is no news";
  tracker.on_ack_sent(at(1s));
  receive(tracker, 1);
  EXPECT_TRUE(tracker.ack_due(at(1s))) << "1 is late";
}

TEST(AckTracker, SeesNoGapWhereQuietPacketsLie) {
  AckTracker tracker{25ms};
  receive(tracker, 0);
  tracker.on_ack_sent(at(1s));
  tracker.on_packet_received(at(1s), 1, false, Ecn::not_ect);
  receive(tracker, 2);
  EXPECT_FALSE(tracker.ack_due(at(1s)));
}

// RFC 9000 §13.2.1 [rfc9000-13.2.1-9], §13.4.1 [rfc9000-13.4.1-1].
TEST(AckTracker, CountsMarksAndTellsOfCongestionAtOnce) {
  AckTracker tracker{25ms};
  tracker.on_packet_received(at(1s), 0, true, Ecn::ect0);
  EXPECT_FALSE(tracker.ack_due(at(1s)));
  tracker.on_ack_sent(at(1s));
  tracker.on_packet_received(at(1s), 1, true, Ecn::ce);
  EXPECT_TRUE(tracker.ack_due(at(1s)));
  tracker.on_packet_received(at(1s), 2, true, Ecn::ect1);
  tracker.on_packet_received(at(1s), 3, false, Ecn::ect0);
  EXPECT_TRUE(tracker.has_ecn_counts());
  EXPECT_EQ(tracker.ecn_counts(), (wire::EcnCounts{.ect0 = 2, .ect1 = 1, .ce = 1}));
}

// RFC 9000 §13.2.5 [rfc9000-13.2.5-3]: the delay is measured, whatever we promised.
// draft-ietf-quic-ack-frequency §6.2.1: both tables. [draft-ietf-quic-ack-frequency-6.2-1],
// [draft-ietf-quic-ack-frequency-6.2-2].
TEST(AckTracker, ReportsWhatIsMissingAsSoonAsThePeerCanTakeItForLost) {
  struct Row {
    PacketNumber number;
    bool acknowledged;
  };
  const auto check = [](std::uint64_t threshold, const std::vector<Row>& rows) {
    AckTracker acks{25ms};
    acks.set_frequency(1000, 25ms, threshold);
    for (const Row& row : rows) {
      acks.on_packet_received(at(1s), row.number, true, Ecn::not_ect);
      EXPECT_EQ(acks.ack_due(at(1s)), row.acknowledged) << row.number;
      if (acks.ack_due(at(1s))) acks.on_ack_sent(at(1s));
      EXPECT_TRUE(acks.consistent());
    }
  };
  check(3, {{0, false},
            {1, false},
            {3, false},
            {4, false},
            {5, true},
            {8, false},
            {9, true},
            {10, true}});
  check(5, {{0, false},
            {1, false},
            {3, false},
            {5, false},
            {6, false},
            {7, true},
            {8, false},
            {9, true}});
  // What was reported missing long ago and comes shows that it was not lost.
  check(3, {{0, false}, {2, false}, {3, false}, {4, true}, {5, false}, {1, true}});
  // The order does not matter to the peer.
  check(0, {{0, false}, {5, false}, {1, false}, {9, false}});
}

// [draft-ietf-quic-ack-frequency-4-2], [draft-ietf-quic-ack-frequency-5-1]
TEST(AckTracker, WaitsForAsManyPacketsAsThePeerAsksFor) {
  AckTracker acks{25ms};
  acks.set_frequency(9, 10ms, 3);
  for (PacketNumber number = 0; number < 9; ++number) {
    acks.on_packet_received(at(1s), number, true, Ecn::not_ect);
    EXPECT_FALSE(acks.ack_due(at(1s)));
  }
  EXPECT_EQ(acks.deadline(), at(1s) + 10ms);
  acks.on_packet_received(at(1s), 9, true, Ecn::not_ect);
  EXPECT_TRUE(acks.ack_due(at(1s)));
  acks.on_ack_sent(at(1s));
  acks.set_frequency(0, 10ms, 1);
  acks.on_packet_received(at(1s), 10, true, Ecn::not_ect);
  EXPECT_TRUE(acks.ack_due(at(1s)));
  acks.on_ack_sent(at(1s));
  acks.set_frequency(9, 10ms, 3);
  acks.acknowledge_next_at_once();
  acks.on_packet_received(at(1s), 11, true, Ecn::not_ect);
  EXPECT_TRUE(acks.ack_due(at(1s))) << "IMMEDIATE_ACK";
  acks.on_ack_sent(at(1s));
  acks.on_packet_received(at(1s), 12, true, Ecn::not_ect);
  EXPECT_FALSE(acks.ack_due(at(1s))) << "of one packet";
}

// [draft-ietf-quic-ack-frequency-6.3-1]
TEST(AckTracker, TellsTheFirstMarkOfARowAtOnceWhereFewerAcksAreAskedFor) {
  AckTracker acks{25ms};
  acks.set_frequency(9, 25ms, 3);
  PacketNumber number = 0;
  for (const auto& [mark, due] : std::vector<std::pair<Ecn, bool>>{{Ecn::ect0, false},
                                                                   {Ecn::ce, true},
                                                                   {Ecn::ce, false},
                                                                   {Ecn::ect0, false},
                                                                   {Ecn::ce, true}}) {
    acks.on_packet_received(at(1s), number++, true, mark);
    EXPECT_EQ(acks.ack_due(at(1s)), due) << number;
    if (due) acks.on_ack_sent(at(1s));
  }
}

// Whatever the peer asks for, no range is forgotten before it was reported.
TEST(AckTracker, ReportsManyNewRangesInTime) {
  AckTracker acks{25ms};
  acks.set_frequency(kMaxVarint, 16s, 0);
  unsigned sent = 0;
  for (PacketNumber number = 0; number < 1000; number += 2) {
    acks.on_packet_received(at(1s), number, true, Ecn::not_ect);
    if (!acks.ack_due(at(1s))) continue;
    ++sent;
    acks.on_ack_sent(at(1s));
  }
  EXPECT_EQ(sent, 500 / (AckTracker::kMaxRanges / 4));
}

TEST(AckTracker, MeasuresTheDelayOfTheLargest) {
  AckTracker tracker{25ms};
  receive(tracker, 4, at(1s));
  receive(tracker, 2, at(2s));
  EXPECT_EQ(tracker.ack_delay(at(3s)), 2s);
  receive(tracker, 5, at(3s));
  EXPECT_EQ(tracker.ack_delay(at(3s) + 7ms), 7ms);
}

// RFC 9000 §13.2.3 [rfc9000-13.2.3-2], [rfc9000-13.2.3-4], [rfc9000-13.2.3-6].
TEST(AckTracker, StopsRepeatingWhatThePeerKnows) {
  AckTracker tracker{25ms};
  for (const PacketNumber number : {0, 2, 4, 6}) receive(tracker, number);
  tracker.on_ack_acknowledged(4);
  EXPECT_EQ(reported(tracker), (Ranges{{6, 6}}));
  for (const PacketNumber number : {0, 2, 4}) {
    EXPECT_TRUE(tracker.is_duplicate(number)) << "it is not taken twice for that";
  }
  EXPECT_FALSE(tracker.is_duplicate(3));
  tracker.on_ack_acknowledged(6);
  EXPECT_EQ(reported(tracker), (Ranges{{6, 6}})) << "the largest is always told";
  // RFC 9000 §13.2.3 [rfc9000-13.2.3-1]: one that arrives late is told again.
  receive(tracker, 1);
  EXPECT_EQ(reported(tracker), (Ranges{{6, 6}, {4, 4}, {0, 2}}));
}

// RFC 9000 §13.2.3 [rfc9000-13.2.3-3], [rfc9000-13.2.3-4]: a bound, and nothing accepted twice.
// [rfc9000-13.2.3-5]
TEST(AckTracker, ForgetsTheOldestRangesAndAcceptsNothingBelow) {
  AckTracker tracker{25ms};
  constexpr PacketNumber kCount = 100;
  for (PacketNumber i = 0; i < kCount; ++i) {
    ASSERT_FALSE(tracker.is_duplicate(2 * i));
    receive(tracker, 2 * i);
    ASSERT_LE(tracker.ranges().size(), AckTracker::kMaxRanges);
  }
  EXPECT_EQ(tracker.ranges().front().largest, 2 * (kCount - 1));
  const PacketNumber oldest = tracker.ranges().back().smallest;
  EXPECT_EQ(oldest, 2 * (kCount - AckTracker::kMaxRanges));
  for (PacketNumber number = 0; number < oldest; ++number) {
    EXPECT_TRUE(tracker.is_duplicate(number));
  }
  EXPECT_FALSE(tracker.is_duplicate(oldest + 1));
  receive(tracker, oldest + 1);  // Two ranges become one, so there is room again.
  receive(tracker, oldest + 3);
  EXPECT_TRUE(tracker.is_duplicate(oldest - 2)) << "it came, though nobody remembers";
  EXPECT_FALSE(tracker.is_duplicate(oldest - 1)) << "that one never did";
}

TEST(AckTracker, AgreesWithASetUnderRandomArrivals) {
  std::mt19937_64 random{42};
  for (int round = 0; round < 50; ++round) {
    AckTracker tracker{25ms};
    std::set<PacketNumber> model;
    PacketNumber next = 0;
    for (int step = 0; step < 400; ++step) {
      next += random() % 8 == 0 ? 2 : 1;
      const PacketNumber number = random() % 4 == 0 ? next - std::min(next, random() % 12) : next;
      const bool duplicate = tracker.is_duplicate(number);
      if (model.contains(number)) {
        ASSERT_TRUE(duplicate);
      }
      if (duplicate) continue;
      model.insert(number);
      receive(tracker, number);
      const auto ranges = tracker.ranges();
      ASSERT_EQ(ranges.front().largest, *model.rbegin());
      bool told = false;
      PacketNumber above = *model.rbegin() + 2;
      for (const auto& range : ranges) {
        ASSERT_LT(range.largest + 1, above) << "descending, not touching";
        above = range.smallest;
        told = told || (range.smallest <= number && number <= range.largest);
        for (PacketNumber n = range.smallest; n <= range.largest; ++n) {
          ASSERT_TRUE(model.contains(n));
        }
      }
      ASSERT_TRUE(told);
      if (random() % 20 == 0) tracker.on_ack_acknowledged(next - std::min(next, random() % 40));
    }
  }
}

}  // namespace
}  // namespace qpeer::transport
