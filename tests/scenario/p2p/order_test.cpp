// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The order of events: what a link carried ends before the link does, and a link ends before the next
// one to the same peer begins.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "qpeer/p2p/stream_prefix.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {
namespace {

using p2p::PeerError;
using p2p::Role;
using p2p::Verdict;

constexpr std::size_t kMiB = 1 << 20;

/// A link between a node and a peer, on which something of each kind is under way.
struct BusyLink {
  explicit BusyLink(PeerWorld& world, const SimPeerConfig& config = {})
      : network(world), node(world.node(config)), peer(world) {
    network.connect(node.host(), peer.host(), Link{.delay = 5ms, .rate = 8_mbit});
  }

  void begins() {
    ASSERT_TRUE(peer.links(node));
    const auto half = peer.opens(peer.lines.front(), false);
    ASSERT_TRUE(half);
    constexpr std::array<u8, 3> kHalf{p2p::kMessageStream, 1, 2};
    peer.writes(peer.lines.front(), *half, Bytes(kHalf));
    ASSERT_TRUE(node.node().open_stream(network.now(), peer.id()));
    // Takes sixteen seconds.
    ASSERT_TRUE(node.node().send(network.now(), peer.id(), std::vector<u8>(16 * kMiB)));
    node.wake();
    network.run_for(100ms);
    node.events.clear();
  }
  [[nodiscard]] bool is_down() const { return !node.all<p2p::LinkDown>().empty(); }

  void expect_that_the_link_ended_last() const {
    const auto down = position<p2p::LinkDown>();
    ASSERT_TRUE(down);
    EXPECT_EQ(node.all<p2p::LinkDown>().size(), 1U);
    const auto interrupted = position<p2p::IncomingInterrupted>();
    const auto failed = position<p2p::Failed>();
    const auto lost = position<p2p::StreamActivity>();
    ASSERT_TRUE(interrupted && failed && lost);
    EXPECT_LT(*interrupted, *down);
    EXPECT_LT(*failed, *down);
    EXPECT_LT(*lost, *down);
    EXPECT_EQ(node.all<p2p::Failed>()[0].error, PeerError::link_lost);
    EXPECT_EQ(node.all<p2p::StreamActivity>()[0].kind, p2p::StreamActivity::Kind::lost);
  }
  template <class E>
  [[nodiscard]] std::optional<std::size_t> position() const {
    const auto at = std::ranges::find_if(
        node.events, [](const auto& event) { return std::holds_alternative<E>(event); });
    if (at == node.events.end()) return std::nullopt;
    return static_cast<std::size_t>(at - node.events.begin());
  }

