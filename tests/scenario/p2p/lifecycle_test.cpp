// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Links over time: outages, restarts, shutting down; and what travels on them beside messages.
#include "qpeer/tests/scenario/p2p/world.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {
namespace {

using p2p::PeerError;

SIMULATE_PEERS(Lifecycle, AnOutageOfAMinuteEndsWithALink) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  network.cuts(a.host(), b.host());
  ASSERT_TRUE(run_until([&] { return !a.losses.empty() && !b.losses.empty(); }, 45s));
  EXPECT_TRUE(a.losses[0].will_retry);
  a.sends(b, "while there is no link");
  EXPECT_TRUE(a.failed.empty()) << "it waits";
  run_for(15s);
  network.mends(a.host(), b.host());
  EXPECT_TRUE(run_until([&] { return a.is_linked_to(b) && b.is_linked_to(a); }, 30s));
  EXPECT_TRUE(run_until([&] { return a.sent.size() == 1 && b.messages.size() == 1; }, 5s));
}

SIMULATE_PEERS(Lifecycle, AnOutageWithoutEndFailsWhatWaits) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  network.cuts(a.host(), b.host());
  a.sends(b, "on its way when the link went");
  ASSERT_TRUE(run_until([&] { return !a.losses.empty(); }, 45s));
  a.sends(b, "queued after");
  ASSERT_TRUE(run_until([&] { return a.failed.size() == 2; }, 70s));
  EXPECT_EQ(a.failed[0].error, PeerError::link_lost);
  EXPECT_TRUE(b.messages.empty());
  run_for(10min);
  EXPECT_FALSE(a.losses.back().will_retry) << "it gives up in the end";
  EXPECT_EQ(b.node().link(a.id()), std::nullopt);
}

SIMULATE_PEERS(Lifecycle, AnotherLinkIsFoundSoonThoughMostOfTheCacheIsGone) {
  auto& node = network.node();
  std::vector<SimPeer*> linked;
  for (int i = 0; i < 3; ++i) {
    linked.push_back(&network.node());
    linked.back()->bootstraps({node});
  }
  std::vector<SimPeer*> others;
  for (int i = 0; i < 60; ++i) {
    SimPeerConfig one_link;
    one_link.node.target_links = 1;
    one_link.node.exchange_peers = false;
    others.push_back(&network.node(one_link));
    others.back()->bootstraps({node});
    run_for(1s);
    // Known, and not linked.
    node.node().disconnect(network.now(), others.back()->id());
    others.back()->crashes();
  }
  node.bootstraps({});
  run_for(5s);
  ASSERT_GE(node.cache().size(), 60U);
  others.front()->restarts();
  for (SimPeer* peer : linked) peer->crashes();
  EXPECT_TRUE(run_until(node.linked(*others.front()), 60s));
  EXPECT_LE(node.unlinked_for(), 10s);
}

SIMULATE_PEERS(Lifecycle, ARestartBringsTheLinkBack) {
  for (const bool dials : {true, false}) {
    auto& a = network.node();
    auto& b = network.node();
    ASSERT_TRUE(network.links(dials ? b : a, dials ? a : b));
    b.crashes();
    run_for(200ms);
    for (int i = 0; i < 5; ++i) a.sends(b, "to the one before");
    b.restarts();
    if (dials) b.bootstraps({});
    ASSERT_TRUE(
        run_until([&] { return a.is_linked_to(b) && b.is_linked_to(a); }, dials ? 10s : 60s))
        << dials;
    for (int i = 0; i < 5; ++i) a.sends(b, "to the one after");
    ASSERT_TRUE(run_until([&] { return a.sent.size() + a.failed.size() == 10; }, 90s));
    EXPECT_EQ(a.sent.size(), b.messages.size()) << "sent is delivered, the rest has failed";
    EXPECT_GE(a.sent.size(), 5U);
  }
}

// The one that was first stays, as long as it answers.
SIMULATE_PEERS(Lifecycle, OfTwoNodesWithOneKeyOneIsLinked) {
  auto& contact = network.node();
  SimPeerConfig twin;
  twin.identity = "twin";
  auto& first = network.node(twin);
  auto& second = network.node(twin);
  ASSERT_TRUE(network.links(first, contact));
  second.bootstraps({contact});
  run_for(60s);
  EXPECT_EQ(contact.node().stats().links, 1U);
  EXPECT_TRUE(first.losses.empty());
  for (int i = 0; i < 10; ++i) contact.sends(first, "to one of them");
  ASSERT_TRUE(run_until([&] { return contact.sent.size() + contact.failed.size() == 10; }, 90s));
  EXPECT_EQ(first.messages.size() + second.messages.size(), contact.sent.size());
  // Each other they take for themselves.
  first.node().connect(network.now(), {.address = second.address()});
  first.wake();
  ASSERT_TRUE(run_until([&] { return !first.all<p2p::LinkFailed>().empty(); }, 10s));
  EXPECT_EQ(first.all<p2p::LinkFailed>()[0].candidate.why, "that is ourselves");
  // When it is gone the other can have its place.
  first.crashes();
  second.bootstraps({contact});
  EXPECT_TRUE(run_until([&] { return second.is_linked_to(contact) && contact.is_linked(); }, 60s));
}

