// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How much streams keep to send: what bounds it, and which writer is woken when there is room.
#include "qpeer/transport/stream/send_room.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

using Kind = StreamEvent::Kind;
constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;

/// Windows far larger than what is sent here, and as many streams.
constexpr StreamConfig kWide{.receive_window = 1 << 30,
                             .stream_receive_window = 1 << 30,
                             .max_streams_bidi = 10'000,
                             .max_streams_uni = 10'000};

/// Writes as much of `size` bytes as there is room for.
std::uint64_t fill(StreamSet& set, StreamId id, std::size_t size) {
  static const std::vector<u8> zeros(8 << 20);
  const auto written = set.write(id, Bytes(zeros).first(size));
  return written ? *written : 0;
}

std::vector<StreamId> open_streams(StreamSet& set, std::size_t count) {
  std::vector<StreamId> streams;
  for (std::size_t i = 0; i < count; ++i) streams.push_back(*set.open(false));
  return streams;
}

TEST(SendRoom, AConnectionKeepsNoMoreThanItsLimit) {
  Pair pair({.send_buffer = 1 << 20, .connection_send_buffer = 4 << 20}, kWide);
  std::uint64_t total = 0;
  for (const StreamId id : open_streams(pair.client, 100)) total += fill(pair.client, id, 1 << 20);
  EXPECT_EQ(total, 4 * kMiB);
  EXPECT_EQ(pair.client.send_buffered(), 4 * kMiB);
  EXPECT_TRUE(pair.client.consistent());
}

TEST(SendRoom, AStreamMayKeepAllThatItsOwnLimitSays) {
  Pair pair({.send_buffer = 4 << 20, .connection_send_buffer = 1 << 20}, kWide);
  EXPECT_EQ(fill(pair.client, *pair.client.open(false), 5 << 20), 4 * kMiB);
}

TEST(SendRoom, AStreamMayKeepTwiceWhatIsInFlight) {
  Pair pair({.send_buffer = 8 << 20, .connection_send_buffer = 16 << 20}, kWide);
  const auto keeps = [&](std::uint64_t bytes_in_flight, Duration round_trip) {
    pair.client.on_path_figures(
        Instant{1s},
        {.round_trip = round_trip, .min_rtt = 10ms, .bytes_in_flight = bytes_in_flight});
    const StreamId id = *pair.client.open(false);
    const std::uint64_t size = fill(pair.client, id, 8 << 20);
    EXPECT_TRUE(pair.client.reset(id, 0).has_value());
    EXPECT_TRUE(pair.client.consistent());
    return size;
  };
  EXPECT_EQ(keeps(12'000, 10ms), SendRoom::kLeast);
  EXPECT_EQ(keeps(kMiB, 10ms), 2 * kMiB);
  EXPECT_EQ(keeps(100 * kMiB, 10ms), 8 * kMiB);
  EXPECT_EQ(keeps(300 * kKiB, 10ms), 600 * kKiB);
  // What waits in queues on the path needs no second copy here.
  EXPECT_EQ(keeps(kMiB, 1s), 2 * kMiB);
  EXPECT_EQ(keeps(6 * kMiB, 20ms), 6 * kMiB);
  EXPECT_EQ(keeps(6 * kMiB, 100ms), SendRoom::kMuch);
}

// The peer takes nothing, or a little: no more than that and 64 KiB is kept for it.
TEST(SendRoom, AStreamWithoutCreditKeepsLittle) {
  for (const std::uint64_t window : {0U, 1'000U, 100'000U}) {
    for (const bool of_stream : {true, false}) {
      StreamConfig stingy = kWide;
      (of_stream ? stingy.stream_receive_window : stingy.receive_window) = window;
      Pair pair({}, stingy);
      const StreamId id = *pair.client.open(false);
      EXPECT_EQ(fill(pair.client, id, 1 << 20), window + SendRoom::kUncredited);
      pair.settle();  // What the window lets through is not read, so no more is granted.
      EXPECT_EQ(pair.client.send_buffered(), SendRoom::kUncredited);
      EXPECT_EQ(*pair.client.write(id, pattern(id, 0, 1'000)), 0U);
      EXPECT_EQ(count(events_of(pair.client), Kind::writable), 0U);
    }
  }
}

TEST(SendRoom, CreditWakesTheWriter) {
  for (const bool of_stream : {true, false}) {
    StreamConfig stingy = kWide;
    (of_stream ? stingy.stream_receive_window : stingy.receive_window) = 0;
    Pair pair({}, stingy);
    const StreamId id = *pair.client.open(false);
    fill(pair.client, id, 1 << 20);
    std::ignore = events_of(pair.client);
    const wire::Frame credit = of_stream ? wire::Frame(wire::MaxStreamDataFrame{id, 1 << 20})
                                         : wire::Frame(wire::MaxDataFrame{1 << 20});
    ASSERT_TRUE(deliver(credit, pair.client).has_value());
    EXPECT_EQ(count(events_of(pair.client), Kind::writable), 1U);
    EXPECT_EQ(fill(pair.client, id, 2 << 20), 1 * kMiB);
  }
}

// However many streams the peer does not read, the streams that it reads go on.
TEST(SendRoom, StreamsThatNobodyReadsLeaveRoomForTheOthers) {
  StreamConfig nothing = kWide;
  nothing.stream_receive_window = 0;
  Pair pair({.send_buffer = 1 << 20, .connection_send_buffer = 1 << 20}, nothing);
  const std::vector<StreamId> streams = open_streams(pair.client, 5'000);
  for (int round = 0; round < 3; ++round) {
    for (const StreamId id : streams) fill(pair.client, id, 1 << 20);
  }
  const std::uint64_t stuck = pair.client.send_buffered();
  EXPECT_LE(stuck, 512 * kKiB);
  const StreamId moves = streams.back();
  ASSERT_TRUE(pair.client.on_frame(wire::MaxStreamDataFrame{moves, 1 << 30}).has_value());
  std::uint64_t written = 0;
  for (int turn = 0; turn < 50'000 && written < 4 * kMiB; ++turn) {
    written += fill(pair.client, moves, 1 << 20);
    std::ignore = events_of(pair.client);
    if (!pair.client.has_frames()) break;
    tell(write_packet(pair.client), pair.client, Fate::acked);
  }
  EXPECT_GE(written, 4 * kMiB) << "of " << stuck << " bytes nothing moves";
  EXPECT_TRUE(pair.client.consistent());
}

TEST(SendRoom, WritersAreWokenInTheOrderInWhichTheyBeganToWait) {
  Pair pair({.send_buffer = 64 << 10, .connection_send_buffer = 64 << 10}, kWide);
  const std::vector<StreamId> streams = open_streams(pair.client, 5);
  EXPECT_EQ(fill(pair.client, streams[0], 100'000), 64 * kKiB);
  for (const int i : {3, 1, 4, 2}) EXPECT_EQ(fill(pair.client, streams[i], 100'000), 0U);
  EXPECT_TRUE(events_of(pair.client).empty());
  std::vector<StreamId> called;
  while (pair.client.has_frames()) {
    tell(write_packet(pair.client), pair.client, Fate::acked);
    while (const auto event = pair.client.poll_event()) {
      if (event->kind != Kind::writable) continue;
      called.push_back(event->stream_id);
      EXPECT_GT(fill(pair.client, event->stream_id, 1 << 20), 0U);
    }
    ASSERT_TRUE(pair.client.consistent());
    if (called.size() > 40) break;
  }
  const std::vector expected{streams[3], streams[1], streams[4], streams[2]};
  ASSERT_GE(called.size(), 8U);
  std::erase(called, streams[0]);
  EXPECT_EQ(std::vector(called.begin(), called.begin() + 4), expected);
  EXPECT_EQ(std::vector(called.begin() + 4, called.begin() + 8), expected) << "round after round";
}

// Writers that are woken and do not write leave the room to the next ones.
TEST(SendRoom, RoomThatIsNotTakenWakesTheNextWriter) {
  Pair pair({.send_buffer = 64 << 10, .connection_send_buffer = 64 << 10}, kWide);
  const std::vector<StreamId> streams = open_streams(pair.client, 50);
  for (const StreamId id : streams) fill(pair.client, id, 100'000);
  pair.settle();
  EXPECT_EQ(count(events_of(pair.client), Kind::writable), streams.size());
}

TEST(SendRoom, AResetStreamGivesItsRoomBack) {
  Pair pair({.send_buffer = 64 << 10, .connection_send_buffer = 64 << 10}, kWide);
  const std::vector<StreamId> streams = open_streams(pair.client, 2);
  fill(pair.client, streams[0], 100'000);
  fill(pair.client, streams[1], 100'000);
  ASSERT_TRUE(pair.client.reset(streams[0], 1).has_value());
  EXPECT_EQ(pair.client.send_buffered(), 0U);
  EXPECT_EQ(count(events_of(pair.client), Kind::writable), 1U);
  EXPECT_TRUE(pair.client.consistent());
}

TEST(SendRoom, AClosedConnectionGivesAllBack) {
  Pair pair({}, kWide);
  for (const StreamId id : open_streams(pair.client, 5)) fill(pair.client, id, 1 << 20);
  EXPECT_EQ(pair.client.send_buffered(), 5 * kMiB);
  pair.client.close();
  EXPECT_EQ(pair.client.send_buffered(), 0U);
  EXPECT_LE(pair.client.buffered_bytes(), 0U);
}

/// Connections of one endpoint, to peers of one network each.
struct Shared {
  Shared(std::size_t count, const PoolLimits& limits, const StreamConfig& config = {})
      : pool(limits, count) {
    for (PoolOwner i = 0; i < count; ++i) {
      const PoolMember member{.pool = &pool, .network = i, .owner = i};
      sets.push_back(std::make_unique<StreamSet>(Side::client, config,
                                                 ConnectionPools{.receive_credit = {},
                                                                 .send_buffers = member,
                                                                 .datagrams = {},
                                                                 .free_chunks = nullptr}));
      sets.back()->set_peer_parameters({.initial_max_data = 1 << 30,
                                        .initial_max_stream_data_uni = 1 << 30,
                                        .initial_max_streams_uni = 100});
    }
  }
  void drain(StreamSet& set) const {
    while (set.has_frames()) tell(write_packet(set), set, Fate::acked);
  }

  BytePool pool;
  std::vector<std::unique_ptr<StreamSet>> sets;
};

TEST(SendRoom, AnEndpointKeepsNoMoreThanItsLimit) {
  Shared endpoint(50, {.total = 8 << 20, .network = 8 << 20});
  for (int round = 0; round < 3; ++round) {
    for (const auto& set : endpoint.sets) {
      if (const auto id = set->open(false)) fill(*set, *id, 4 << 20);
      EXPECT_TRUE(set->consistent());
    }
  }
  EXPECT_LE(endpoint.pool.held(), 8 * kMiB);
  EXPECT_TRUE(endpoint.pool.consistent());
  for (const auto& set : endpoint.sets) {
    EXPECT_GE(set->send_buffered(), endpoint.pool.guaranteed());
  }
}

// A writer whose own connection gets no acknowledgements is called when other connections make room.
TEST(SendRoom, RoomThatOtherConnectionsGiveBackWakesTheWriter) {
  Shared endpoint(50, {.total = 4 << 20, .network = 4 << 20});
  std::vector<StreamId> streams;
  for (int round = 0; round < 20; ++round) {
    for (const auto& set : endpoint.sets) {
      if (round == 0) streams.push_back(*set->open(false));
      fill(*set, streams[0], 4 << 20);
    }
  }
  StreamSet& waits = *endpoint.sets[40];
  const StreamId id = *waits.open(false);
  EXPECT_LT(fill(waits, id, 4 << 20), 64 * kKiB);
  EXPECT_EQ(endpoint.pool.next_to_wake(), std::nullopt);
  std::vector<PoolOwner> woken;
  for (std::size_t i = 0; i < 20; ++i) {
    endpoint.drain(*endpoint.sets[i]);
    while (const auto owner = endpoint.pool.next_to_wake()) woken.push_back(*owner);
  }
  EXPECT_EQ(std::ranges::count(woken, 40U), 1);
  EXPECT_GE(count(events_of(waits), Kind::writable), 1U);
  EXPECT_GT(fill(waits, id, 4 << 20), 0U);
}

// Each writer writes only when it is woken, and all of its data arrives, whatever the bounds.
TEST(SendRoom, NoWriterIsForgotten) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Seeded random(seed);
    const std::size_t connections = 1 + random.below(8);
    const StreamConfig config{.send_buffer = 1 + random.below(200'000),
                              .connection_send_buffer = 1 + random.below(400'000)};
    Shared endpoint(connections, {.total = random.below(400'000), .network = random.below(400'000)},
                    config);
    std::vector<std::map<StreamId, std::uint64_t>> left(connections);
    const auto write_more = [&](std::size_t i, StreamId id) {
      StreamSet& set = *endpoint.sets[i];
      std::uint64_t& size = left[i][id];
      while (size != 0) {
        const std::uint64_t written = fill(set, id, size);
        size -= written;
        if (written == 0) return;
      }
      if (set.finish(id)) left[i].erase(id);
    };
    for (std::size_t i = 0; i < connections; ++i) {
      for (std::uint64_t n = 1 + random.below(20); n > 0; --n) {
        const StreamId id = *endpoint.sets[i]->open(false);
        left[i][id] = 1 + random.below(300'000);
        write_more(i, id);
      }
    }
    for (bool moves = true; moves;) {
      moves = false;
      for (std::size_t i = 0; i < connections; ++i) {
        StreamSet& set = *endpoint.sets[i];
        for (std::uint64_t n = random.below(20); n > 0 && set.has_frames(); --n) {
          tell(write_packet(set), set, random.chance(90) ? Fate::acked : Fate::lost);
        }
        while (const auto event = set.poll_event()) {
          if (event->kind == Kind::writable) write_more(i, event->stream_id);
        }
        while (const auto owner = endpoint.pool.next_to_wake()) {
          while (const auto event = endpoint.sets[*owner]->poll_event()) {
            if (event->kind == Kind::writable) write_more(*owner, event->stream_id);
          }
          moves = true;
        }
        moves = moves || set.has_frames();
        ASSERT_TRUE(set.consistent()) << "seed " << seed;
        ASSERT_TRUE(endpoint.pool.consistent()) << "seed " << seed;
        ASSERT_LE(endpoint.pool.held(), endpoint.pool.limits().total);
      }
    }
    for (const auto& each : left) EXPECT_TRUE(each.empty()) << "seed " << seed;
    EXPECT_EQ(endpoint.pool.held(), 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace qpeer::transport::test
