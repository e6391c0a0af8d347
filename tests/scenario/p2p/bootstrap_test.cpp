// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Finding the first link.
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

std::vector<p2p::Candidate> dead_candidates(std::size_t count) {
  std::vector<p2p::Candidate> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({.address = SocketAddress::ipv4(
                       {10, 99, static_cast<u8>(i >> 8), static_cast<u8>(i)}, 4433)});
  }
  return out;
}

SIMULATE_PEERS(Bootstrap, ThreeHundredDeadCandidatesCostLessThanTwoSeconds) {
  SimPeerConfig alone_with_it;
  alone_with_it.node.target_links = 1;
  alone_with_it.node.exchange_peers = false;
  auto& contact = network.node(alone_with_it);
  auto& first = network.node(alone_with_it);
  auto& second = network.node(alone_with_it);
  first.bootstraps({contact});
  ASSERT_TRUE(run_until(first.linked(contact), 5s));
  const Duration alone = first.all<p2p::Bootstrapped>().at(0).took;
  auto contacts = dead_candidates(300);
  contacts.push_back(contact.candidate());
  second.bootstraps(contacts);
  ASSERT_TRUE(run_until(second.linked(contact), 10s));
  const auto bootstrapped = second.all<p2p::Bootstrapped>().at(0);
  EXPECT_LT(bootstrapped.took, alone + 2s);
  EXPECT_GT(bootstrapped.took, alone) << "it should have been the last";
  run_for(10s);
  EXPECT_EQ(second.node().stats().connections, 2U) << "nothing is left of the others";
}

SIMULATE_PEERS(Bootstrap, WithoutCandidatesFailsAtOnce) {
  auto& node = network.node();
  node.bootstraps(std::vector<p2p::Candidate>{});
  const Instant began = network.now();
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 1s));
  EXPECT_EQ(network.now(), began);
  EXPECT_TRUE(node.bootstrap_failures[0].failures.empty());
}

SIMULATE_PEERS(Bootstrap, ThatFailsNamesEachCandidateAndWhy) {
  auto& node = network.node();
  auto& other = network.node();
  auto contacts = dead_candidates(3);
  contacts.push_back({.address = SocketAddress::ipv4({10, 0, 0, 1}, 0)});
  // Somebody else than is expected there.
  contacts.push_back({.address = other.address(), .id = PeerId{{1, 2, 3}}});
  node.bootstraps(contacts);
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 31s));
  const auto& failures = node.bootstrap_failures[0].failures;
  ASSERT_EQ(failures.size(), contacts.size());
  for (const auto& failure : failures) EXPECT_FALSE(failure.why.empty());
  EXPECT_EQ(failures[4].why, "another peer answered: " + other.id().to_string());
  EXPECT_EQ(node.node().stats().connections, 0U);
}

SIMULATE_PEERS(Bootstrap, ThatIsCancelledLeavesNoConnection) {
  auto& contact = network.node();
  auto& node = network.node();
  for (const Duration when : {0ms, 15ms, 30ms, 45ms, 60ms}) {
    auto contacts = dead_candidates(20);
    contacts.insert(contacts.begin(), contact.candidate());
    node.bootstraps(contacts);
    run_for(when);
    if (node.is_linked()) break;  // Too late to cancel.
    node.node().cancel_bootstrap(network.now());
    node.wake();
    run_for(10s);
    EXPECT_EQ(node.node().stats().connections, 0U) << when.count();
    EXPECT_EQ(contact.node().stats().connections, 0U) << when.count();
    EXPECT_TRUE(node.all<p2p::Bootstrapped>().empty());
    EXPECT_TRUE(node.bootstrap_failures.empty()) << "nobody waits for an answer any more";
  }
}

SIMULATE_PEERS(Bootstrap, OneselfIsNoContact) {
  SimPeerConfig config;
  config.address = network.new_address();
  config.node.advertised = {config.address};
  auto& node = network.node(config);
  std::size_t sent = 0;
  network.on_send([&](const Passing&) { ++sent; });
  node.bootstraps({{.address = node.address()}, {.address = node.address(), .id = node.id()}});
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 10s));
  EXPECT_EQ(node.bootstrap_failures[0].failures.at(0).why, "that is ourselves");
  EXPECT_EQ(sent, 0U) << "its own address is not even dialled";
}

SIMULATE_PEERS(Bootstrap, OneselfAtAnUnknownAddressIsFoundOut) {
  auto& node = network.node();
  node.bootstraps({{.address = node.address()}});
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 10s));
  EXPECT_EQ(node.bootstrap_failures[0].failures.at(0).why, "that is ourselves");
  EXPECT_EQ(node.node().stats().connections, 0U);
  EXPECT_EQ(node.cache().size(), 0U);
}

SIMULATE_PEERS(Bootstrap, TheCacheAloneIsEnough) {
  auto& contact = network.node();
  auto& node = network.node();
  ASSERT_TRUE(network.links(node, contact));
  node.restarts();
  node.bootstraps({});
  EXPECT_TRUE(run_until(node.linked(contact), 5s));
}

SIMULATE_PEERS(Bootstrap, ASecondOneReplacesTheFirst) {
  auto& contact = network.node();
  auto& node = network.node();
  node.bootstraps(dead_candidates(5));
  run_for(50ms);
  node.bootstraps({contact});
  ASSERT_TRUE(run_until(node.linked(contact), 3s));
  run_for(10s);
  EXPECT_EQ(node.all<p2p::Bootstrapped>().size(), 1U);
  EXPECT_EQ(node.node().stats().connections, 2U);
}

}  // namespace
}  // namespace qpeer::sim