SIMULATE_PEERS(Lifecycle, ShuttingDownDrainsWhatIsQueued) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 10ms, .rate = 8_mbit});
  ASSERT_TRUE(network.links(a, b));
  for (int i = 0; i < 20; ++i) a.sends(b, std::string(50'000, 'm'));
  a.shuts_down();
  EXPECT_EQ(a.node().send(network.now(), b.id(), {}).error(), PeerError::shut_down);
  EXPECT_TRUE(a.all<p2p::Drained>().empty());
  ASSERT_TRUE(run_until([&] { return a.node().is_idle(); }, 5s));
  EXPECT_EQ(a.all<p2p::Drained>().size(), 1U);
  EXPECT_EQ(b.messages.size(), 20U);
  EXPECT_EQ(a.sent.size(), 20U);
  ASSERT_EQ(b.losses.size(), 1U);
  EXPECT_NE(b.losses[0].why.find("shutting down"), std::string::npos) << b.losses[0].why;
  EXPECT_FALSE(b.losses[0].will_retry);
  EXPECT_EQ(b.node().stats().connections, 0U);
}

SIMULATE_PEERS(Lifecycle, ShuttingDownDoesNotWaitForever) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 10ms, .rate = 800_kbit});
  ASSERT_TRUE(network.links(a, b));
  const auto id = a.sends(b, std::string(5'000'000, 'm'));
  a.shuts_down();
  ASSERT_TRUE(run_until([&] { return !a.failed.empty(); }, 3s));
  // The close has to get through the queue first.
  EXPECT_TRUE(run_until([&] { return a.node().is_idle(); }, 30s));
  ASSERT_EQ(a.failed.size(), 1U) << "what did not arrive has failed";
  EXPECT_EQ(a.failed[0].id, id);
  EXPECT_TRUE(b.messages.empty());
  EXPECT_TRUE(run_until([&] { return b.all<p2p::IncomingInterrupted>().size() == 1; }, 5s));
}

SIMULATE_PEERS(Lifecycle, DisconnectingEndsTheLinkOnBothSides) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  b.node().disconnect(network.now(), a.id());
  b.wake();
  ASSERT_TRUE(run_until([&] { return !a.losses.empty() && !b.losses.empty(); }, 2s));
  EXPECT_FALSE(b.losses[0].will_retry);
  EXPECT_EQ(b.node().stats().connections, 0U);
  a.sends(b, "still there?");
  ASSERT_TRUE(run_until([&] { return a.sent.size() + a.failed.size() == 1; }, 90s));
  EXPECT_EQ(a.sent.size(), b.messages.size());
}

SIMULATE_PEERS(Lifecycle, ADisconnectInTheMiddleFailsWhatIsOnItsWay) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 10ms, .rate = 8_mbit});
  ASSERT_TRUE(network.links(a, b));
  a.sends(b, std::string(5'000'000, 'm'));
  a.sends(b, std::string(5'000'000, 'm'));
  run_for(500ms);
  a.node().disconnect(network.now(), b.id());
  a.wake();
  EXPECT_TRUE(run_until([&] { return a.failed.size() == 2; }, 2s));
  EXPECT_EQ(a.node().send(network.now(), b.id(), {}).error(), PeerError::not_linked);
}

SIMULATE_PEERS(Lifecycle, OwnAddressNeedsTwoNetworks) {
  const auto at = [&] {
    SimPeerConfig out;
    out.address = network.spread_address();
    return out;
  };
  auto& node = network.node(at());
  auto& first = network.node(at());
  auto& second = network.node(at());
  ASSERT_TRUE(network.links(node, first));
  run_for(1s);
  EXPECT_EQ(node.node().own_address(), std::nullopt);
  node.node().connect(network.now(), second.candidate());
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().own_address().has_value(); }, 5s));
  EXPECT_EQ(node.node().own_address(), node.address());
  ASSERT_EQ(node.all<p2p::OwnAddressChanged>().size(), 1U);
  EXPECT_EQ(node.all<p2p::OwnAddressChanged>()[0].address, node.address());
}

// Two peers say that we are where another node is.
SIMULATE_PEERS(Lifecycle, WhatOthersSayOfOurAddressTurnsNobodyAway) {
  const auto at = [](const SocketAddress& address) {
    SimPeerConfig out;
    out.address = address;
    return out;
  };
  const SocketAddress elsewhere = network.spread_address();
  auto& node = network.node(at(network.spread_address()));
  auto& first = network.node(at(network.spread_address()));
  auto& second = network.node(at(network.spread_address()));
  network.rebind(node.host(), node.address(), elsewhere);
  ASSERT_TRUE(network.links(node, first));
  node.node().connect(network.now(), second.candidate());
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().own_address() == elsewhere; }, 5s));
  first.crashes();
  second.crashes();
  network.rebind(node.host(), node.address(), node.address());
  auto& other = network.node(at(elsewhere));
  other.bootstraps({node});
  EXPECT_TRUE(run_until(other.linked(node), 10s));
  EXPECT_EQ(node.node().own_address(), elsewhere) << "it may still be shown";
}

