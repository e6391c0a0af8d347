// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A restarted peer comes back with its introduction in the first flight. RFC 9001 §4.6, §9.2.
#include <utility>

#include "qpeer/tests/scenario/p2p/world.hpp"
#include "qpeer/tests/sim/packets.hpp"

namespace qpeer::sim {
namespace {

SimPeerConfig real_tls() {
  SimPeerConfig config;
  config.real_tls = true;
  config.node.target_links = 1;
  return config;
}

/// A client that has been there, and comes again with nothing but its cache.
SimPeer& returning_client(PeerWorld& network, SimPeer& node) {
  SimPeer& client = network.client(real_tls());
  client.bootstraps({node});
  EXPECT_TRUE(network.run_until(client.linked(node), 5s));
  EXPECT_EQ(client.all<p2p::Bootstrapped>().at(0).early_bytes, 0U);
  network.run_for(1s);
  EXPECT_FALSE(client.cache().entries().at(0).ticket.empty());
  client.crashes();
  network.run_for(40s);
  client.restarts();
  client.events.clear();
  client.bootstraps({});
  return client;
}

SIMULATE_PEERS(Early, ARestartedPeerIntroducesItselfInTheFirstFlight) {
  SimPeer& node = network.node(real_tls());
  SimPeer& client = returning_client(network, node);
  // [rfc9001-4.5-1]: the ticket is used up, and the other one of its connection takes its place.
  EXPECT_FALSE(client.cache().entries().at(0).ticket.empty());
  EXPECT_TRUE(client.cache().entries().at(0).spare_ticket.empty());
  ASSERT_TRUE(run_until([&] { return !client.all<p2p::Bootstrapped>().empty(); }, 5s));
  EXPECT_GT(client.all<p2p::Bootstrapped>().at(0).early_bytes, 20U);
  EXPECT_TRUE(node.is_linked_to(client));
  run_for(1s);
  EXPECT_FALSE(client.cache().entries().at(0).spare_ticket.empty()) << "a new one came";
  client.requests(node, "how are you");
  EXPECT_TRUE(run_until([&] { return client.responses.size() == 1; }, 5s));
}

// [rfc9001-4.5-1]: nobody answered, but a ticket that was shown is not shown again: there is another.
SIMULATE_PEERS(Early, ADialThatFailedCostsTheNextOneNothing) {
  SimPeer& node = network.node(real_tls());
  SimPeer& client = network.client(real_tls());
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  run_for(1s);
  client.crashes();
  run_for(40s);
  client.restarts();
  client.events.clear();
  network.cuts(client.host(), node.host());
  client.bootstraps({});
  ASSERT_TRUE(run_until([&] { return client.bootstrap_failures.size() == 1; }, 60s));
  network.mends(client.host(), node.host());
  client.bootstraps({});
  ASSERT_TRUE(run_until([&] { return !client.all<p2p::Bootstrapped>().empty(); }, 5s));
  EXPECT_GT(client.all<p2p::Bootstrapped>().at(0).early_bytes, 20U);
}

// [rfc9000-8.1.3-13], [rfc9000-8.1.3-14]: its address was proved the last time.
SIMULATE_PEERS(Early, ALoadedNodeAsksAPeerThatComesBackForNoRetry) {
  SimPeerConfig loaded = real_tls();
  loaded.node.endpoint.retry = transport::RetryPolicy::always;
  SimPeer& node = network.node(loaded);
  int retries = 0;
  network.on_send([&](const Passing& datagram) {
    retries += packet_kinds(datagram.payload).starts_with('R') ? 1 : 0;
  });
  SimPeer& client = returning_client(network, node);
  EXPECT_GE(std::exchange(retries, 0), 1);
  EXPECT_TRUE(client.cache().entries().at(0).address_token.empty()) << "it is shown once";
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  run_for(1s);
  EXPECT_EQ(retries, 0);
  EXPECT_FALSE(client.cache().entries().at(0).address_token.empty()) << "a new one came";
}

SIMULATE_PEERS(Early, NodesComeBackSoToo) {
  SimPeer& contact = network.node(real_tls());
  SimPeer& node = network.node(real_tls());
  node.bootstraps({contact});
  ASSERT_TRUE(run_until(node.linked(contact), 5s));
  run_for(1s);
  node.crashes();
  run_for(40s);
  node.restarts();
  node.events.clear();
  node.bootstraps({});
  ASSERT_TRUE(run_until(node.linked(contact), 10s));
  EXPECT_GT(node.all<p2p::Bootstrapped>().at(0).early_bytes, 20U);
}

// The node restarted too: its tickets are worth nothing, and nobody notices.
SIMULATE_PEERS(Early, RefusedFallsBackInSilence) {
  SimPeer& node = network.node(real_tls());
  SimPeer& client = network.client(real_tls());
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  run_for(1s);
  client.crashes();
  node.crashes();
  run_for(1s);
  node.restarts();
  client.restarts();
  client.events.clear();
  client.bootstraps({});
  ASSERT_TRUE(run_until([&] { return !client.all<p2p::Bootstrapped>().empty(); }, 5s));
  EXPECT_EQ(client.all<p2p::Bootstrapped>().at(0).early_bytes, 0U);
  EXPECT_TRUE(client.bootstrap_failures.empty());
  EXPECT_TRUE(run_until(node.linked(client), 5s));
}

// [rfc9001-9.2-1]: what came early has no effect before the handshake shows that its sender is there.
SIMULATE_PEERS(Early, AFirstFlightAloneChangesNothing) {
  SimPeer& node = network.node(real_tls());
  SimPeer& client = network.client(real_tls());
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  run_for(1s);
  client.crashes();
  ASSERT_TRUE(run_until([&] { return !node.is_linked(); }, 60s));
  node.events.clear();
  std::uint64_t passed = 0;
  network.pipe(client.host(), node.host()).filter = [&](Passing&) {
    return Verdict{.drop = passed++ >= 2};
  };
  client.restarts();
  client.bootstraps({});
  run_for(4s);
  EXPECT_GT(passed, 2U);
  EXPECT_TRUE(node.all<p2p::LinkUp>().empty());
  EXPECT_TRUE(node.asked.empty());
}

}  // namespace
}  // namespace qpeer::sim
