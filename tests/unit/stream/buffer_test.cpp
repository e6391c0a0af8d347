// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Chunks, send and receive buffers, the index and the queue.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "qpeer/tests/unit/stream/stream_pair.hpp"
#include "qpeer/transport/stream/chunk_store.hpp"
#include "qpeer/transport/stream/recv_buffer.hpp"
#include "qpeer/transport/stream/send_buffer.hpp"
#include "qpeer/transport/stream/stream_index.hpp"

namespace qpeer::transport::test {
namespace {

constexpr StreamId kId{0};

TEST(ChunkPool, UsesFreeChunksAgainAndKeepsFewOfThem) {
  ChunkPool pool;
  Chunk chunk = pool.acquire(100);
  EXPECT_EQ(chunk.capacity, 1024U);
  const u8* const address = chunk.data;
  pool.release(chunk);
  EXPECT_EQ(chunk.data, nullptr);
  chunk = pool.acquire(1024);
  EXPECT_EQ(chunk.data, address);
  Chunk larger = pool.acquire(1025);
  EXPECT_EQ(larger.capacity, 4096U);
  pool.release(larger);

  ChunkPool bulk;
  std::vector<Chunk> chunks;
  for (int i = 0; i < 100; ++i) chunks.push_back(bulk.acquire(ChunkPool::kLargest));
  EXPECT_EQ(bulk.in_use(), 100 * ChunkPool::kLargest);
  for (Chunk& each : chunks) bulk.release(each);
  EXPECT_EQ(bulk.in_use(), 0U);
  EXPECT_LE(bulk.kept(), ChunkPool::kKeepMost);
  for (int i = 0; i < 1000; ++i) {
    Chunk small = bulk.acquire(1);
    bulk.release(small);
  }
  EXPECT_LE(bulk.kept(), ChunkPool::kKeep + 1024) << "the burst is forgotten";
  pool.release(chunk);
}

// As under loss: what waits behind a lost packet is twice as much where its copy is lost, too.
TEST(ChunkPool, KeepsEnoughForAPeakThatIsRareButReturns) {
  ChunkPool pool;
  const auto use = [&pool](std::size_t count) {
    std::vector<Chunk> chunks;
    for (std::size_t i = 0; i < count; ++i) chunks.push_back(pool.acquire(ChunkPool::kLargest));
    for (Chunk& each : chunks) pool.release(each);
  };
  use(12);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 50; ++i) use(4);
    EXPECT_GE(pool.kept(), 12 * ChunkPool::kLargest) << "the next peak allocates";
    use(12);
  }
}

