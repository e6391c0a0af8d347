// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server never sends more than three times what it got to an address that is not proved, and yet
// no handshake gets stuck. RFC 9000 §8.1; RFC 9002 §6.2.2.1.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

/// Watches the link: what the server got from, and sent to, an address until that was proved by a
/// Handshake packet from there.
class AmplificationMeter {
 public:
  AmplificationMeter(PeerNetwork& network, SocketAddress server, SocketAddress client) {
    network.on_delivery([this, server, client](const Passing& datagram) {
      if (datagram.to != server || datagram.from != client) return;
      received_ += datagram.payload.size();
      proved_ = proved_ || has_packet(datagram.payload, 'H');
    });
    network.on_send([this, server, client](const Passing& datagram) {
      if (datagram.from != server || datagram.to != client || proved_) return;
      sent_ += datagram.payload.size();
      EXPECT_LE(sent_, 3 * received_) << "after " << datagram.payload.size() << " bytes more";
      worst_ = std::max(worst_, static_cast<double>(sent_) / static_cast<double>(received_));
    });
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] double worst() const { return worst_; }

 private:
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  double worst_ = 0;
  bool proved_ = false;
};

PeerConfig config_with(std::size_t client_hello, std::size_t server_flight) {
  PeerConfig config;
  config.tls.client_hello_size = client_hello;
  config.tls.server_flight_size = server_flight;
  config.connection.handshake_timeout = 60s;
  config.endpoint.connection.handshake_timeout = 60s;
  config.endpoint.retry = transport::RetryPolicy::never;
  return config;
}

SIMULATE(Amplification, LargeServerFlightWaitsForTheClient) {
  const PeerConfig config = config_with(300, 10'000);
  auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
  const AmplificationMeter meter(network, server.address(), client.address());
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  EXPECT_GT(meter.worst(), 2.5);  // The limit was felt, and used.
}

// [rfc9000-8-1] [rfc9000-8.1-2] [rfc9000-8.1-3] [rfc9000-14.1-6]
SIMULATE(Amplification, HoldsForASilentClient) {
  // The client's address is forged: nobody answers there, whatever the server tries.
  const PeerConfig config = config_with(1'550, 10'000);
  auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
  const AmplificationMeter meter(network, server.address(), client.address());
  network.pipe(server, client).link.blocked = true;
  network.pipe(client, server).filter =
      drop_if([](const Passing& datagram) { return datagram.ordinal >= 2; });
  run_for(70s);
  EXPECT_GT(meter.sent(), 2'000U);
  EXPECT_LE(meter.sent(), 3 * 2'400U);
}

// [rfc9000-8.1-2] [rfc9000-8.1-3]
SIMULATE(Amplification, HoldsForAFirstInitialAlone) {
  // Half a ClientHello gives an ACK at most, however often the timers run.
  const PeerConfig config = config_with(1'550, 1'000);
  auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
  const AmplificationMeter meter(network, server.address(), client.address());
  network.pipe(client, server).filter =
      drop_if([](const Passing& datagram) { return datagram.ordinal >= 1; });
  run_for(70s);
  EXPECT_LE(meter.sent(), 3 * 1'200U);
}

TEST(Amplification, HoldsAndNothingGetsStuckUnderLoss) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    PeerNetwork network(seed);
    const PeerConfig config = config_with(seed % 2 == 0 ? 300 : 1'550, 3'000 + 100 * (seed % 70));
    auto [client, server] = network.pair(
        Link{.delay = 20ms, .loss = 0.2, .reorder = 0.1, .duplicate = 0.1}, config, config);
    const AmplificationMeter meter(network, server.address(), client.address());
    EXPECT_TRUE(network.run_until(client.confirmed(), 60s)) << "QPEER_SEED=" << seed;
    if (testing::Test::HasFailure()) return;
  }
}

// [rfc9000-8.1-5]: the client sends when its timer runs out, though nothing of its own is lost.
TEST(Amplification, NoDeadlockWhenAnyDatagramOfALargeFlightIsLost) {
  for (std::uint64_t n = 0; n < 12; ++n) {
    SCOPED_TRACE("the server's datagram " + std::to_string(n));
    PeerNetwork network(n);
    const PeerConfig config = config_with(300, 9'000);
    auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
    const AmplificationMeter meter(network, server.address(), client.address());
    network.pipe(server, client).filter = drop_ordinals({n, n + 1, n + 2});
    EXPECT_TRUE(network.run_until(client.confirmed(), 20s));
  }
}

SIMULATE(Amplification, RetryLiftsTheLimit) {
  PeerConfig config = config_with(300, 10'000);
  config.endpoint.retry = transport::RetryPolicy::always;
  auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(client.connected(), 10s));
  // One round trip for the Retry, one for the handshake: 10,000 bytes fit into one flight.
  EXPECT_EQ(network.now(), start + 80ms);
}

SIMULATE(Amplification, StatelessAnswersAreSmallerThanTheirQuestions) {
  PeerConfig config;
  config.endpoint.retry = transport::RetryPolicy::always;
  Peer& server = network.add_peer(config);
  std::size_t question = 0;
  std::uint64_t answers = 0;
  network.on_send([&](const Passing& datagram) {
    EXPECT_LT(datagram.payload.size(), question);
    ++answers;
  });
  for (question = 20; question <= 1'452; ++question) {
    std::vector<u8> payload(question);
    network.random().fill_public(payload);
    payload[0] = static_cast<u8>((payload[0] & 0x3f) | 0x40);  // A 1-RTT packet for nobody.
    network.inject(network.new_address(), server.address(), payload);
    run_for(10ms);
    payload[0] |= 0x80;  // A version that nobody speaks.
    network.inject(network.new_address(), server.address(), payload);
    run_for(10ms);
  }
  EXPECT_GT(answers, 1'000U);
}

}  // namespace
}  // namespace qpeer::sim
