// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Random transfers between two stream sets over a wire that loses, doubles and reorders.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

/// One end with an application that writes, reads, checks and counts. It answers each
/// bidirectional stream of the peer's with a few bytes.
class Peer {
 public:
  Peer(Side side, const StreamConfig& config, Seeded& random)
      : set(side, config), random_(random) {}

  /// Opens a stream and will send `size` bytes on it. False when the limit forbids.
  bool open(bool bidirectional, std::uint64_t size) {
    const auto id = set.open(bidirectional);
    if (!id) return false;
    start(*id, size);
    if (bidirectional) reading_[*id] = 0;
    return true;
  }
  void work() {
    while (const auto event = set.poll_event()) {
      if (event->kind == StreamEvent::Kind::finished) ++finished;
      if (event->kind != StreamEvent::Kind::opened) continue;
      EXPECT_EQ(opened_[event->stream_id.value & 3]++, event->stream_id.index());
      reading_[event->stream_id] = 0;
      if (event->stream_id.is_bidirectional()) start(event->stream_id, random_.below(5000));
    }
    write();
    read();
  }
  [[nodiscard]] bool done() const { return writing_.empty() && reading_.empty(); }

  StreamSet set;
  std::uint64_t finished = 0;
  std::uint64_t fins = 0;
  std::uint64_t written = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t started = 0;

 private:
  struct Job {
    std::uint64_t size;
    std::uint64_t written;
  };
  void start(StreamId id, std::uint64_t size) {
    writing_[id] = {size, 0};
    ++started;
  }
  void write() {
    for (auto it = writing_.begin(); it != writing_.end();) {
      auto& [id, job] = *it;
      const auto piece = std::min<std::uint64_t>(job.size - job.written, random_.below(20'000));
      const auto taken = set.write(id, pattern(id, job.written, piece));
      ASSERT_TRUE(taken.has_value());
      job.written += *taken;
      written += *taken;
      if (job.written < job.size) {
        ++it;
        continue;
      }
      ASSERT_TRUE(set.finish(id).has_value());
      it = writing_.erase(it);
    }
  }
  void read() {
    for (auto it = reading_.begin(); it != reading_.end();) {
      auto& [id, offset] = *it;
      const auto view = set.peek(id);
      ASSERT_TRUE(view.has_value()) << to_string(view.error());
      ASSERT_TRUE(equal(view->data, pattern(id, offset, view->data.size()))) << "from " << offset;
      const std::size_t size = random_.chance(70) ? view->data.size() : view->data.size() / 2;
      const bool end = view->fin && size == view->data.size();
      set.consume(id, size);
      offset += size;
      read_bytes += size;
      fins += end ? 1 : 0;
      it = end ? reading_.erase(it) : std::next(it);
    }
  }

  Seeded& random_;
  std::map<StreamId, Job> writing_;
  std::map<StreamId, std::uint64_t> reading_;
  std::array<std::uint64_t, 4> opened_{};
};

/// Packets under way; any of them may arrive next, again, or never.
class Wire {
 public:
  Wire(StreamSet& from, StreamSet& to, Seeded& random) : from_(from), to_(to), random_(random) {}

  void send() {
    if (!from_.has_frames()) return;
    Packet packet = write_packet(from_, 40 + random_.below(1400));
    if (!packet.payload.empty()) flying_.push_back(std::move(packet));
  }
  void arrive() {
    if (flying_.empty() || (flying_.size() < 8 && random_.chance(40) && from_.has_frames())) return;
    const std::size_t at = random_.chance(70) ? 0 : random_.below(flying_.size());
    Packet packet = std::move(flying_[at]);
    flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(at));
    if (random_.chance(10)) {
      tell(packet, from_, Fate::lost);
      if (random_.chance(30)) tell(packet, from_, Fate::lost);
      return;
    }
    for (int times = random_.chance(10) ? 2 : 1; times > 0; --times) {
      const Result result = deliver(packet, to_);
      ASSERT_TRUE(result.has_value()) << result.error().reason;
    }
    if (random_.chance(5)) tell(packet, from_, Fate::lost);  // A loss that was none.
    tell(packet, from_, Fate::acked);
  }
  [[nodiscard]] bool idle() const { return flying_.empty() && !from_.has_frames(); }

 private:
  StreamSet& from_;
  StreamSet& to_;
  Seeded& random_;
  std::vector<Packet> flying_;
};

void run(std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "QPEER_SEED=" << seed);
  Seeded random{seed};
  const StreamConfig config{.receive_window = 2000 + random.below(200'000),
                            .stream_receive_window = 1000 + random.below(100'000),
                            .max_streams_bidi = 1 + random.below(8),
                            .max_streams_uni = 1 + random.below(8),
                            .send_buffer = 1000 + random.below(100'000)};
  Peer a{Side::client, config, random};
  Peer b{Side::server, config, random};
  wire::TransportParameters parameters;
  a.set.fill_parameters(parameters);
  b.set.set_peer_parameters(parameters);
  a.set.set_peer_parameters(parameters);
  Wire there{a.set, b.set, random};
  Wire back{b.set, a.set, random};

  constexpr int kStreams = 30;
  int opened = 0;
  bool quiet = false;
  for (int turn = 0; turn < 200'000 && !quiet; ++turn) {
    if (opened < kStreams) {
      const std::uint64_t size = random.chance(20) ? 0 : random.below(60'000);
      opened += (random.chance(50) ? a : b).open(random.chance(50), size) ? 1 : 0;
    }
    a.work();
    b.work();
    there.send();
    there.arrive();
    back.send();
    back.arrive();
    if (testing::Test::HasFatalFailure()) return;
    quiet = opened == kStreams && there.idle() && back.idle() && a.done() && b.done();
  }
  EXPECT_TRUE(quiet) << "does not come to an end";
  a.work();
  b.work();
  EXPECT_EQ(a.read_bytes, b.written);
  EXPECT_EQ(b.read_bytes, a.written);
  EXPECT_EQ(a.fins, b.started);
  EXPECT_EQ(b.fins, a.started);
  EXPECT_EQ(a.finished, a.started);
  EXPECT_EQ(b.finished, b.started);
  for (StreamSet* set : {&a.set, &b.set}) {
    EXPECT_EQ(set->open_streams(), 0U);
    EXPECT_EQ(set->buffered_bytes(), 0U);
  }
}

// RFC 9000 §2.2 [rfc9000-2.2-1], §4.1 [rfc9000-4.1-1], §13.3 [rfc9000-13.3-5]: every byte, in
// order, within limits that the receiver would not forgive.
TEST(StreamSet, CarriesEverythingOverABadWire) {
  if (const char* seed = std::getenv("QPEER_SEED")) return run(std::strtoull(seed, nullptr, 10));
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    run(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace qpeer::transport::test