TEST(ChunkPool, PoolsOfOneEndpointKeepFewFreeChunksTogether) {
  FreeChunks all{.most = 512 << 10};
  {
    std::deque<ChunkPool> pools;
    for (int i = 0; i < 10; ++i) {
      ChunkPool& pool = pools.emplace_back(&all);
      std::vector<Chunk> chunks;
      for (int j = 0; j < 4; ++j) chunks.push_back(pool.acquire(ChunkPool::kLargest));
      for (Chunk& each : chunks) pool.release(each);
      EXPECT_TRUE(pool.consistent());
      EXPECT_EQ(pool.in_use(), 0U);
    }
    EXPECT_EQ(all.kept, all.most);
    EXPECT_EQ(pools[0].kept(), 4 * ChunkPool::kLargest);
    EXPECT_EQ(pools[9].kept(), 0U);
    // One that has them uses them; then others may keep some.
    Chunk chunk = pools[0].acquire(ChunkPool::kLargest);
    Chunk other = pools[9].acquire(1'000);
    pools[9].release(other);
    EXPECT_EQ(pools[9].kept(), 1'024U);
    pools[0].release(chunk);
    EXPECT_LE(all.kept, all.most);
  }
  EXPECT_EQ(all.kept, 0U);
}

TEST(ChunkStore, KeepsWhatIsPutAnywhereInAnyOrder) {
  Seeded random{7};
  ChunkPool pool;
  constexpr std::size_t kSize = 400'000;
  const std::vector<u8> all = pattern(kId, 0, kSize);
  std::vector<bool> put(kSize);
  ChunkStore store{pool};
  for (int i = 0; i < 2000; ++i) {
    const std::size_t offset = random.below(kSize);
    const std::size_t size = std::min<std::size_t>(random.below(3000), kSize - offset);
    store.copy_in(offset, Bytes(all).subspan(offset, size));
    std::fill_n(put.begin() + static_cast<std::ptrdiff_t>(offset), size, true);
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    if (!put[i]) continue;
    u8 byte = 0;
    store.copy_out(i, {&byte, 1});
    ASSERT_EQ(byte, all[i]) << i;
  }
}

// A stream that lives long and holds a byte holds a small chunk, wherever its offset is.
TEST(ChunkStore, HoldsLittleForLittle) {
  ChunkPool pool;
  std::vector<Chunk> busy;  // The pool has nothing to spare.
  for (int i = 0; i < 40; ++i) busy.push_back(pool.acquire(ChunkPool::kLargest));
  const std::size_t before = pool.in_use();
  ChunkStore store{pool};
  const std::array<u8, 1> byte{9};
  for (std::uint64_t offset = 1; offset < 1'000'000; offset += 997) {
    store.release_until(offset);
    store.clear();
    store.copy_in(offset, byte);
    ASSERT_EQ(pool.in_use() - before, 1024U) << offset;
    ASSERT_EQ(store.view(offset, offset + 1)[0], 9);
  }
  for (Chunk& chunk : busy) pool.release(chunk);
}

TEST(SendBuffer, SendsLostRangesFirstButNotWhatWasAcknowledged) {
  ChunkPool pool;
  SendBuffer buffer{pool};
  buffer.append(pattern(kId, 0, 5000));
  for (std::uint64_t at = 0; at < 5000; at += 1000) buffer.on_sent(at, 1000);
  buffer.on_acked(1000, 1000);
  buffer.on_lost(0, 3000);
  EXPECT_EQ(buffer.lost(), (IntervalSet::Range{0, 1000}));
  buffer.on_sent(0, 1000);
  EXPECT_EQ(buffer.lost(), (IntervalSet::Range{2000, 3000}));
  buffer.on_acked(2000, 1000);  // [rfc9000-13.3-6]: the loss was none.
  EXPECT_FALSE(buffer.has_lost());
  buffer.on_lost(2000, 1000);  // Told late: without effect.
  EXPECT_FALSE(buffer.has_lost());
  EXPECT_EQ(buffer.front(), 0U);
  buffer.on_acked(0, 1000);
  EXPECT_EQ(buffer.front(), 3000U);
  buffer.on_acked(0, 5000);
  EXPECT_TRUE(buffer.all_acked());
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(SendBuffer, HoldsOnlyWhatIsNotAcknowledged) {
  ChunkPool pool;
  SendBuffer buffer{pool};
  constexpr std::uint64_t kInFlight = 100'000;
  for (std::uint64_t at = 0; at < 10'000'000; at += 1000) {
    buffer.append(pattern(kId, at, 1000));
    buffer.on_sent(at, 1000);
    if (at >= kInFlight) buffer.on_acked(at - kInFlight, 1000);
    ASSERT_LE(pool.in_use(), kInFlight + 2 * ChunkStore::kSlot);
  }
}

// Random fates against a plain model: a letter a byte, unsent, flying, lost or acknowledged.
TEST(SendBuffer, AgreesWithAModel) {
  Seeded random{3};
  ChunkPool pool;
  SendBuffer buffer{pool};
  std::string model;
  for (int step = 0; step < 20'000; ++step) {
    if (random.chance(30) && model.size() < 300'000) {
      const std::size_t size = random.below(2000);
      buffer.append(pattern(kId, model.size(), size));
      model.append(size, 'u');
    }
    const bool again = buffer.has_lost();
    const std::uint64_t from = again ? buffer.lost().begin : buffer.next();
    const std::uint64_t end = again ? buffer.lost().end : buffer.end();
    const std::size_t size = std::min<std::size_t>(random.below(1500), end - from);
    std::vector<u8> bytes(size);
    buffer.copy_out(from, bytes);
    ASSERT_EQ(bytes, pattern(kId, from, size));
    ASSERT_GE(model.find_first_not_of(again ? 'l' : 'u', from), from + size);
    model.replace(from, size, size, 'f');
    buffer.on_sent(from, size);
    if (buffer.next() == 0) continue;
    const bool first = random.chance(30) && buffer.front() < buffer.next();
    const std::uint64_t at = first ? buffer.front() : random.below(buffer.next());
    const std::uint64_t length = std::min(random.below(1500), buffer.next() - at);
    const bool acked = random.chance(60);
    for (std::uint64_t i = at; i < at + length; ++i) {
      if (model[i] != 'a') model[i] = acked ? 'a' : 'l';
    }
    acked ? buffer.on_acked(at, length) : buffer.on_lost(at, length);
    const auto lost = model.find('l');
    ASSERT_EQ(buffer.has_lost(), lost != std::string::npos);
    if (buffer.has_lost()) {
      ASSERT_EQ(buffer.lost().begin, lost);
    }
  }
}

TEST(RecvBuffer, PutsAnyOrderInOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Seeded random{seed};
    ChunkPool pool;
    RecvBuffer buffer{pool};
    constexpr std::uint64_t kSize = 200'000;
    std::uint64_t read = 0;
    while (read < kSize) {
      const std::uint64_t offset =
          random.chance(50) ? buffer.contiguous() : random.below(std::min(kSize, read + 50'000));
      const std::size_t size = std::min<std::uint64_t>(random.below(3000), kSize - offset);
      ASSERT_TRUE(buffer.receive(offset, pattern(kId, offset, size)));
      if (random.chance(50)) continue;
      const Bytes view = buffer.peek();
      ASSERT_TRUE(equal(view, pattern(kId, read, view.size())));
      const std::size_t taken = random.chance(50) ? view.size() : view.size() / 3;
      buffer.consume(taken);
      read += taken;
      ASSERT_EQ(buffer.front(), read);
    }
    EXPECT_EQ(pool.in_use(), 0U);
  }
}

TEST(RecvBuffer, RefusesTooManyGaps) {
  ChunkPool pool;
  RecvBuffer buffer{pool};
  const std::array<u8, 1> byte{1};
  for (std::uint64_t i = 0; i < RecvBuffer::kMaxGaps; ++i) {
    ASSERT_TRUE(buffer.receive(2 * i + 1, byte)) << i;
  }
  EXPECT_FALSE(buffer.receive(2 * RecvBuffer::kMaxGaps + 1, byte));
  EXPECT_TRUE(buffer.receive(2, byte)) << "what fills a gap is welcome";
}

TEST(StreamIndex, AgreesWithAMap) {
  Seeded random{11};
  StreamIndex<int> index;
  std::map<std::uint64_t, int*> model;
  int value = 0;
  for (int i = 0; i < 50'000; ++i) {
    const StreamId id{random.below(600) * (random.chance(50) ? 4 : 1)};
    if (random.chance(50)) {
      if (model.emplace(id.value, &value).second) index.insert(id, model[id.value]);
    } else {
      index.erase(id);
      model.erase(id.value);
    }
    const auto it = model.find(id.value);
    ASSERT_EQ(index.find(id), it == model.end() ? nullptr : it->second);
    ASSERT_EQ(index.size(), model.size());
  }
  for (std::uint64_t id = 0; id < 2400; ++id) {
    const auto it = model.find(id);
    ASSERT_EQ(index.find({id}), it == model.end() ? nullptr : it->second);
  }
}

struct Item {
  int name;
  QueueLink<Item> link;
};

TEST(LinkedQueue, KeepsOrderAndAnyElementMayLeave) {
  std::array<Item, 4> items{{{0, {}}, {1, {}}, {2, {}}, {3, {}}}};
  LinkedQueue<Item, &Item::link> queue;
  for (Item& item : items) queue.push_back(item);
  queue.push_back(items[0]);  // In already.
  queue.remove(items[1]);
  queue.remove(items[1]);
  queue.rotate();
  std::vector<int> order;
  while (!queue.empty()) {
    order.push_back(queue.front().name);
    queue.remove(queue.front());
  }
  EXPECT_EQ(order, (std::vector<int>{2, 3, 0}));
}

}  // namespace
}  // namespace qpeer::transport::test
