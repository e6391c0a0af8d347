// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Unreliable datagrams between two peers: what arrives, what is lost, what is refused. RFC 9221.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;
using transport::DatagramError;

PeerConfig with_datagrams(std::uint64_t max_frame_size = 65'535) {
  PeerConfig config;
  config.connection.max_datagram_frame_size = max_frame_size;
  config.endpoint.connection.max_datagram_frame_size = max_frame_size;
  // So that the largest stays the largest.
  config.connection.mtu_discovery.enabled = false;
  config.endpoint.connection.mtu_discovery.enabled = false;
  return config;
}

std::vector<u8> numbered(std::uint32_t number, std::size_t size) {
  std::vector<u8> out(size, static_cast<u8>(number));
  Writer(out).u32(number);
  return out;
}

/// Sends numbered datagrams, `gap` apart, from number `first` on.
void send_many(PeerNetwork& network, Session& from, std::uint32_t first, std::uint32_t count,
               std::size_t size, Duration gap) {
  for (std::uint32_t i = 0; i < count; ++i) {
    network.after(gap * i, [&from, number = first + i, size] {
      if (from.closed()) return;
      EXPECT_TRUE(from.sends_datagram(numbered(number, size)).has_value());
    });
  }
}

/// Notes the numbers of the datagrams that a session gets.
void collect(Session& at, std::vector<std::uint32_t>& numbers) {
  at.on_datagram = [&numbers](Bytes data) {
    const std::uint32_t number = Reader(data).u32();
    EXPECT_TRUE(std::ranges::all_of(data.subspan(4),
                                    [&](u8 byte) { return byte == static_cast<u8>(number); }));
    numbers.push_back(number);
  };
}