  PeerWorld& network;
  SimPeer& node;
  MaliciousPeer peer;
};

// The peer may open streams as soon as it has proved itself, before we know that we have a way to it.
SIMULATE_PEERS(Order, OfALinkThatComesUpAndWhatItCarries) {
  auto& node = network.node();
  MaliciousPeerConfig config;
  config.verdict = std::nullopt;
  MaliciousPeer peer(network, config);
  auto& line = peer.dial(node);
  ASSERT_TRUE(run_until([&] { return peer.verdict_on_us(line) == Verdict::reachable; }, 5s));
  for (const std::string_view content :
       {std::string_view("\0early", 6), std::string_view("\1raw", 4)}) {
    peer.writes(line, peer.opens(line, false).value(), content, true);
  }
  run_for(1s);
  EXPECT_TRUE(node.all<p2p::LinkUp>().empty());
  EXPECT_TRUE(node.all<p2p::Incoming>().empty());
  peer.send_control(*peer.accepted().front(),
                    p2p::VerdictMessage{.verdict = Verdict::reachable, .address = std::nullopt});
  ASSERT_TRUE(run_until([&] { return node.all<p2p::Incoming>().size() == 2; }, 5s));
  EXPECT_EQ(node.messages.size(), 1U);
  const auto up = std::ranges::find_if(
      node.events, [](const auto& event) { return std::holds_alternative<p2p::LinkUp>(event); });
  const auto incoming = std::ranges::find_if(
      node.events, [](const auto& event) { return std::holds_alternative<p2p::Incoming>(event); });
  EXPECT_LT(up - node.events.begin(), incoming - node.events.begin());
}

// The link is down with its first direction; what is under way on the other one may still arrive.
SIMULATE_PEERS(Order, OfALinkThatLosesOurDirection) {
  BusyLink link(network);
  link.begins();
  link.peer.closes(*link.peer.accepted().at(0));
  ASSERT_TRUE(run_until([&] { return link.is_down(); }, 10s));
  const auto down = link.position<p2p::LinkDown>();
  EXPECT_LT(link.position<p2p::Failed>().value(), *down);
  EXPECT_LT(link.position<p2p::StreamActivity>().value(), *down);
}

SIMULATE_PEERS(Order, OfALinkThatLosesTheDirectionOfThePeer) {
  BusyLink link(network);
  link.begins();
  link.peer.closes(link.peer.lines.front());
  ASSERT_TRUE(run_until([&] { return link.is_down(); }, 10s));
  EXPECT_LT(link.position<p2p::IncomingInterrupted>().value(), *link.position<p2p::LinkDown>());
}

SIMULATE_PEERS(Order, OfALinkThatWeEnd) {
  BusyLink link(network);
  link.begins();
  link.node.node().disconnect(network.now(), link.peer.id());
  link.node.wake();
  ASSERT_TRUE(run_until([&] { return link.is_down(); }, 1s));
  run_for(1s);
  link.expect_that_the_link_ended_last();
}

SIMULATE_PEERS(Order, OfALinkToANodeThatCannotBeReachedAnyMore) {
  SimPeerConfig config;
  config.node.recheck_interval = 4s;
  BusyLink link(network, config);
  link.begins();
  link.peer.config.proves = false;
  ASSERT_TRUE(run_until([&] { return link.is_down(); }, 30s));
  run_for(1s);
  link.expect_that_the_link_ended_last();
}

SIMULATE_PEERS(Order, OfALinkToAPeerThatComesInAnotherRole) {
  BusyLink link(network);
  link.begins();
  link.peer.config.role = Role::client;
  link.peer.dial(link.node);
  ASSERT_TRUE(run_until([&] { return link.is_down() && link.node.is_linked(); }, 10s));
  run_for(1s);
  link.expect_that_the_link_ended_last();
  ASSERT_EQ(link.node.all<p2p::LinkUp>().size(), 1U);
  EXPECT_EQ(link.node.all<p2p::LinkUp>()[0].role, Role::client);
  EXPECT_GT(link.position<p2p::LinkUp>(), link.position<p2p::LinkDown>());
  EXPECT_EQ(link.node.node().stats().links, 1U);
}

// We dialled the peer, and learn by that that it is a node now: that we reached it holds.
SIMULATE_PEERS(Order, AClientThatIsANodeNowIsLinkedAnew) {
  auto& node = network.node();
  MaliciousPeer peer(network, {.role = Role::client});
  peer.dial(node);
  ASSERT_TRUE(run_until([&] { return node.is_linked(); }, 5s));
  run_for(100ms);
  peer.config.role = Role::node;
  node.events.clear();
  node.node().connect(network.now(), {.address = peer.address()});
  node.wake();
  ASSERT_TRUE(run_until([&] { return peer.accepted().size() == 1; }, 5s));
  run_for(500ms);
  ASSERT_EQ(node.all<p2p::LinkDown>().size(), 1U);
  EXPECT_FALSE(peer.accepted()[0]->closed);
  const auto link = node.node().link(peer.id());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->role, Role::node);
  EXPECT_TRUE(link->we_dialled);
}

}  // namespace
}  // namespace qpeer::sim
