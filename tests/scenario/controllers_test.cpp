// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What NewReno and CUBIC make of a link: utilisation, marks at random, shares of two flows.
//
// QPEER_FULL=1 runs each transfer for its whole minute, else for a part of it; QPEER_RUNS=30 makes thirty
// runs of each.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CongestionAlgorithm;

/// More than any of these links carries in a minute.
constexpr std::uint64_t kEndless = std::uint64_t{1} << 34;
constexpr Duration kWarmUp = 5s;

/// The end of a transfer: the whole minute when it is asked for.
Duration end_of(Duration shortened) {
  return std::getenv("QPEER_FULL") != nullptr ? Duration(60s)
                                              : shortened;  // NOLINT(concurrency-mt-unsafe)
}

PeerConfig with(CongestionAlgorithm algorithm) {
  PeerConfig config;
  config.connection.congestion_algorithm = algorithm;
  config.connection.max_datagram_size = 1452;
  // The windows of flow control are never what limits.
  for (transport::StreamConfig* streams :
       {&config.connection.streams, &config.endpoint.connection.streams}) {
    streams->receive_window = 16 << 20;
    streams->stream_receive_window = 16 << 20;
    streams->send_buffer = 16 << 20;
  }
  return config;
}

/// A bottleneck of this rate with 20 ms in each direction, and a queue of a bandwidth-delay product.
Link bottleneck(Rate rate) { return {.delay = 20ms, .rate = rate, .queue = rate.bytes_in(40ms)}; }

double share_of(Rate rate, std::uint64_t bytes, Duration time) {
  return static_cast<double>(bytes) / static_cast<double>(rate.bytes_in(time));
}

/// How much of the link the first flow of a client uses from the fifth second on.
double utilisation(PeerNetwork& network, CongestionAlgorithm algorithm, const Link& link,
                   Duration end) {
  auto [client, server] = network.pair(link, with(algorithm), with(algorithm));
  client.sends(kEndless);
  network.run_for(kWarmUp);
  const std::uint64_t before = server.session().received;
  network.run_for(end - kWarmUp);
  return share_of(link.rate, server.session().received - before, end - kWarmUp);
}

/// Jain's index of what two flows of this controller got of a bottleneck.
double fairness(PeerNetwork& network, CongestionAlgorithm algorithm, Rate rate, Duration end) {
  auto [client, server] = network.pair(bottleneck(rate), with(algorithm), with(algorithm));
  client.connect(server);
  network.run_until([&] { return client.session(1).connected(); }, 5s);
  client.session(0).sends(kEndless);
  client.session(1).sends(kEndless);
  network.run_for(end);
  const double first = static_cast<double>(server.session(0).received);
  const double second = static_cast<double>(server.session(1).received);
  EXPECT_GT(share_of(rate, server.session(0).received + server.session(1).received, end), 0.85);
  return (first + second) * (first + second) / (2 * (first * first + second * second));
}

SIMULATE(Controllers, CubicFillsALink) {
  EXPECT_GE(utilisation(network, CongestionAlgorithm::cubic, bottleneck(100_mbit), end_of(15s)),
            0.90);
}

SIMULATE(Controllers, NewRenoFillsALink) {
  EXPECT_GE(utilisation(network, CongestionAlgorithm::new_reno, bottleneck(100_mbit), end_of(15s)),
            0.90);
}

// RFC 8511: a mark costs less than a loss.
SIMULATE(Controllers, CubicHoldsItsRateThroughMarksAtRandom) {
  Link link = bottleneck(20_mbit);
  link.ce = 0.001;
  EXPECT_GE(utilisation(network, CongestionAlgorithm::cubic, link, end_of(30s)), 0.62);
}

SIMULATE(Controllers, TwoFlowsOfCubicShareEqually) {
  EXPECT_GE(fairness(network, CongestionAlgorithm::cubic, 50_mbit, end_of(30s)), 0.95);
}

SIMULATE(Controllers, TwoFlowsOfNewRenoShareEqually) {
  EXPECT_GE(fairness(network, CongestionAlgorithm::new_reno, 50_mbit, end_of(30s)), 0.95);
}

}  // namespace
}  // namespace qpeer::sim
