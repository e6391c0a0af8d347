// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Links between peers: bootstrapping, proving, carrying messages.
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

using p2p::Role;
using p2p::Verdict;

SIMULATE_PEERS(PeerLinks, TwoNodesProveEachOther) {
  auto& contact = network.node();
  auto& newcomer = network.node();
  newcomer.bootstraps({contact});
  ASSERT_TRUE(run_until(
      [&] { return newcomer.is_linked_to(contact) && contact.is_linked_to(newcomer); }, 5s));
  ASSERT_EQ(newcomer.verdicts_on_us.size(), 1U);
  EXPECT_EQ(newcomer.verdicts_on_us[0].verdict, Verdict::reachable);
  EXPECT_EQ(newcomer.all<p2p::Bootstrapped>().size(), 1U);
  ASSERT_NE(contact.cache().find(newcomer.id()), nullptr);
  EXPECT_EQ(contact.cache().find(newcomer.id())->evidence, cache::Evidence::dialled_back);
  ASSERT_NE(newcomer.cache().find(contact.id()), nullptr);
  EXPECT_EQ(newcomer.cache().find(contact.id())->evidence, cache::Evidence::dialled);
}

SIMULATE_PEERS(PeerLinks, MessagesTravelBothWays) {
  auto& a = network.node();
  auto& b = network.node();
  a.bootstraps({b});
  ASSERT_TRUE(run_until([&] { return a.is_linked_to(b) && b.is_linked_to(a); }, 5s));
  const auto first = a.sends(b, "from a");
  const auto second = b.sends(a, "from b");
  ASSERT_TRUE(run_until([&] { return a.messages.size() == 1 && b.messages.size() == 1; }, 5s));
  EXPECT_EQ(std::string(b.messages[0].data.begin(), b.messages[0].data.end()), "from a");
  EXPECT_EQ(b.messages[0].from, a.id());
  EXPECT_TRUE(run_until([&] { return a.sent.size() == 1 && b.sent.size() == 1; }, 5s));
  EXPECT_EQ(a.sent[0], first);
  EXPECT_EQ(b.sent[0], second);
}

SIMULATE_PEERS(PeerLinks, AClientAsksANode) {
  auto& node = network.node();
  auto& client = network.client();
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.requests(node, "what?");
  ASSERT_TRUE(run_until([&] { return client.responses.size() == 1; }, 5s));
  EXPECT_EQ(client.responses[0].data.size(), 5U);
  EXPECT_EQ(node.asked.size(), 1U);
  EXPECT_EQ(node.cache().size(), 0U) << "a client never enters a cache";
}

SIMULATE_PEERS(PeerLinks, BothDialAtTheSameInstant) {
  auto& a = network.node();
  auto& b = network.node();
  a.bootstraps({b});
  b.bootstraps({a});
  ASSERT_TRUE(run_until([&] { return a.is_linked_to(b) && b.is_linked_to(a); }, 5s));
  a.sends(b, "one");
  b.sends(a, "two");
  run_for(10s);
  EXPECT_EQ(a.messages.size(), 1U);
  EXPECT_EQ(b.messages.size(), 1U);
  EXPECT_TRUE(a.losses.empty());
  EXPECT_TRUE(b.losses.empty());
  EXPECT_EQ(a.node().stats().connections, 2U) << "one each way";
}

SIMULATE_PEERS(PeerLinks, AClosedPortIsNoNode) {
  auto& contact = network.node();
  SimPeerConfig hidden;
  hidden.node.advertised = {SocketAddress::ipv4({0, 0, 0, 0}, 9)};
  auto& newcomer = network.node(hidden);
  newcomer.bootstraps({contact});
  ASSERT_TRUE(run_until([&] { return !newcomer.bootstrap_failures.empty(); }, 20s));
  ASSERT_EQ(newcomer.verdicts_on_us.size(), 1U);
  EXPECT_EQ(newcomer.verdicts_on_us[0].verdict, Verdict::timed_out);
  EXPECT_EQ(contact.cache().size(), 0U);
  EXPECT_FALSE(contact.is_linked());
}

}  // namespace
}  // namespace qpeer::sim
