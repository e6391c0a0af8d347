// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether strangers get through to a node: what nodes behind NATs are told, and what liars gain.
#include "qpeer/tests/scenario/nat/nat_places.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::KnockStatus;
using p2p::Role;
using p2p::Verdict;

/// A node that checks others, and some that it can ask.
struct Neighbourhood {
  explicit Neighbourhood(PeerWorld& world, int helpers = 2)
      : verifier(world.node(at(world.spread_address()))) {
    for (int i = 0; i < helpers; ++i) {
      auto& helper = world.node(at(world.spread_address()));
      EXPECT_TRUE(world.links(helper, verifier));
      others.push_back(&helper);
    }
  }
  SimPeer& verifier;
  std::vector<SimPeer*> others{};
};

/// By all peers that are running.
std::uint64_t knocks_sent(const PeerWorld& world) {
  std::uint64_t out = 0;
  for (const auto& each : world.peers()) {
    if (each->is_running()) out += each->node().stats().knocks_sent;
  }
  return out;
}

SIMULATE_PEERS(Knocks, TellAFullConeFromAnAddressRestrictedNat) {
  const Neighbourhood hood(network);
  for (const Place& place :
       {Place{"N", {}}, Place{"F", {full_cone()}}, Place{"F+F", {full_cone(), full_cone()}}}) {
    auto& node = network.node(at(address_at(network, place), "open " + place.name));
    settle(network, node, place);
    node.bootstraps({hood.verifier});
    ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 4s)) << place.name;
    EXPECT_EQ(node.verdicts_on_us[0].verdict, Verdict::reachable) << place.name;
    EXPECT_TRUE(node.verdicts_on_us[0].by_strangers) << place.name;
    ASSERT_TRUE(run_until(node.linked(hood.verifier), 1s)) << place.name;
    EXPECT_NE(hood.verifier.cache().find(node.id())->evidence, cache::Evidence::unproved);
  }
  for (const Place& place :
       {Place{"R", {address_restricted()}}, Place{"F+R", {full_cone(), address_restricted()}},
        Place{"R+F", {address_restricted(), full_cone()}}}) {
    auto& node = network.node(at(address_at(network, place), "restricted " + place.name));
    settle(network, node, place);
    const std::uint64_t before = knocks_sent(network);
    node.bootstraps({hood.verifier});
    ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 4s)) << place.name;
    EXPECT_EQ(node.verdicts_on_us[0].verdict, Verdict::only_where_it_wrote) << place.name;
    EXPECT_FALSE(node.verdicts_on_us[0].by_strangers);
    EXPECT_FALSE(node.is_linked()) << place.name;
    EXPECT_GE(knocks_sent(network) - before, 2U) << place.name;
    EXPECT_EQ(hood.verifier.cache().find(node.id()), nullptr) << place.name;

    node.config.node.role = Role::client;
    node.restarts();
    node.bootstraps({hood.verifier});
    ASSERT_TRUE(run_until(node.linked(hood.verifier), 2s)) << place.name;
    node.requests(hood.verifier, "?");
    EXPECT_TRUE(run_until([&] { return node.responses.size() == 1; }, 1s)) << place.name;
  }
}

// The link is up, but the verifier cannot vouch for the node.
SIMULATE_PEERS(Knocks, WithoutAnotherNodeTheProofIsOnlyTheVerifiers) {
  auto& verifier = network.node(at(network.spread_address()));
  auto& node = network.node(at(network.spread_address()));
  node.bootstraps({verifier});
  ASSERT_TRUE(run_until(node.linked(verifier), 4s));
  EXPECT_FALSE(node.verdicts_on_us.at(0).by_strangers);
  EXPECT_FALSE(verifier.verdicts.at(0).by_strangers);
  ASSERT_NE(verifier.cache().find(node.id()), nullptr);
  EXPECT_EQ(verifier.cache().find(node.id())->evidence, cache::Evidence::unproved);

  auto& client = network.client(at(network.spread_address()));
  client.bootstraps({verifier});
  ASSERT_TRUE(run_until(client.linked(verifier), 2s));
  EXPECT_FALSE(run_until(client.linked(node), 60s)) << "it was told of the node";

  // The next check has whom to ask.
  auto& helper = network.node(at(network.spread_address()));
  helper.bootstraps({verifier});
  ASSERT_TRUE(run_until(helper.linked(verifier), 4s));
  EXPECT_TRUE(helper.verdicts_on_us.at(0).by_strangers) << "the first node knocks";
}

