// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams that wait, in both directions: bounds, order, sizes in packets. RFC 9221.
#include "qpeer/transport/stream/datagram_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport {
namespace {

using wire::DatagramFrame;

std::vector<u8> text(std::size_t size, u8 first) {
  std::vector<u8> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<u8>(first + i);
  return out;
}

// --- DatagramRing ------------------------------------------------------------------------------

TEST(DatagramRing, TakesWhatIsWithinTheLimitWhereverTheOthersLie) {
  constexpr std::size_t kLimit = 10'000;
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random{seed};
    DatagramRing ring(kLimit);
    std::deque<std::vector<u8>> model;
    std::size_t used = 0;
    for (int step = 0; step < 20'000; ++step) {
      const std::size_t size = random() % (seed % 2 == 0 ? 50 : 9'900);
      const std::size_t cost = size + DatagramRing::kOverhead;
      ASSERT_EQ(ring.fits(size), used + cost <= kLimit);
      if (ring.fits(size) && random() % 3 != 0) {
        model.push_back(text(size, static_cast<u8>(step)));
        ring.push_back(model.back());
        used += cost;
      } else if (!model.empty()) {
        ASSERT_TRUE(equal(ring.front(), model.front())) << "at step " << step;
        used -= model.front().size() + DatagramRing::kOverhead;
        ring.pop_front();
        model.pop_front();
      }
      ASSERT_EQ(ring.count(), model.size());
    }
  }
}

TEST(DatagramRing, AWrappedRingIsRecognisedAlsoWithEmptyElements) {
  DatagramRing ring(100'000);
  ring.push_back(text(2'048, 1));
  ring.push_back(text(2'048, 2));
  ring.pop_front();
  ring.push_back(text(2'047, 3));
  ring.push_back(text(1, 4));  // Up to the oldest, were it not for ...
  ring.push_back({});          // ... this one.
  ring.push_back(text(100, 5));
  EXPECT_TRUE(std::ranges::equal(ring.front(), text(2'048, 2)));
  for (const std::size_t size : {2'048U, 2'047U, 1U, 0U, 100U}) {
    ASSERT_EQ(ring.front().size(), size);
    ring.pop_front();
  }
}

TEST(DatagramRing, EmptyOnesCountToo) {
  DatagramRing ring(1'600);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ring.fits(0)) << i;
    ring.push_back({});
  }
  EXPECT_FALSE(ring.fits(0));
  ring.pop_front();
  EXPECT_TRUE(ring.fits(0));
}

TEST(DatagramRing, NothingLargerThanTheLimitEverFits) {
  DatagramRing ring(116);
  EXPECT_TRUE(ring.alone(100));
  EXPECT_FALSE(ring.alone(101));
  ring.push_back(text(50, 0));
  EXPECT_TRUE(ring.alone(100));
  EXPECT_FALSE(ring.fits(100));
  EXPECT_FALSE(DatagramRing(1 << 20).alone(65'536));
}

TEST(DatagramRing, WhatFrontShowedStaysUntilTheNextPush) {
  DatagramRing ring(1'000);
  ring.push_back(text(10, 1));
  const Bytes shown = ring.front();
  ring.pop_front();
  EXPECT_TRUE(std::ranges::equal(shown, text(10, 1)));
}

// --- DatagramQueue: sending --------------------------------------------------------------------

constexpr std::size_t kRoom = 1'000;

/// What one packet with `room` bytes for frames carries, behind `before` bytes of something else.
struct Packet {
  explicit Packet(DatagramQueue& queue, std::size_t room = kRoom, std::size_t before = 0) {
    std::vector<u8> storage(room);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    for (std::size_t i = 0; i < before; ++i) out.raw().byte(1);  // PING
    queue.write_frames(out, kRoom);
    size = out.size();
    eliciting = out.ack_eliciting();
    frames = out.sent_frames().size();
    room_left = out.remaining();
    Reader in{Bytes(storage).first(size)};
    while (!in.empty()) {
      const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
      EXPECT_TRUE(frame.has_value());
      if (!frame) break;
      if (const auto* datagram = std::get_if<DatagramFrame>(&*frame)) {
        datagrams.emplace_back(datagram->data.begin(), datagram->data.end());
        frame_sizes.push_back(datagram->received_size);
      }
    }
  }
  std::size_t size = 0;
  std::size_t frames = 0;
  std::size_t room_left = 0;
  bool eliciting = false;
  std::vector<std::vector<u8>> datagrams;
  std::vector<std::size_t> frame_sizes;
};

/// To a peer that takes frames of so many bytes.
struct QueueTo : DatagramQueue {
  explicit QueueTo(std::uint64_t peer_max, DatagramLimits limits = {}, const PoolMember& pool = {})
      : DatagramQueue(65'535, limits, pool) {
    set_peer_max_frame_size(peer_max);
  }
};

// [rfc9221-3-1]
TEST(DatagramQueue, SendsNothingToAPeerThatAnnouncedNothing) {
  DatagramQueue queue(65'535, {});
  EXPECT_EQ(queue.max_payload(kRoom), std::nullopt);
  EXPECT_EQ(queue.send({}, kRoom).error(), DatagramError::disabled);
  EXPECT_FALSE(queue.has_frames());
}

// [rfc9221-3-2]
TEST(DatagramQueue, KeepsTheWholeFrameWithinThePeersLimit) {
  for (const std::uint64_t limit : {2U, 3U, 65U, 66U, 67U, 300U, 990U}) {
    QueueTo queue(limit);
    const auto largest = queue.max_payload(kRoom);
    ASSERT_TRUE(largest.has_value());
    EXPECT_LE(DatagramFrame::header_size(*largest) + *largest, limit);
    EXPECT_GT(DatagramFrame::header_size(*largest + 1) + *largest + 1, limit) << "not more?";
    EXPECT_EQ(queue.send(text(*largest + 1, 0), kRoom).error(), DatagramError::too_large);
    ASSERT_TRUE(queue.send(text(*largest, 0), kRoom).has_value());
    const Packet packet(queue);
    ASSERT_EQ(packet.datagrams.size(), 1U);
    EXPECT_EQ(packet.datagrams[0], text(*largest, 0));
    EXPECT_LE(packet.frame_sizes[0], limit);
  }
}

TEST(DatagramQueue, EverySizeUpToTheLargestFitsAPacket) {
  for (std::size_t size = 0; size < kRoom; ++size) {
    QueueTo queue(65'535);
    ASSERT_TRUE(queue.send(text(size, 7), kRoom).has_value()) << size;
    const Packet packet(queue);
    ASSERT_EQ(packet.datagrams.size(), 1U) << size;
    EXPECT_EQ(packet.datagrams[0], text(size, 7));
    EXPECT_TRUE(packet.eliciting);
    const bool has_length = packet.frame_sizes[0] > size + 1;
    EXPECT_TRUE(has_length || packet.room_left == 0) << "what follows would be taken for its end";
  }
  QueueTo queue(65'535);
  EXPECT_EQ(queue.max_payload(kRoom), kRoom - 1);
  EXPECT_EQ(queue.send(text(kRoom, 0), kRoom).error(), DatagramError::too_large);
}

TEST(DatagramQueue, SeveralShareAPacketInTheirOrder) {
  QueueTo queue(65'535);
  for (u8 i = 0; i < 5; ++i) ASSERT_TRUE(queue.send(text(300, i), kRoom).has_value());
  const Packet first(queue);
  ASSERT_EQ(first.datagrams.size(), 3U);
  EXPECT_FALSE(queue.crowded_out()) << "only by its like";
  const Packet second(queue);
  ASSERT_EQ(second.datagrams.size(), 2U);
  EXPECT_EQ(second.datagrams[1], text(300, 4));
  EXPECT_FALSE(queue.has_frames());
  EXPECT_EQ(queue.stats().sent, 5U);
}

TEST(DatagramQueue, ManySmallOnesStopAtTheFramesOfAPacket) {
  QueueTo queue(65'535);
  for (std::size_t i = 0; i < PacketWriter::kMaxFrames + 1; ++i) {
    ASSERT_TRUE(queue.send(text(1, 0), kRoom).has_value());
  }
  EXPECT_EQ(Packet(queue).frames, PacketWriter::kMaxFrames);
  EXPECT_EQ(Packet(queue).frames, 1U);
}

TEST(DatagramQueue, ReportsWhenOtherFramesCrowdItOut) {
  QueueTo queue(65'535);
  ASSERT_TRUE(queue.send(text(kRoom - 1, 0), kRoom).has_value());
  EXPECT_TRUE(Packet(queue, kRoom, 10).datagrams.empty());
  EXPECT_TRUE(queue.crowded_out());
  EXPECT_EQ(Packet(queue).datagrams.size(), 1U);
  EXPECT_FALSE(queue.crowded_out());
}

TEST(DatagramQueue, IsNotCrowdedOutOfAPacketThatCarriesOne) {
  QueueTo queue(65'535);
  std::vector<u8> storage(kRoom);
  PacketWriter out(storage, wire::PacketType::one_rtt);
  ASSERT_TRUE(queue.send(text(700, 0), kRoom).has_value());
  queue.write_frames(out, kRoom);
  ASSERT_TRUE(queue.send(text(700, 0), kRoom).has_value());
  queue.write_frames(out, kRoom);
  EXPECT_TRUE(queue.has_frames());
  EXPECT_FALSE(queue.crowded_out());
}

// [rfc9221-5.4-1]
TEST(DatagramQueue, SendingToAFullQueueIsAnError) {
  QueueTo queue(65'535, {.send_queue = 3 * 116});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.send(text(100, 0), kRoom).has_value());
  EXPECT_EQ(queue.send(text(100, 0), kRoom).error(), DatagramError::queue_full);
  EXPECT_EQ(Packet(queue).datagrams.size(), 3U);
  EXPECT_TRUE(queue.send(text(100, 0), kRoom).has_value());
}

TEST(DatagramQueue, WhatNoPacketHoldsAnyMoreIsDropped) {
  QueueTo queue(65'535);
  ASSERT_TRUE(queue.send(text(1'100, 0), 1'200).has_value());
  ASSERT_TRUE(queue.send(text(100, 0), 1'200).has_value());
  EXPECT_EQ(Packet(queue).datagrams.size(), 1U);
  EXPECT_FALSE(queue.has_frames());
  EXPECT_EQ(queue.stats().unsent, 1U);
}

TEST(DatagramQueue, LostOnesAreNotSentAgain) {
  QueueTo queue(65'535);
  ASSERT_TRUE(queue.send(text(100, 0), kRoom).has_value());
  EXPECT_EQ(Packet(queue).frames, 1U);
  queue.on_fate(Fate::lost);
  EXPECT_FALSE(queue.has_frames());
  EXPECT_EQ(queue.stats().acknowledged, 0U);
  queue.on_fate(Fate::acked);
  EXPECT_EQ(queue.stats().acknowledged, 1U);
}

TEST(DatagramQueue, AfterTheEndNothingWaitsToBeSent) {
  QueueTo queue(65'535);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.send(text(900, 0), kRoom).has_value());
  EXPECT_EQ(Packet(queue).frames, 1U);
  queue.close();
  EXPECT_FALSE(queue.has_frames());
  EXPECT_FALSE(queue.crowded_out());
  EXPECT_EQ(queue.held(), 0U);
  EXPECT_TRUE(queue.consistent());
}

// --- DatagramQueue: receiving ------------------------------------------------------------------

DatagramFrame frame_of(Bytes data) {
  return {.data = data, .received_size = DatagramFrame::header_size(data.size()) + data.size()};
}

// [rfc9221-3-3] [rfc9221-3-4]
TEST(DatagramQueue, RefusesWhatWasNotAnnounced) {
  DatagramQueue none(0, {});
  const auto refused = none.on_frame(frame_of({}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, TransportErrorCode::protocol_violation);
  EXPECT_EQ(refused.error().frame_type, 0x30U);

  DatagramQueue small(103, {});
  EXPECT_TRUE(small.on_frame(frame_of(text(100, 0))).has_value());
  EXPECT_FALSE(small.on_frame(frame_of(text(101, 0))).has_value());
  EXPECT_FALSE(small.on_frame({.data = {}, .received_size = 104}).has_value())
      << "the header counts";
}

TEST(DatagramQueue, GivesWhatCameInItsOrder) {
  DatagramQueue queue(65'535, {});
  EXPECT_EQ(queue.next(), std::nullopt);
  EXPECT_FALSE(queue.poll_readable());
  for (u8 i = 0; i < 3; ++i) ASSERT_TRUE(queue.on_frame(frame_of(text(i, i))).has_value());
  EXPECT_TRUE(queue.poll_readable());
  EXPECT_FALSE(queue.poll_readable()) << "an edge";
  for (u8 i = 0; i < 3; ++i) {
    const auto next = queue.next();
    ASSERT_TRUE(next.has_value());
    EXPECT_TRUE(std::ranges::equal(*next, text(i, i)));
  }
  EXPECT_EQ(queue.next(), std::nullopt);
  ASSERT_TRUE(queue.on_frame(frame_of({})).has_value());
  EXPECT_TRUE(queue.poll_readable()) << "there was nothing, and now is";
  ASSERT_TRUE(queue.on_frame(frame_of({})).has_value());
  EXPECT_FALSE(queue.poll_readable()) << "there was something, and is still";
}

TEST(DatagramQueue, ReadBeforeTheEventWasPolledNeedsNone) {
  DatagramQueue queue(65'535, {});
  ASSERT_TRUE(queue.on_frame(frame_of({})).has_value());
  EXPECT_TRUE(queue.next().has_value());
  EXPECT_FALSE(queue.poll_readable());
  ASSERT_TRUE(queue.on_frame(frame_of({})).has_value());
  EXPECT_TRUE(queue.poll_readable());
}

// [rfc9221-5.3-1]
TEST(DatagramQueue, DropsTheOldestThatNobodyReads) {
  DatagramQueue queue(65'535, {.receive_queue = 3 * 116});
  for (u8 i = 0; i < 10; ++i) ASSERT_TRUE(queue.on_frame(frame_of(text(100, i))).has_value());
  EXPECT_EQ(queue.stats().received, 10U);
  EXPECT_EQ(queue.stats().unread, 7U);
  for (u8 i = 7; i < 10; ++i) EXPECT_TRUE(std::ranges::equal(*queue.next(), text(100, i)));
  EXPECT_EQ(queue.next(), std::nullopt);
}

TEST(DatagramQueue, OneTooLargeForTheQueueDropsNoOther) {
  DatagramQueue queue(65'535, {.receive_queue = 3 * 116});
  ASSERT_TRUE(queue.on_frame(frame_of(text(100, 1))).has_value());
  ASSERT_TRUE(queue.on_frame(frame_of(text(400, 2))).has_value());
  EXPECT_EQ(queue.stats().unread, 1U);
  EXPECT_EQ(queue.next()->size(), 100U);
}

TEST(DatagramQueue, ManyEmptyOnesMakeRoomForALargeOne) {
  DatagramQueue queue(65'535, {.receive_queue = 4'096});
  for (int i = 0; i < 256; ++i) ASSERT_TRUE(queue.on_frame(frame_of({})).has_value());
  ASSERT_TRUE(queue.on_frame(frame_of(text(4'000, 1))).has_value());
  std::size_t last = 0;
  while (const auto data = queue.next()) last = data->size();
  EXPECT_EQ(last, 4'000U);
}

// --- DatagramQueue: the pool -------------------------------------------------------------------

/// Two directions of each queue are one account each.
constexpr std::size_t kQueues = 50;
/// Of which 20,480 bytes are always each account's own.
constexpr PoolLimits kPool{.total = 4'096'000, .network = 1'024'000};

struct SharedPool {
  SharedPool() : pool(kPool, 2 * kQueues) {}
  DatagramQueue& add(PoolNetwork network) {
    const PoolMember member{.pool = &pool, .network = network, .owner = 0};
    queues.push_back(std::make_unique<QueueTo>(65'535, DatagramLimits{}, member));
    return *queues.back();
  }
  [[nodiscard]] std::uint64_t held() const {
    std::uint64_t sum = 0;
    for (const auto& each : queues) sum += each->held();
    return sum;
  }
  BytePool pool;
  std::vector<std::unique_ptr<QueueTo>> queues;
};

TEST(DatagramQueue, AllOfAnEndpointHoldNoMoreThanItsPool) {
  SharedPool endpoint;
  for (PoolNetwork i = 0; i < kQueues; ++i) {
    DatagramQueue& queue = endpoint.add(i % 10);
    for (int step = 0; step < 1'000; ++step) {
      ASSERT_TRUE(queue.on_frame(frame_of(text(1'000, 1))).has_value());
      (void)queue.send(text(step % 2 == 0 ? 0 : 900, 2), kRoom);
      ASSERT_TRUE(queue.consistent());
    }
    ASSERT_TRUE(endpoint.pool.consistent());
    ASSERT_EQ(endpoint.pool.held(), endpoint.held());
    ASSERT_LE(endpoint.held(), kPool.total);
  }
  EXPECT_GT(endpoint.held(), kPool.total / 2) << "they did not even try";
  for (const auto& queue : endpoint.queues) {
    EXPECT_EQ(queue->send(text(900, 2), kRoom).error(), DatagramError::queue_full);
    EXPECT_TRUE(queue->has_frames()) << "each has its part";
  }
  for (const auto& queue : endpoint.queues) {
    ASSERT_TRUE(queue->on_frame(frame_of(text(1'000, 3))).has_value());
    std::size_t count = 0;
    u8 newest = 0;
    for (; const auto data = queue->next(); ++count) newest = data->front();
    EXPECT_GE(count, 10U) << "each has its part";
    EXPECT_EQ(newest, 3U) << "older ones made room for it";
  }
  endpoint.queues.clear();
  EXPECT_EQ(endpoint.pool.held(), 0U);
}

TEST(DatagramQueue, OneTooLargeForWhatThePoolAllowsDropsNoOther) {
  BytePool pool({.total = 8'192, .network = 0},
                2);  // 2,048 bytes for each direction, and the list.
  EXPECT_EQ(pool.guaranteed(), 2'048U);
  DatagramQueue none(65'535, {}, {.pool = &pool});
  ASSERT_TRUE(none.on_frame(frame_of(text(10, 1))).has_value());
  EXPECT_EQ(none.next(), std::nullopt) << "its part is too small";
  EXPECT_EQ(none.stats().unread, 1U);
  EXPECT_TRUE(none.consistent());

  BytePool enough({.total = 10'000, .network = 0}, 2);
  DatagramQueue queue(65'535, {}, {.pool = &enough});
  ASSERT_TRUE(queue.on_frame(frame_of(text(2'000, 1))).has_value());
  ASSERT_TRUE(queue.on_frame(frame_of(text(2'100, 2))).has_value());
  EXPECT_EQ(queue.stats().unread, 1U);
  EXPECT_EQ(queue.next()->size(), 2'000U);
  EXPECT_EQ(queue.next(), std::nullopt);
}

TEST(DatagramQueue, EmptyQueuesGiveTheirMemoryBackWhenOthersNeedIt) {
  SharedPool endpoint;
  const auto read = [](DatagramQueue& queue) {
    while (queue.next()) {
    }
  };
  // Each has had a burst, and no pool of this size could keep the memory of them all.
  for (PoolNetwork i = 0; i < kQueues; ++i) {
    DatagramQueue& queue = endpoint.add(i);
    for (int step = 0; step < 60; ++step) {
      ASSERT_TRUE(queue.on_frame(frame_of(text(1'000, 1))).has_value());
      ASSERT_TRUE(queue.send(text(900, 2), kRoom).has_value()) << i;
      if (step % 10 == 9) (void)Packet(queue);
    }
    while (queue.has_frames()) (void)Packet(queue);
    read(queue);
    ASSERT_TRUE(queue.consistent());
  }
  const std::uint64_t own = kQueues * 2 * endpoint.pool.guaranteed();
  EXPECT_LE(endpoint.held(), own + endpoint.pool.shared_limit() / 2);
  // With room, a queue in use keeps what it has.
  DatagramQueue& first = *endpoint.queues.front();
  const std::uint64_t held = first.held();
  ASSERT_TRUE(first.on_frame(frame_of(text(1'000, 1))).has_value());
  read(first);
  EXPECT_EQ(first.held(), held);
}

}  // namespace
}  // namespace qpeer::transport
