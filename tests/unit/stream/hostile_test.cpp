// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Peers that try to make us hold much for little.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

// [rfc9000-21.7-1]
TEST(HostileStreams, SingleBytesWithGapsStayWithinTheWindow) {
  const StreamConfig config{.receive_window = 1 << 20, .stream_receive_window = 1 << 20};
  StreamSet set{Side::server, config};
  const std::array<u8, 1> byte{};
  std::size_t most = 0;
  for (std::uint64_t offset = 1; offset < (1 << 20); offset += 257) {
    ASSERT_TRUE(set.on_frame(wire::StreamFrame{{0}, offset, byte, false}).has_value());
    most = std::max(most, set.buffered_bytes());
  }
  EXPECT_LE(most, config.receive_window + ChunkPool::kLargest);
}

// What many streams with a byte each cost: at most a small chunk each beyond the credit they used.
TEST(HostileStreams, ManyStreamsWithLittleEachCostLittle) {
  const StreamConfig config{.receive_window = 1 << 20, .max_streams_uni = 2000};
  for (const std::uint64_t offset : {0U, 1100U, 4100U, 17000U, 66000U}) {
    StreamSet set{Side::server, config};
    const std::array<u8, 1> byte{};
    std::uint64_t credit = 0;
    for (std::uint64_t i = 0; i < 2000 && credit + offset + 1 <= config.receive_window; ++i) {
      const StreamId id = StreamId::make(Side::client, false, i);
      ASSERT_TRUE(set.on_frame(wire::StreamFrame{id, offset, byte, false}).has_value());
      credit += offset + 1;
      EXPECT_LE(set.buffered_bytes(), 4 * credit + (i + 1) * 1024) << offset;
    }
  }
}

TEST(HostileStreams, AHundredThousandCyclesLeaveNothing) {
  Pair pair{{.max_streams_bidi = 4, .max_streams_uni = 4}, {.max_streams_bidi = 4}};
  Seeded random{5};
  for (int i = 0; i < 100'000; ++i) {
    const auto id = pair.client.open(true);
    ASSERT_TRUE(id.has_value()) << "cycle " << i;
    pair.client.write(*id, pattern(*id, 0, 20)).value();
    switch (random.below(3)) {
      case 0:
        ASSERT_TRUE(pair.client.finish(*id).has_value());
        break;
      case 1:
        ASSERT_TRUE(pair.client.reset(*id, 1).has_value());
        break;
      default:
        ASSERT_TRUE(pair.client.finish(*id).has_value());
        ASSERT_TRUE(pair.client.stop_sending(*id, 1).has_value());
    }
    pair.settle();
    const auto accepted = pair.server.accept(true);
    ASSERT_TRUE(accepted.has_value());
    ASSERT_EQ(*accepted, *id);
    if (const auto view = pair.server.peek(*id)) pair.server.consume(*id, view->data.size());
    (void)pair.server.finish(*id);
    pair.settle();
    (void)pair.client.peek(*id);
    pair.client.consume(*id, 0);
    events_of(pair.client);
    events_of(pair.server);
    pair.settle();
    ASSERT_EQ(pair.client.open_streams(), 0U) << "cycle " << i;
    ASSERT_EQ(pair.server.open_streams(), 0U) << "cycle " << i;
  }
  EXPECT_EQ(pair.client.buffered_bytes() + pair.server.buffered_bytes(), 0U);
}

// Streams whose events are not polled stay open: the peer gets no credit for new ones.
TEST(HostileStreams, OpeningAndResettingWithoutAReaderEndsAtTheLimit) {
  StreamSet set{Side::server, {.max_streams_uni = 10}};
  for (std::uint64_t i = 0; i < 10; ++i) {
    const StreamId id = StreamId::make(Side::client, false, i);
    ASSERT_TRUE(set.on_frame(wire::ResetStreamFrame{id, 0, 0}).has_value());
  }
  EXPECT_FALSE(set.has_frames());
  EXPECT_EQ(set.open_streams(), 10U);
  EXPECT_FALSE(set.on_frame(wire::ResetStreamFrame{{42}, 0, 0}).has_value());
}

// Events coalesce: the number of frames does not matter.
TEST(HostileStreams, EventsDoNotPileUp) {
  StreamSet set{Side::server, {}};
  const std::array<u8, 1> byte{};
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(set.on_frame(wire::StreamFrame{{0}, 0, byte, false}).has_value());
    ASSERT_TRUE(set.on_frame(wire::StopSendingFrame{{0}, 3}).has_value());
  }
  EXPECT_LE(events_of(set).size(), 3U);
}

}  // namespace
}  // namespace qpeer::transport::test