SIMULATE(Datagrams, ArriveOnceAndInOrderBothWays) {
  auto [client, server] = network.pair(Link{}, with_datagrams(), with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  std::vector<std::uint32_t> at_server;
  std::vector<std::uint32_t> at_client;
  collect(server.session(), at_server);
  collect(client.session(), at_client);
  send_many(network, client.session(), 0, 500, 100, 1ms);
  send_many(network, server.session(), 1'000, 500, 100, 1ms);
  run_for(2s);
  ASSERT_EQ(at_server.size(), 500U);
  ASSERT_EQ(at_client.size(), 500U);
  for (std::uint32_t i = 0; i < 500; ++i) {
    EXPECT_EQ(at_server[i], i);
    EXPECT_EQ(at_client[i], 1'000 + i);
  }
  const auto stats = client.session().stats().datagrams;
  EXPECT_EQ(stats.sent, 500U);
  EXPECT_EQ(stats.acknowledged, 500U);
  EXPECT_EQ(stats.received, 500U);
  EXPECT_EQ(stats.unread, 0U);
}

SIMULATE(Datagrams, LostOnesAreNotSentAgainAndCopiesNotGivenTwice) {
  auto [client, server] =
      network.pair(Link{.delay = 20ms, .loss = 0.2, .reorder = 0.1, .duplicate = 0.2},
                   with_datagrams(), with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 20s));
  std::vector<std::uint32_t> numbers;
  collect(server.session(), numbers);
  send_many(network, client.session(), 0, 1'000, 50, 5ms);
  run_for(20s);
  const std::set<std::uint32_t> different(numbers.begin(), numbers.end());
  EXPECT_EQ(different.size(), numbers.size());
  EXPECT_GT(numbers.size(), 600U);
  EXPECT_LT(numbers.size(), 990U);
  const auto stats = client.session().stats().datagrams;
  EXPECT_EQ(stats.sent, 1'000U) << "each once";
  EXPECT_LE(stats.acknowledged, numbers.size()) << "some ACKs come too late";
  EXPECT_GT(stats.acknowledged, 600U);
}

SIMULATE(Datagrams, TheLargestFitsEvenWhileAcksAndStreamsWantRoom) {
  PeerConfig one_packet = with_datagrams();
  one_packet.max_segments = 1;
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 5_mbit}, one_packet, with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(50_MiB);
  server.sends(50_MiB);
  run_for(2s);
  Session& session = client.session();
  const auto largest = session.connection().max_datagram_payload();
  ASSERT_TRUE(largest.has_value());
  EXPECT_GE(*largest, 1'150U);
  EXPECT_EQ(session.sends_datagram(numbered(0, *largest + 1)).error(), DatagramError::too_large);
  std::vector<std::uint32_t> numbers;
  collect(server.session(), numbers);
  send_many(network, session, 0, 50, *largest, 20ms);
  run_for(4s);
  EXPECT_GT(numbers.size(), 40U);
  EXPECT_GT(session.stats().datagrams.acknowledged, 40U);
}

/// Lets one packet out at a time.
class OnePacket final : public transport::CongestionController {
 public:
  void on_packet_sent(Instant, std::uint64_t, std::uint64_t) override {}
  void on_ack(const transport::AckSample&) override {}
  void on_loss(const transport::LossSample&) override {}
  void on_ecn_ce(Instant, Instant) override {}
  void on_mtu_changed(std::uint16_t) override {}
  [[nodiscard]] std::uint64_t window() const override { return 1'300; }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return 1 << 30; }
};

// Each packet that may leave has an ACK to carry, for what let it leave.
SIMULATE(Datagrams, TheLargestIsNotHeldUpByAnAckInEveryPacket) {
  PeerConfig config = with_datagrams();
  config.connection.congestion_controller = [](std::uint16_t) {
    return std::make_unique<OnePacket>();
  };
  // One packet a round trip could not tell of a window that grows.
  config.connection.streams.initial_receive_window = config.connection.streams.receive_window;
  // What the server sends fills the queue, so its length makes the round trip.
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 5_mbit, .queue = 64 << 10},
                                       config, with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(50_MiB);
  server.sends(50_MiB);
  run_for(2s);
  const std::uint64_t before = server.received_bytes();
  const std::vector<u8> data(client.connection().max_datagram_payload().value_or(0));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.session().sends_datagram(data).has_value());
  EXPECT_TRUE(run_until([&, &to = server] { return to.session().datagrams == 20; }, 10s));
  EXPECT_GT(server.received_bytes(), before + 10'000) << "and streams went on";
}

// [rfc9221-5-1]
SIMULATE(Datagrams, StreamsAndDatagramsShareTheLink) {
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 8_mbit}, with_datagrams(), with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(100_MiB);
  // As many datagrams as the connection takes, always.
  std::uint64_t datagram_bytes = 0;
  server.session().on_datagram = [&](Bytes data) { datagram_bytes += data.size(); };
  const std::vector<u8> data(1'000);
  const std::function<void()> fill = [&] {
    while (client.session().sends_datagram(data)) {
    }
    network.after(1ms, [&] { fill(); });
  };
  fill();
  run_for(2s);
  const std::uint64_t stream_before = server.received_bytes();
  const std::uint64_t datagrams_before = datagram_bytes;
  run_for(10s);
  const auto streams = static_cast<double>(server.received_bytes() - stream_before);
  const auto datagrams = static_cast<double>(datagram_bytes - datagrams_before);
  EXPECT_GT(streams + datagrams, 8e6);
  EXPECT_GT(streams / (streams + datagrams), 0.4);
  EXPECT_GT(datagrams / (streams + datagrams), 0.4);
}

// [rfc9221-5.4-1]: what the window does not let out waits, and when the queue is full, says so.
// [rfc9000-19.21-3]
SIMULATE(Datagrams, AreCongestionControlled) {
  auto [client, server] =
      network.pair(Link{.delay = 50ms, .rate = 1_mbit}, with_datagrams(), with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  std::uint32_t taken = 0;
  while (client.session().sends_datagram(numbered(taken, 1'000))) ++taken;
  EXPECT_EQ(taken, (256U << 10) / 1'016);
  EXPECT_EQ(client.session().sends_datagram(numbered(0, 1'000)).error(), DatagramError::queue_full);
  run_for(50ms);
  EXPECT_LT(client.session().stats().datagrams.sent, 16U) << "about the initial window";
  ASSERT_TRUE(run_until([&, &to = server] { return to.session().datagrams == taken; }, 20s));
  EXPECT_TRUE(client.session().sends_datagram(numbered(0, 1'000)).has_value());
}

// [rfc9221-5-2]
SIMULATE(Datagrams, OfWhichNobodyReadsTheNewestAreKept) {
  PeerConfig config = with_datagrams();
  config.endpoint.connection.datagrams.receive_queue = 100 * 116;
  auto [client, server] = network.pair(Link{}, with_datagrams(), config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  std::vector<std::uint32_t> numbers;
  collect(server.session(), numbers);
  server.reads = false;
  send_many(network, client.session(), 0, 300, 100, 1ms);
  run_for(2s);
  EXPECT_EQ(server.session().datagram_events, 1U) << "an edge, not one for each";
  server.session().reads_datagrams();
  ASSERT_EQ(numbers.size(), 100U);
  EXPECT_EQ(numbers.front(), 200U);
  EXPECT_EQ(numbers.back(), 299U);
  EXPECT_EQ(server.session().stats().datagrams.unread, 200U);
  ASSERT_TRUE(client.session().sends_datagram(numbered(300, 100)).has_value());
  run_for(1s);
  EXPECT_EQ(server.session().datagram_events, 2U);
}

// [rfc9221-3-1] [rfc9221-3-6]
SIMULATE(Datagrams, GoOneWayWhereOnlyOneSideTakesThem) {
  auto [client, server] = network.pair(Link{}, {}, with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  EXPECT_EQ(server.session().sends_datagram({}).error(), DatagramError::disabled);
  EXPECT_EQ(server.connection().max_datagram_payload(), std::nullopt);
  ASSERT_TRUE(client.session().sends_datagram(numbered(1, 10)).has_value());
  EXPECT_TRUE(run_until([&, &to = server] { return to.session().datagrams == 1; }, 1s));
  EXPECT_FALSE(client.closed()());
}

// [rfc9221-3-2]
SIMULATE(Datagrams, KeepToTheSizeThatThePeerAnnounced) {
  auto [client, server] = network.pair(Link{}, {}, with_datagrams(100));
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  EXPECT_EQ(client.connection().max_datagram_payload(), 97U);
  EXPECT_EQ(client.session().sends_datagram(numbered(1, 98)).error(), DatagramError::too_large);
  ASSERT_TRUE(client.session().sends_datagram(numbered(1, 97)).has_value());
  EXPECT_TRUE(run_until([&, &to = server] { return to.session().datagrams == 1; }, 1s));
  EXPECT_FALSE(server.closed()());
}

SIMULATE(Datagrams, ASessionThatIsNotOpenTakesNone) {
  auto [client, server] = network.pair(Link{}, with_datagrams(), with_datagrams());
  ASSERT_TRUE(run_until([&, &c = client] { return c.has_session(); }, 1s));
  EXPECT_EQ(client.session().sends_datagram({}).error(), DatagramError::closed);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.reads = false;
  ASSERT_TRUE(client.session().sends_datagram(numbered(1, 10)).has_value());
  run_for(100ms);
  client.connection().close(network.now(), 0, "");
  EXPECT_EQ(client.session().sends_datagram({}).error(), DatagramError::closed);
}

SIMULATE(Datagrams, AreSmallAndManyInAPacket) {
  auto [client, server] = network.pair(Link{}, with_datagrams(), with_datagrams());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const std::uint64_t before = network.pipe(client, server).stats.entered;
  for (std::uint32_t i = 0; i < 320; ++i) {
    ASSERT_TRUE(client.session().sends_datagram(numbered(i, 8)).has_value());
  }
  ASSERT_TRUE(run_until([&, &to = server] { return to.session().datagrams == 320; }, 5s));
  EXPECT_LE(network.pipe(client, server).stats.entered - before, 12U);
}

// --- violations --------------------------------------------------------------------------------

/// What the client would send with other frames in it: for keys that take any tag.
std::vector<u8> one_rtt_like(Bytes sample, u8 number, Bytes frames) {
  std::vector<u8> storage(1 + 8 + 4 + frames.size() + 16);
  Writer out{storage};
  out.byte(0x43);
  out.bytes(sample.subspan(1, 8));
  out.u32(number);
  out.bytes(frames);
  out.zeros(16);
  return storage;
}

/// Confirms a connection to a server of `config` and gives it a packet of `frames`.
void receive(PeerNetwork& network, NullKeys& keys, PeerConfig config, Bytes frames,
             Peer** server_out) {
  config.keys = &keys;
  auto [client, server] = network.pair(Link{}, config, config);
  *server_out = &server;
  std::vector<u8> sample;
  network.pipe(client, server).filter = [&sample](Passing& datagram) {
    if ((datagram.payload[0] & 0x80) == 0) {
      sample.assign(datagram.payload.begin(), datagram.payload.end());
    }
    return Verdict{};
  };
  client.sends(1'000);
  ASSERT_TRUE(network.run_until(client.acknowledged(), 5s));
  network.run_for(1s);
  network.pipe(client, server).filter = {};
  ASSERT_FALSE(sample.empty());
  network.inject(client.address(), server.address(), one_rtt_like(sample, 200, frames));
  network.run_for(1ms);
}

void expect_violation(const Peer& server, std::uint64_t frame_type) {
  ASSERT_TRUE(server.session().closed());
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::local_transport);
  EXPECT_EQ(server.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::protocol_violation));
  EXPECT_EQ(server.session().close->frame_type, frame_type);
}

// [rfc9221-3-3]
SIMULATE(Datagrams, ThatWereNotNegotiatedAreAViolation) {
  NullKeys keys({.accept_any_tag = true});
  Peer* server = nullptr;
  receive(network, keys, {}, std::vector<u8>{0x31, 0x00}, &server);
  expect_violation(*server, 0x31);
}

// [rfc9221-3-4]: to the byte, header included.
SIMULATE(Datagrams, LargerThanAnnouncedAreAViolation) {
  for (const std::size_t payload : {8U, 9U}) {
    NullKeys keys({.accept_any_tag = true});
    Peer* server = nullptr;
    std::vector<u8> frames{0x31, static_cast<u8>(payload)};
    frames.resize(2 + payload);
    receive(network, keys, with_datagrams(10), frames, &server);
    if (payload == 8) {
      EXPECT_FALSE(server->session().closed());
      EXPECT_EQ(server->session().datagrams, 1U);
    } else {
      expect_violation(*server, 0x31);
    }
  }
}

}  // namespace
}  // namespace qpeer::sim
