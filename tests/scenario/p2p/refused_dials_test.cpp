// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A dial that must fail says so to both sides: the node has an event and a count, the dialler the reason.
#include <algorithm>
#include <string>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

using p2p::DialRefused;
using p2p::Refusal;

std::uint64_t count_of(const SimPeer& node, Refusal reason) {
  return node.node().stats().refused[std::to_underlying(reason)];
}

/// Whether the node has one event, with this reason, and counted it.
void expect_refused(const SimPeer& node, Refusal reason) {
  const auto events = node.all<DialRefused>();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].reason, reason) << to_string(events[0].reason);
  EXPECT_TRUE(events[0].address.valid());
  EXPECT_EQ(events[0].unreported, 0U);
  EXPECT_EQ(count_of(node, reason), 1U);
}

/// The reason that a dialler has.
std::string failure_of(PeerWorld& network, SimPeer& dialler, const SimPeer& node) {
  dialler.node().connect(network.now(), node.candidate());
  dialler.wake();
  network.run_until([&] { return !dialler.all<p2p::LinkFailed>().empty(); }, 20s);
  const auto failed = dialler.all<p2p::LinkFailed>();
  return failed.empty() ? "" : failed.back().candidate.why;
}

SIMULATE_PEERS(RefusedDials, OfACertificateThatIsNotTrusted) {
  SimPeerConfig config;
  config.verify_peer = [](const crypto::PeerCertificate&) { return false; };
  auto& node = network.node(config);
  auto& client = network.client();
  EXPECT_NE(failure_of(network, client, node).find("it does not trust our certificate"),
            std::string::npos);
  expect_refused(node, Refusal::untrusted);
  EXPECT_EQ(node.all<DialRefused>()[0].address, client.address());
  EXPECT_FALSE(node.all<DialRefused>()[0].peer) << "it has proved nothing";
}

SIMULATE_PEERS(RefusedDials, OfAPeerThatIsNotAllowed) {
  auto& client = network.client();
  SimPeerConfig config;
  config.allowed = {network.node().id()};
  auto& node = network.node(config);
  EXPECT_NE(failure_of(network, client, node).find("it does not trust our certificate"),
            std::string::npos);
  expect_refused(node, Refusal::not_allowed);
}

SIMULATE_PEERS(RefusedDials, WithoutACertificate) {
  auto& node = network.node();
  MaliciousPeer stranger(network, {.without_certificate = true});
  auto& line = stranger.dial(node);
  ASSERT_TRUE(run_until([&] { return line.closed.has_value(); }, 5s));
  expect_refused(node, Refusal::no_certificate);
}

SIMULATE_PEERS(RefusedDials, OfAnotherProtocol) {
  auto& node = network.node();
  MaliciousPeer stranger(network, {.alpn = "qpeer/0"});
  auto& line = stranger.dial(node);
  ASSERT_TRUE(run_until([&] { return line.closed.has_value(); }, 5s));
  expect_refused(node, Refusal::wrong_protocol);
}

SIMULATE_PEERS(RefusedDials, OfAnotherMajorVersion) {
  auto& node = network.node();
  MaliciousPeer stranger(network, {.major = 2});
  auto& line = stranger.dial(node);
  ASSERT_TRUE(run_until(stranger.closed_with(line, p2p::ErrorCode::unsupported_version), 5s));
  expect_refused(node, Refusal::wrong_protocol);
  EXPECT_EQ(node.all<DialRefused>()[0].peer, stranger.id());
}

SIMULATE_PEERS(RefusedDials, OfAFullNode) {
  SimPeerConfig config;
  config.node.max_links = 1;
  auto& node = network.node(config);
  auto& first = network.client();
  ASSERT_TRUE(network.links(first, node) || first.is_linked());
  auto& second = network.client();
  EXPECT_NE(failure_of(network, second, node).find("too many"), std::string::npos);
  expect_refused(node, Refusal::too_many_links);
  EXPECT_EQ(node.all<DialRefused>()[0].peer, second.id());
}

SIMULATE_PEERS(RefusedDials, OfTooManyNewcomers) {
  SimPeerConfig config;
  config.node.max_unintroduced_network = 1;
  auto& node = network.node(config);
  MaliciousPeer silent(network, {.introduces = false, .address = network.spread_address()});
  for (int i = 0; i < 2; ++i) {
    auto& line = silent.dial(node);
    ASSERT_TRUE(run_until([&] { return line.connected; }, 1s));
  }
  run_for(1s);
  expect_refused(node, Refusal::too_many_of_network);
  run_for(5s);
  EXPECT_EQ(count_of(node, Refusal::no_introduction), 1U) << "the first, after some time";
}

SIMULATE_PEERS(RefusedDials, AFloodOfThemIsNoneOfEvents) {
  SimPeerConfig config;
  config.verify_peer = [](const crypto::PeerCertificate&) { return false; };
  auto& node = network.node(config);
  MaliciousPeer flooder(network, {.address = network.spread_address()});
  for (int i = 0; i < 200; ++i) {
    flooder.dial(node);
    run_for(20ms);
  }
  run_for(1s);
  EXPECT_EQ(count_of(node, Refusal::untrusted), 200U);
  EXPECT_EQ(node.all<DialRefused>().size(), 3U) << "the share of a network";
  MaliciousPeer other(network, {.address = network.spread_address()});
  other.dial(node);
  run_for(1s);
  ASSERT_EQ(node.all<DialRefused>().size(), 4U) << "another one has its share";
  EXPECT_EQ(node.all<DialRefused>()[3].unreported, 197U);
}

// A dialler that changes its mind, or does not like our certificate, was not refused by us.
SIMULATE_PEERS(RefusedDials, AreNotThoseThatTheDiallerGaveUp) {
  auto& node = network.node();
  SimPeerConfig config;
  config.verify_peer = [](const crypto::PeerCertificate&) { return false; };
  auto& client = network.client(config);
  EXPECT_FALSE(failure_of(network, client, node).empty());
  run_for(10s);
  EXPECT_TRUE(node.all<DialRefused>().empty());
}

}  // namespace
}  // namespace qpeer::sim