SIMULATE_PEERS(Knocks, AreOfNoUseWithinAPrivateNetwork) {
  auto& verifier = network.node();
  auto& helper = network.node();
  auto& node = network.node();
  ASSERT_TRUE(network.links(helper, verifier));
  ASSERT_TRUE(network.links(node, verifier));
  EXPECT_TRUE(node.verdicts_on_us.at(0).by_strangers);
  EXPECT_EQ(helper.node().stats().knocks_sent, 0U);
}

// 2 % loss each way.
SIMULATE_PEERS(Knocks, GetThroughLoss) {
  network.set_default_link({.delay = 25ms, .loss = 0.02});
  const Neighbourhood hood(network);
  for (int i = 0; i < 10; ++i) {
    auto& node = network.node(at(kPrivate, network.spread_address().to_string()));
    network.behind(full_cone(), node);
    node.bootstraps({hood.verifier});
    ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 4s));
    EXPECT_TRUE(node.verdicts_on_us[0].by_strangers);
  }
}

// --- liars ---------------------------------------------------------------------------------------

// What it says of tokens that it never got is worth nothing.
SIMULATE_PEERS(Knocks, InventedTokensProveNothing) {
  const Neighbourhood hood(network);
  MaliciousPeerConfig config;
  config.address = network.spread_address();
  MaliciousPeer liar(network, config);
  auto& line = liar.dial(hood.verifier);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 2s));
  liar.send_control(line, p2p::KnockMe{});
  for (u8 i = 0; i < 100; ++i) {
    liar.send_control(line, p2p::Knocked{.token = {i}, .source = hood.others[0]->address()});
  }
  ASSERT_TRUE(run_until([&] { return liar.verdict_on_us(line).has_value(); }, 6s));
  EXPECT_EQ(liar.verdict_on_us(line), Verdict::only_where_it_wrote);
}

// A node of a lower minor version does not tell of knocks: it is not asked for what it cannot give.
SIMULATE_PEERS(Knocks, AreNotExpectedOfOlderPeers) {
  const Neighbourhood hood(network);
  MaliciousPeerConfig config;
  config.address = network.spread_address();
  config.minor = p2p::kMinorOfKnocks - 1;
  MaliciousPeer older(network, config);
  const std::uint64_t before = knocks_sent(network);
  auto& line = older.dial(hood.verifier);
  ASSERT_TRUE(run_until([&] { return older.verdict_on_us(line).has_value(); }, 6s));
  EXPECT_EQ(older.verdict_on_us(line), Verdict::reachable);
  EXPECT_EQ(MaliciousPeer::received<p2p::VerdictMessage>(line)[0].by_strangers, std::nullopt);
  EXPECT_EQ(knocks_sent(network), before);
}

/// What a node answers to a Knock.
std::vector<KnockStatus> answers(const MaliciousPeer::Line& line) {
  std::vector<KnockStatus> out;
  for (const auto& each : MaliciousPeer::received<p2p::KnockSent>(line)) out.push_back(each.status);
  return out;
}

constexpr SocketAddress kVictim = SocketAddress::ipv4({8, 8, 4, 4}, 4433);

