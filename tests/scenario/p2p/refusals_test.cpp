// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams that our own operating system refuses to send are no fault of the peer that they go to.
#include <cerrno>
#include <system_error>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::Verdict;

SocketAddress probe_of(const SimPeer& peer) {
  return peer.address().with_port(static_cast<std::uint16_t>(peer.address().port() + 1));
}

/// The system of `peer` refuses what leaves from its second port.
void refuses_probes_of(PeerWorld& network, SimPeer& peer) {
  network.on_send([&network, &peer, port = probe_of(peer)](const Passing& passing) {
    if (passing.from != port) return;
    const Transmit transmit{.path = {.local = passing.from, .remote = passing.to},
                            .size = passing.payload.size(),
                            .segment_size = passing.payload.size()};
    peer.node().on_refused(network.now(), transmit, {EAFNOSUPPORT, std::system_category()});
  });
}

SIMULATE_PEERS(Refusals, OfADialBackAreKnownAtOnceAndNotHeldAgainstThePeer) {
  auto& node = network.node();
  MaliciousPeer peer(network);
  network.pipe(node.host(), peer.host()).filter =
      drop_if([port = probe_of(node)](const Passing& passing) { return passing.from == port; });
  refuses_probes_of(network, node);
  auto& line = peer.dial(node);
  ASSERT_TRUE(run_until(peer.closed_with(line, ErrorCode::unreachable), 2s))
      << "it does not wait for the dial-back to time out";
  EXPECT_EQ(peer.verdict_on_us(line), Verdict::try_again_later);
}

SIMULATE_PEERS(Refusals, OfADialBackLeaveALinkAndTheCacheAsTheyAre) {
  SimPeerConfig config;
  config.node.recheck_interval = 20s;
  auto& node = network.node(config);
  MaliciousPeer peer(network);
  ASSERT_TRUE(peer.links(node));
  refuses_probes_of(network, node);
  run_for(21s);
  ASSERT_GE(node.verdicts.size(), 2U);
  EXPECT_EQ(node.verdicts.back().verdict, Verdict::try_again_later);
  EXPECT_TRUE(node.is_linked());
  ASSERT_NE(node.cache().find(peer.id()), nullptr);
  EXPECT_EQ(node.cache().find(peer.id())->failures, 0U);
}

// Whoever drives the node need not ask it for events first.
SIMULATE_PEERS(Refusals, OfOneAddressAreFollowedByADialOfTheNextAtOnce) {
  auto& client = network.client();
  auto& server = network.node();
  const SocketAddress refused = SocketAddress::ipv6({0x2a, 1}, 4433);
  client.node().bootstrap(
      network.now(),
      {{.address = refused, .id = server.id(), .server_name = {}}, server.candidate()});
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer out{.storage = storage};
  const auto first = client.node().poll_transmit(network.now(), out);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->path.remote, refused);
  client.node().on_refused(network.now(), *first, {EAFNOSUPPORT, std::system_category()});
  const auto next = client.node().poll_transmit(network.now(), out);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->path.remote, server.address());
}

// What shut_down() closes is not held against the peer either.
SIMULATE_PEERS(Refusals, ADialBackThatWeCloseOurselvesIsNoFailureOfThePeer) {
  SimPeerConfig config;
  config.node.recheck_interval = 20s;
  auto& node = network.node(config);
  MaliciousPeer peer(network);
  ASSERT_TRUE(peer.links(node));
  network.pipe(node.host(), peer.host()).filter =
      drop_if([port = probe_of(node)](const Passing& passing) { return passing.from == port; });
  run_for(21s);
  const auto dial_backs = node.node().stats().dial_backs;
  ASSERT_GE(dial_backs, 2U) << "one is on its way";
  node.shuts_down();
  run_for(100ms);
  ASSERT_NE(node.cache().find(peer.id()), nullptr);
  EXPECT_EQ(node.cache().find(peer.id())->failures, 0U);
  for (const auto& verdict : node.verdicts) EXPECT_NE(verdict.verdict, Verdict::refused);
}

}  // namespace
}  // namespace qpeer::sim
