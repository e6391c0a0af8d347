// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Loss recovery on bad paths: reordering, random loss, outages. RFC 9002 §6.
#include <algorithm>
#include <map>
#include <variant>

#include <gtest/gtest.h>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/base/interval_set.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::sim {
namespace {

/// How many bytes of streams a peer gets, and how many of them it had. Reads what NullKeys left as
/// it was.
class StreamBytes {
 public:
  explicit StreamBytes(SocketAddress to) : to_(to) {}

  void see(const Passing& datagram) {
    constexpr std::size_t kCidSize = 8;
    const Bytes bytes = datagram.payload;
    if (datagram.to != to_ || bytes.size() < 1 + kCidSize + 4 + crypto::kTagSize) return;
    if ((bytes[0] & 0x80) != 0) return;  // What is coalesced with a handshake is not counted.
    const std::size_t header = 1 + kCidSize + (bytes[0] & 3U) + 1;
    Reader in(bytes.subspan(header, bytes.size() - header - crypto::kTagSize));
    while (in.remaining() != 0) {
      const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
      if (!frame) return;
      if (const auto* stream = std::get_if<wire::StreamFrame>(&*frame)) count(*stream);
    }
  }
  [[nodiscard]] double redundant() const { return double(total_ - unique()) / double(total_); }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  [[nodiscard]] std::uint64_t unique() const {
    std::uint64_t bytes = 0;
    for (const auto& [id, ranges] : seen_) {
      for (const IntervalSet::Range& range : ranges) bytes += range.size();
    }
    return bytes;
  }
  void count(const wire::StreamFrame& frame) {
    total_ += frame.data.size();
    EXPECT_TRUE(seen_.try_emplace(frame.stream_id, std::size_t{1} << 20)
                    .first->second.insert(frame.offset, frame.offset + frame.data.size()));
  }

  SocketAddress to_;
  std::map<StreamId, IntervalSet> seen_;
  std::uint64_t total_ = 0;
};

// A tenth of the packets comes up to 10 ms late. What is late is not lost: once that is learned, it
// costs nothing. RFC 9002 §6.1.1, §6.1.2; RFC 8985 §6.2.
SIMULATE(Reordering, CostsNothingOnceLearned) {
  const Link link{.delay = 20ms, .rate = 50_mbit, .queue = 250'000};
  auto [client, server] = network.pair(link);
  SeededRandom random(network.seed() + 1);
  network.pipe(client, server).filter = [&random](Passing&) {
    if (!random.chance(0.1)) return Verdict{};
    return Verdict{.delay = Duration(static_cast<Duration::rep>(random.below(10'000'000)) + 1)};
  };
  client.sends(200_MiB);
  run_for(5s);
  const auto dropped = [&] { return network.pipe(client, server).stats.dropped_queue; };
  const std::uint64_t received = server.received_bytes();
  const std::uint64_t drops = dropped();
  const transport::ConnectionStats before = client.session().stats();
  run_for(8s);
  const transport::ConnectionStats after = client.session().stats();
  const double goodput = double(server.received_bytes() - received) * 8 / 8;
  EXPECT_GT(goodput, 0.8 * 50e6);
  const double spurious =
      double(after.packets_lost - before.packets_lost) - double(dropped() - drops);
  EXPECT_LT(spurious, 0.01 * double(after.packets_sent - before.packets_sent));
}

// On bulk no more than one ACK a quarter of a round trip. draft-ietf-quic-ack-frequency §8.1.
SIMULATE(Acknowledgements, AreFewOnBulk) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit, .queue = 250'000});
  client.sends(100_MiB);
  run_for(3s);
  const std::uint64_t before = network.pipe(server, client).stats.entered;
  const std::uint64_t received = server.received_bytes();
  double rounds = 1;  // One has begun already.
  for (int i = 0; i < 40; ++i) {
    run_for(100ms);
    rounds +=
        100ms / std::chrono::duration<double, std::nano>(client.session().stats().smoothed_rtt);
  }
  const std::uint64_t acks = network.pipe(server, client).stats.entered - before;
  EXPECT_LE(double(acks), 4 * rounds);
  EXPECT_GT(server.received_bytes() - received, 0.9 * 4 * 50e6 / 8);
}

// A range is not sent again while a newer copy of it is on its way. RFC 9002 §6.2.4.
SIMULATE(Probes, SendLittleTwiceAtThirtyPercentLoss) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 50_mbit});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  network.pipe(client, server).link.loss = network.pipe(server, client).link.loss = 0.3;
  StreamBytes bytes(server.address());
  network.on_delivery([&](const Passing& datagram) { bytes.see(datagram); });
  const Instant start = network.now();
  client.sends(300'000);
  ASSERT_TRUE(run_until(server.received(300'000), 60s));
  testing::Test::RecordProperty("milliseconds", std::to_string((network.now() - start) / 1ms));
  testing::Test::RecordProperty("redundant", std::to_string(bytes.redundant()));
  EXPECT_GE(bytes.total(), 290'000U);
  EXPECT_LT(bytes.redundant(), 0.05) << "of " << bytes.total();
}

// 300 kB over a path that loses a tenth: a probe is soon sent, and soon acknowledged.
SIMULATE(Probes, AreSoonAcknowledgedAtTenPercentLoss) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 50_mbit});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  network.pipe(client, server).link.loss = network.pipe(server, client).link.loss = 0.1;
  const Instant start = network.now();
  client.sends(300'000);
  ASSERT_TRUE(run_until(server.received(300'000), 5s));
  testing::Test::RecordProperty("milliseconds", std::to_string((network.now() - start) / 1ms));
}

// After an outage data flows again with the next probe, and the back-off bounds how late that is.
// RFC 9002 §6.2.1 [rfc9002-6.2.1-5].
SIMULATE(Outage, EndsWithTheNextProbe) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(100_MiB);
  run_for(3s);
  network.pipe(client, server).link.blocked = network.pipe(server, client).link.blocked = true;
  run_for(5s);
  network.pipe(client, server).link.blocked = network.pipe(server, client).link.blocked = false;
  const std::uint64_t received = server.received_bytes();
  EXPECT_TRUE(run_until(server.received(received + 100'000), 5s));
}

// Whatever authentic packet arrives is a sign that the network is back.
SIMULATE(Outage, EndsWithAnyPacketThatArrives) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(100_MiB);
  run_for(3s);
  network.pipe(client, server).link.blocked = network.pipe(server, client).link.blocked = true;
  run_for(20s);
  network.pipe(client, server).link.blocked = network.pipe(server, client).link.blocked = false;
  const std::uint64_t received = server.received_bytes();
  server.connection().ping();
  server.wake();
  EXPECT_TRUE(run_until(server.received(received + 100'000), 1s));
}

// Who knows that the network is back need not wait for anything.
SIMULATE(Outage, EndsWithANetworkEvent) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(100_MiB);
  run_for(3s);
  network.pipe(client, server).link.blocked = network.pipe(server, client).link.blocked = true;
  run_for(20s);
  network.pipe(client, server).link.blocked = network.pipe(server, client).link.blocked = false;
  const std::uint64_t received = server.received_bytes();
  client.endpoint().on_network_changed(network.now());
  client.wake();
  EXPECT_TRUE(run_until(server.received(received + 100'000), 1s));
}

}  // namespace
}  // namespace qpeer::sim
