// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STUN at the port of a node: who asks learns its address, QUIC does not notice it, and what is no STUN goes
// on to QUIC.
#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "qpeer/p2p/nat/stun_client.hpp"
#include "qpeer/p2p/nat/stun_server.hpp"
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

using p2p::StunClass;
using p2p::StunMessage;
using p2p::StunResult;

constexpr auto kStranger = SocketAddress::ipv4({198, 51, 100, 7}, 40'000);

std::vector<u8> encoded(const StunMessage& message) {
  std::vector<u8> out(p2p::kMaxStunSize);
  Writer writer{out};
  message.encode(writer);
  out.resize(writer.size());
  return out;
}

/// A datagram from the stranger to a peer, by hand.
void receive(PeerWorld& network, const SimPeer& peer, std::vector<u8> datagram,
             const SocketAddress& local = {}) {
  peer.node().on_datagram(network.now(), {.path = {.local = local.valid() ? local : peer.address(),
                                                   .remote = kStranger},
                                          .payload = datagram});
  EXPECT_TRUE(peer.node().consistent());
}

/// The next datagram that the peer sends, when it goes to the stranger.
std::optional<StunMessage> answer_of(PeerWorld& network, const SimPeer& peer) {
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer out{.storage = storage};
  const auto transmit = peer.node().poll_transmit(network.now(), out);
  if (!transmit) return std::nullopt;
  EXPECT_EQ(transmit->path, (Path{.local = peer.address(), .remote = kStranger}));
  return StunMessage::decode(Bytes(storage).first(transmit->size));
}

SIMULATE_PEERS(Stun, ANodeTellsWhoAsksWhereItIsSeen) {
  auto& node = network.node();
  SeededRandom random{network.random().next()};
  p2p::StunClient client{random};
  std::vector<StunResult> results;
  auto handler = [&results](const StunResult& result) { results.push_back(result); };
  Host& host = network.add_host(
      std::make_unique<MachineNode<p2p::StunClient, decltype(handler)>>(client, handler),
      kStranger);
  ASSERT_TRUE(client.ask(network.now(), {.local = kStranger, .remote = node.address()}));
  network.wake(host);
  ASSERT_TRUE(run_until([&] { return !results.empty(); }, 5s));
  EXPECT_EQ(results[0].outcome, StunResult::Outcome::answered);
  EXPECT_EQ(results[0].mapped_address, kStranger);
  EXPECT_EQ(node.node().stats().stun_answers, 1U);
}

SIMULATE_PEERS(Stun, AFloodOfRequestsDisturbsNoLink) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  for (int i = 0; i < 5'000; ++i) receive(network, a, encoded({.transaction_id = {1}}));
  a.wake();
  for (int i = 0; i < 20; ++i) b.sends(a, "a message");
  ASSERT_TRUE(run_until([&] { return a.messages.size() == 20; }, 5s));
  const auto stats = a.node().stats();
  EXPECT_LE(stats.stun_answers, 20U);
  EXPECT_EQ(stats.stun_answers + stats.stun_rate_limited, 5'000U);
}

SIMULATE_PEERS(Stun, TheAnswerCanBeSwitchedOffAndClientsGiveNone) {
  SimPeerConfig quiet;
  quiet.node.answer_stun = false;
  for (SimPeer* peer : {&network.node(quiet), &network.client()}) {
    receive(network, *peer, encoded({}));
    EXPECT_EQ(answer_of(network, *peer), std::nullopt);
    EXPECT_EQ(peer->node().stats().stun_ignored, 1U);
    EXPECT_EQ(peer->node().endpoint_stats().datagrams_received, 0U);
  }
}

SIMULATE_PEERS(Stun, ThePortOfDialBacksGivesNoAnswer) {
  auto& node = network.node();
  const auto probe =
      node.address().with_port(static_cast<std::uint16_t>(node.address().port() + 1));
  receive(network, node, encoded({}), probe);
  EXPECT_EQ(answer_of(network, node), std::nullopt);
}

// A stateless reset would be an answer too, and a response to it could follow.
SIMULATE_PEERS(Stun, ResponsesAndIndicationsGetNoAnswerOfAnyKind) {
  auto& node = network.node();
  for (const StunMessage& message : std::initializer_list<StunMessage>{
           {.message_class = StunClass::success, .mapped_address = kStranger},
           {.message_class = StunClass::error, .error_code = p2p::kStunUnknownAttribute},
           {.message_class = StunClass::indication, .knock_token = p2p::KnockToken{}}}) {
    receive(network, node, encoded(message));
    EXPECT_EQ(answer_of(network, node), std::nullopt);
  }
  EXPECT_EQ(node.node().stats().stun_ignored, 3U);
  EXPECT_EQ(node.node().endpoint_stats().datagrams_received, 0U);
}

SIMULATE_PEERS(Stun, WhatIsNoStunGoesToQuic) {
  auto& node = network.node();
  auto whole = encoded({.transaction_id = {1, 2, 3}});
  std::vector<std::vector<u8>> others;
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    others.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
  auto changed = whole;
  changed.back() ^= 1;  // FINGERPRINT
  others.push_back(changed);
  changed = whole;
  changed[4] ^= 1;  // The cookie.
  others.push_back(changed);
  for (const u8 first : {4, 16, 20, 63, 64, 79, 127, 128, 192, 255}) {
    changed = whole;
    changed[0] = first;
    others.push_back(changed);
  }
  // A forged packet with a short header.
  changed = whole;
  changed.resize(1'200, 7);
  others.push_back(changed);
  for (const auto& other : others) receive(network, node, other);
  EXPECT_EQ(node.node().endpoint_stats().datagrams_received, others.size());
  EXPECT_EQ(node.node().stats().stun_answers, 0U);
}

SIMULATE_PEERS(Stun, ANodeThatIsShutDownGivesNoAnswer) {
  auto& node = network.node();
  node.shuts_down();
  run_for(10s);
  receive(network, node, encoded({}));
  EXPECT_EQ(answer_of(network, node), std::nullopt);
}

/// The newest train of what it sends until it is idle.
std::optional<Transmit> last_of_all(PeerWorld& network, const SimPeer& peer) {
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer out{.storage = storage};
  std::optional<Transmit> last;
  while (auto transmit = peer.node().poll_transmit(network.now(), out)) last = transmit;
  return last;
}

const std::error_code kHopeless{EAFNOSUPPORT, std::system_category()};

// As when the kernel refuses it: this is the affair of no connection, also of one to the same address.
SIMULATE_PEERS(Stun, AnAnswerThatIsRefusedEndsNoDial) {
  auto& node = network.node();
  auto& other = network.node();
  node.bootstraps({other});
  const auto dial = last_of_all(network, node);
  ASSERT_TRUE(dial.has_value());
  receive(network, node, encoded({}));
  ASSERT_EQ(last_of_all(network, node)->path.remote, kStranger);
  node.node().on_refused(network.now(), *dial, kHopeless);
  EXPECT_TRUE(run_until(node.linked(other), 10s));
}

SIMULATE_PEERS(Stun, ATrainOfQuicThatIsRefusedStillEndsItsDial) {
  auto& node = network.node();
  auto& other = network.node();
  receive(network, node, encoded({}));
  ASSERT_EQ(last_of_all(network, node)->path.remote, kStranger);
  node.bootstraps({other});
  const auto dial = last_of_all(network, node);
  ASSERT_TRUE(dial.has_value());
  node.node().on_refused(network.now(), *dial, kHopeless);
  node.wake();
  EXPECT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 1s));
}

}  // namespace
}  // namespace qpeer::sim