// --- beside messages -----------------------------------------------------------------------------

SIMULATE_PEERS(Lifecycle, PingsAreAnsweredEach) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  run_for(1s);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(a.node().ping(network.now(), b.id()));
  a.wake();
  ASSERT_TRUE(run_until([&] { return a.all<p2p::Pong>().size() == 3; }, 1s));
  EXPECT_GE(a.all<p2p::Pong>()[0].round_trip, 20ms);
  EXPECT_LE(a.all<p2p::Pong>()[0].round_trip, 50ms);
  EXPECT_EQ(a.node().ping(network.now(), PeerId{{9}}).error(), PeerError::not_linked);
}

SIMULATE_PEERS(Lifecycle, DatagramsTravelBothWays) {
  auto& a = network.node();
  auto& b = network.node();
  auto& client = network.client();
  ASSERT_TRUE(network.links(a, b));
  client.bootstraps({b});
  ASSERT_TRUE(run_until(client.linked(b), 5s));
  ASSERT_TRUE(a.node().send_datagram(network.now(), b.id(), as_bytes("from a")));
  ASSERT_TRUE(b.node().send_datagram(network.now(), a.id(), as_bytes("from b")));
  ASSERT_TRUE(client.node().send_datagram(network.now(), b.id(), as_bytes("from the client")));
  ASSERT_TRUE(b.node().send_datagram(network.now(), client.id(), as_bytes("to the client")));
  run_for(1s);
  EXPECT_EQ(as_text(a.node().next_datagram(network.now()).value().data), "from b");
  EXPECT_EQ(as_text(b.node().next_datagram(network.now()).value().data), "from a");
  EXPECT_EQ(as_text(b.node().next_datagram(network.now()).value().data), "from the client");
  EXPECT_EQ(as_text(client.node().next_datagram(network.now()).value().data), "to the client");
  const std::vector<u8> large(5'000);
  EXPECT_EQ(a.node().send_datagram(network.now(), b.id(), large).error(), PeerError::too_large);
}

SIMULATE_PEERS(Lifecycle, RawStreamsAreUnidirectionalBetweenNodes) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  const auto id = a.node().open_stream(network.now(), b.id()).value();
  ASSERT_TRUE(a.node().write(network.now(), id, as_bytes("raw")));
  ASSERT_TRUE(a.node().finish(network.now(), id));
  run_for(1s);
  const auto incoming = b.node().next_stream(network.now());
  ASSERT_TRUE(incoming);
  EXPECT_EQ(incoming->from, a.id());
  const auto view = b.node().peek(incoming->id);
  ASSERT_TRUE(view);
  EXPECT_EQ(as_text(view->data), "raw");
  EXPECT_TRUE(view->fin);
  b.node().consume(network.now(), incoming->id, 3);
  EXPECT_FALSE(b.node().write(network.now(), incoming->id, as_bytes("no way back")));
}

SIMULATE_PEERS(Lifecycle, RawStreamsOfAClientGoBothWays) {
  auto& node = network.node();
  auto& client = network.client();
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  const auto id = client.node().open_stream(network.now(), node.id()).value();
  ASSERT_TRUE(client.node().write(network.now(), id, as_bytes("there")));
  run_for(1s);
  const auto incoming = node.node().next_stream(network.now()).value();
  EXPECT_EQ(as_text(node.node().peek(incoming.id).value().data), "there");
  node.node().consume(network.now(), incoming.id, 5);
  ASSERT_TRUE(node.node().write(network.now(), incoming.id, as_bytes("and back")));
  ASSERT_TRUE(node.node().finish(network.now(), incoming.id));
  run_for(1s);
  EXPECT_EQ(as_text(client.node().peek(id).value().data), "and back");
  node.crashes();
  run_for(60s);
  const auto activity = client.all<p2p::StreamActivity>();
  ASSERT_FALSE(activity.empty());
  EXPECT_EQ(activity.back().kind, p2p::StreamActivity::Kind::lost);
  EXPECT_FALSE(client.node().write(network.now(), id, as_bytes("gone")));
}

// A node that is shut down keeps no peer: not the one that it waits to dial again, nor the one that it dials.
SIMULATE_PEERS(Lifecycle, AShutDownEndsTheDialsOfLostPeers) {
  for (const Duration later : {31s, 33s, 36s, 40s, 41s, 42s, 43s, 44s, 45s, 50s}) {
    auto& node = network.node();
    auto& lost = network.node();
    ASSERT_TRUE(network.links(node, lost));
    network.cuts(node.host(), lost.host());
    network.run_for(later);
    EXPECT_EQ(node.node().links().size(), 1U) << later;
    node.shuts_down();
    ASSERT_TRUE(run_until([&] { return node.node().is_idle(); }, 10s));
    network.run_for(1s);
    EXPECT_TRUE(node.node().links().empty()) << later;
    EXPECT_FALSE(node.losses.empty());
    EXPECT_FALSE(node.losses.back().will_retry) << later;
  }
}

}  // namespace
}  // namespace qpeer::sim