SIMULATE_PEERS(Knocks, OfANodeHitNobodyHard) {
  auto& node = network.node(at(network.spread_address()));
  MaliciousPeerConfig config;
  config.address = network.spread_address();
  MaliciousPeer verifier(network, config);
  ASSERT_TRUE(verifier.links(node));
  auto& line = verifier.lines.front();
  for (u8 i = 0; i < 100; ++i) {
    verifier.send_control(line, p2p::Knock{.token = {i}, .address = kVictim});
    verifier.send_control(
        line, p2p::Knock{.token = {i}, .address = SocketAddress::ipv4({8, i, 4, 4}, 4433)});
    network.run_for(50ms);
  }
  ASSERT_TRUE(run_until([&] { return answers(line).size() == 200; }, 2s));
  EXPECT_LE(node.node().stats().knocks_sent, 12U) << "its share of five seconds";
  EXPECT_GE(node.node().stats().knocks_sent, 10U);
}

// Not to private addresses, to where TCP or other services listen, or to ourselves.
SIMULATE_PEERS(Knocks, GoOnlyToTheInternet) {
  SimPeerConfig own = at(network.spread_address());
  own.node.advertised.push_back(own.address);
  auto& node = network.node(own);
  MaliciousPeerConfig config;
  config.address = network.spread_address();
  MaliciousPeer verifier(network, config);
  ASSERT_TRUE(verifier.links(node));
  auto& line = verifier.lines.front();
  const std::vector<SocketAddress> refused{
      SocketAddress::ipv4({10, 0, 0, 1}, 4433),      SocketAddress::ipv4({127, 0, 0, 1}, 4433),
      SocketAddress::ipv4({169, 254, 0, 1}, 4433),   SocketAddress::ipv4({224, 0, 0, 1}, 4433),
      SocketAddress::ipv4({255, 255, 255, 255}, 99), SocketAddress::ipv4({100, 64, 0, 1}, 4433),
      SocketAddress::ipv4({8, 8, 4, 4}, 53),         own.address};
  for (const SocketAddress& address : refused) {
    verifier.send_control(line, p2p::Knock{.address = address});
    network.run_for(1s);
  }
  EXPECT_EQ(answers(line), std::vector(refused.size(), KnockStatus::busy));
  verifier.send_control(line, p2p::Knock{.address = verifier.address()});
  network.run_for(1s);
  EXPECT_EQ(answers(line).back(), KnockStatus::knows_the_host);
  EXPECT_EQ(node.node().stats().knocks_sent, 0U);
}

// Neither a client nor a node that is not linked can ask.
SIMULATE_PEERS(Knocks, AreForLinkedNodes) {
  auto& node = network.node(at(network.spread_address()));
  MaliciousPeerConfig config;
  config.address = network.spread_address();
  config.role = Role::client;
  MaliciousPeer client(network, config);
  auto& line = client.dial(node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 2s));
  client.send_control(line, p2p::Knock{.address = kVictim});
  network.run_for(1s);
  EXPECT_EQ(answers(line), std::vector{KnockStatus::busy});
  EXPECT_EQ(node.node().stats().knocks_sent, 0U);
}

// A flood of forged knocks makes a node send the nodes that check it little.
SIMULATE_PEERS(Knocks, ThatAreForgedAreTakenAFewASecond) {
  const Neighbourhood hood(network, 1);
  auto& node = network.node(at(network.spread_address()));
  ASSERT_TRUE(network.links(node, hood.verifier));
  const std::uint64_t before = node.node().stats().stun_ignored;
  std::vector<u8> storage(p2p::kMaxStunSize);
  Writer out{storage};
  p2p::StunMessage{.message_class = p2p::StunClass::indication, .knock_token = p2p::KnockToken{1}}
      .encode(out);
  for (int i = 0; i < 1'000; ++i) {
    network.inject(network.spread_address(), node.address(), out.written());
    network.run_for(1ms);
  }
  EXPECT_GE(node.node().stats().stun_ignored - before, 970U);
}

}  // namespace
}  // namespace qpeer::sim
