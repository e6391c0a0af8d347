// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Processes that show one key: clients are linked side by side, of two nodes the first is.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/p2p/peer_table.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

using p2p::KeyInUse;
using p2p::Role;
using p2p::Verdict;

SimPeerConfig twin() {
  SimPeerConfig out;
  out.identity = "twin";
  return out;
}

MaliciousPeerConfig twin_of_instance(std::uint64_t instance) {
  MaliciousPeerConfig out;
  out.identity = "twin";
  out.instance = instance;
  return out;
}

bool was_judged(const SimPeer& peer, Verdict verdict) {
  return std::ranges::any_of(peer.verdicts_on_us,
                             [&](const auto& one) { return one.verdict == verdict; });
}

// --- clients -------------------------------------------------------------------------------------

SIMULATE_PEERS(SameKey, AShortLivedClientDisturbsNobody) {
  auto& contact = network.node();
  auto& node = network.node(twin());
  ASSERT_TRUE(network.links(node, contact));
  for (int i = 0; i < 3; ++i) {
    auto& client = network.client(twin());
    client.bootstraps({contact});
    ASSERT_TRUE(run_until(client.linked(contact), 5s));
    client.requests(contact, "by hand");
    ASSERT_TRUE(run_until([&] { return client.responses.size() == 1; }, 5s));
    EXPECT_EQ(contact.node().stats().links, 2U);
    EXPECT_TRUE(contact.node().consistent());
    client.leaves();
    run_for(1s);
  }
  EXPECT_TRUE(node.losses.empty());
  EXPECT_TRUE(contact.losses.empty());
  EXPECT_EQ(contact.all<p2p::LinkUp>().size(), 1U) << "of the node";
  EXPECT_EQ(contact.node().stats().links, 1U);
  EXPECT_TRUE(contact.all<KeyInUse>().empty());
}

SIMULATE_PEERS(SameKey, AClientThatStaysHasALinkBesideThatOfTheNode) {
  auto& contact = network.node();
  auto& node = network.node(twin());
  auto& client = network.client(twin());
  ASSERT_TRUE(network.links(node, contact));
  client.bootstraps({contact});
  run_for(30s);
  for (const SimPeer* peer : {&contact, &node, &client}) EXPECT_TRUE(peer->losses.empty());
  const auto links = contact.node().links();
  ASSERT_EQ(links.size(), 2U);
  EXPECT_EQ(links[0].role, Role::node);
  EXPECT_FALSE(links[0].further);
  EXPECT_EQ(links[1].role, Role::client);
  EXPECT_TRUE(links[1].further);
  contact.sends(node, "to the node");
  client.requests(contact, "of the client");
  ASSERT_TRUE(
      run_until([&] { return node.messages.size() == 1 && client.responses.size() == 1; }, 5s));
}

SIMULATE_PEERS(SameKey, AnswersGoToTheClientThatAsked) {
  auto& contact = network.node();
  contact.answers = false;
  std::vector<SimPeer*> clients;
  for (int i = 0; i < 3; ++i) {
    SimPeer& client = *clients.emplace_back(&network.client(twin()));
    client.bootstraps({contact});
    ASSERT_TRUE(run_until(client.linked(contact), 5s));
    client.requests(contact, "client " + std::to_string(i));
  }
  run_for(1s);
  std::vector<p2p::Request> requests;
  while (auto request = contact.node().next_request(network.now())) requests.push_back(*request);
  ASSERT_EQ(requests.size(), 3U);
  std::ranges::reverse(requests);
  for (p2p::Request& request : requests) {
    EXPECT_EQ(request.from, clients[0]->id());
    ASSERT_TRUE(contact.node().reply(network.now(), request.id, std::move(request.data)));
  }
  contact.wake();
  for (std::size_t i = 0; i < 3; ++i) {
    SimPeer& client = *clients[i];
    ASSERT_TRUE(run_until([&] { return client.responses.size() == 1; }, 5s));
    const auto& data = client.responses[0].data;
    EXPECT_EQ(std::string(data.begin(), data.end()), "client " + std::to_string(i));
  }
}

SIMULATE_PEERS(SameKey, TheIdNamesAClientWhenTheNodeIsGone) {
  auto& contact = network.node();
  auto& node = network.node(twin());
  auto& client = network.client(twin());
  ASSERT_TRUE(network.links(node, contact));
  client.bootstraps({contact});
  ASSERT_TRUE(run_until(client.linked(contact), 5s));
  contact.events.clear();
  node.leaves();
  ASSERT_TRUE(run_until([&] { return !contact.all<p2p::LinkUp>().empty(); }, 5s));
  EXPECT_EQ(contact.all<p2p::LinkDown>().size(), 1U);
  EXPECT_EQ(contact.all<p2p::LinkUp>()[0].role, Role::client);
  const auto link = contact.node().link(client.id());
  ASSERT_TRUE(link);
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->role, Role::client);
  EXPECT_TRUE(client.losses.empty());
}

SIMULATE_PEERS(SameKey, ANodeTakesTheNameOfAClient) {
  auto& contact = network.node();
  auto& client = network.client(twin());
  auto& node = network.node(twin());
  client.bootstraps({contact});
  ASSERT_TRUE(run_until(client.linked(contact), 5s));
  ASSERT_TRUE(network.links(node, contact));
  run_for(1s);
  const auto ups = contact.all<p2p::LinkUp>();
  ASSERT_EQ(ups.size(), 2U);
  EXPECT_EQ(ups[1].role, Role::node);
  EXPECT_EQ(contact.all<p2p::LinkDown>().size(), 1U) << "one link of an id at a time";
  EXPECT_TRUE(client.losses.empty());
  client.requests(contact, "still there");
  EXPECT_TRUE(run_until([&] { return client.responses.size() == 1; }, 5s));
}

SIMULATE_PEERS(SameKey, AClientKeepsNobodyFromDiallingTheNodeOfItsKey) {
  auto& contact = network.node();
  auto& client = network.client(twin());
  auto& node = network.node(twin());
  client.bootstraps({contact});
  ASSERT_TRUE(run_until(client.linked(contact), 5s));
  contact.bootstraps({node});
  EXPECT_TRUE(run_until([&] { return contact.bootstrapped_at && node.is_linked_to(contact); }, 5s));
  EXPECT_EQ(contact.node().link(node.id())->role, Role::node);
  EXPECT_TRUE(client.losses.empty());
}

SIMULATE_PEERS(SameKey, SoManyProcessesHaveALink) {
  auto& contact = network.node();
  for (std::size_t i = 0; i < p2p::PeerTable::kMaxInstances; ++i) {
    auto& client = network.client(twin());
    client.bootstraps({contact});
    ASSERT_TRUE(run_until(client.linked(contact), 5s)) << i;
  }
  auto& one_more = network.client(twin());
  one_more.bootstraps({contact});
  ASSERT_TRUE(run_until([&] { return !one_more.bootstrap_failures.empty(); }, 30s));
  EXPECT_FALSE(one_more.is_linked());
  EXPECT_EQ(contact.node().stats().links, p2p::PeerTable::kMaxInstances);
  auto& other = network.client();
  other.bootstraps({contact});
  EXPECT_TRUE(run_until(other.linked(contact), 5s)) << "of another key there may be more";
}

SIMULATE_PEERS(SameKey, ProcessesThatAreGoneMakeRoom) {
  auto& contact = network.node();
  for (std::size_t i = 0; i < p2p::PeerTable::kMaxInstances; ++i) {
    auto& client = network.client(twin());
    client.bootstraps({contact});
    ASSERT_TRUE(run_until(client.linked(contact), 5s)) << i;
    client.crashes();
  }
  auto& one_more = network.client(twin());
  one_more.bootstraps({contact});
  run_for(4s);
  one_more.bootstraps({contact});
  EXPECT_TRUE(run_until(one_more.linked(contact), 5s));
}

// --- two nodes -----------------------------------------------------------------------------------

SIMULATE_PEERS(SameKey, OfTwoNodesTheSecondIsRefusedAndBothSidesAreTold) {
  auto& contact = network.node();
  auto& first = network.node(twin());
  auto& second = network.node(twin());
  ASSERT_TRUE(network.links(first, contact));
  contact.events.clear();
  second.bootstraps({contact});
  run_for(60s);
  EXPECT_FALSE(was_judged(second, Verdict::reachable));
  EXPECT_TRUE(second.all<p2p::LinkUp>().empty());
  ASSERT_EQ(second.bootstrap_failures.size(), 1U);
  EXPECT_NE(second.bootstrap_failures[0].failures[0].why.find("another node uses the same key"),
            std::string::npos);
  const auto told = second.all<KeyInUse>();
  ASSERT_GE(told.size(), 1U);
  EXPECT_EQ(told[0].peer, second.id());
  EXPECT_EQ(told[0].by, contact.id());
  EXPECT_EQ(told[0].address, contact.address());
  EXPECT_TRUE(told[0].refused_us);
  const auto first_told = first.all<KeyInUse>();
  ASSERT_EQ(first_told.size(), 1U);
  EXPECT_EQ(first_told[0].peer, first.id());
  EXPECT_EQ(first_told[0].by, contact.id());
  EXPECT_EQ(first_told[0].address, second.address());
  EXPECT_FALSE(first_told[0].refused_us);
  const auto seen = contact.all<KeyInUse>();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].peer, first.id());
  EXPECT_FALSE(seen[0].by);
  EXPECT_EQ(seen[0].address, second.address());
  for (const SimPeer* peer : {&contact, &first}) EXPECT_TRUE(peer->losses.empty());
  ASSERT_NE(contact.cache().find(first.id()), nullptr);
  EXPECT_EQ(contact.cache().find(first.id())->address, first.address());
  EXPECT_EQ(contact.cache().find(first.id())->failures, 0U);
  ASSERT_NE(second.cache().find(contact.id()), nullptr);
  EXPECT_EQ(second.cache().find(contact.id())->failures, 0U) << "it is no failure of the contact";
}

// Anybody who is linked may say that our key is used elsewhere.
SIMULATE_PEERS(SameKey, AFloodOfNoticesIsOneEventAMinute) {
  auto& node = network.node();
  MaliciousPeer liar(network);
  ASSERT_TRUE(liar.links(node));
  for (int second = 0; second < 90; ++second) {
    const auto host = static_cast<u8>(second);
    liar.send_control(liar.lines.front(),
                      p2p::KeySharedNotice{.address = SocketAddress::ipv4({5, 6, 7, host}, 443)});
    run_for(1s);
  }
  EXPECT_EQ(node.all<KeyInUse>().size(), 2U);
  EXPECT_TRUE(node.losses.empty());
}

SIMULATE_PEERS(SameKey, ASecondNodeThatWeDialIsRefusedToo) {
  for (const Role role : {Role::node, Role::client}) {
    SimPeerConfig config;
    config.node.role = role;
    auto& dialler = network.peer(config);
    auto& first = network.node(twin());
    auto& second = network.node(twin());
    ASSERT_TRUE(network.links(dialler, first) || role == Role::client);
    ASSERT_TRUE(run_until(dialler.linked(first), 5s));
    run_for(1s);
    dialler.node().connect(network.now(), {.address = second.address()});
    dialler.wake();
    ASSERT_TRUE(run_until([&] { return !dialler.all<p2p::LinkFailed>().empty(); }, 10s));
    EXPECT_EQ(dialler.all<p2p::LinkFailed>()[0].candidate.why, "another node uses the same key");
    EXPECT_EQ(dialler.all<KeyInUse>().size(), 1U);
    EXPECT_TRUE(dialler.losses.empty());
    EXPECT_EQ(dialler.cache().find(first.id())->address, first.address());
  }
}

// As a node that came back elsewhere.
SIMULATE_PEERS(SameKey, ANodeTakesThePlaceOfOneThatIsGone) {
  auto& contact = network.node();
  auto& client = network.client();
  auto& before = network.node(twin());
  ASSERT_TRUE(network.links(before, contact));
  client.bootstraps({before});
  ASSERT_TRUE(run_until(client.linked(before), 5s));
  before.crashes();
  run_for(1s);
  auto& after = network.node(twin());
  after.bootstraps({contact});
  client.node().connect(network.now(), {.address = after.address()});
  client.wake();
  ASSERT_TRUE(
      run_until([&] { return after.is_linked_to(contact) && contact.is_linked_to(after); }, 5s));
  contact.sends(after, "to the one after");
  ASSERT_TRUE(run_until([&] { return after.messages.size() == 1; }, 5s));
  ASSERT_TRUE(
      run_until([&] { return client.node().link(after.id())->address == after.address(); }, 5s));
  EXPECT_EQ(contact.cache().find(after.id())->address, after.address());
  EXPECT_TRUE(contact.all<KeyInUse>().empty());
  EXPECT_TRUE(after.all<KeyInUse>().empty());
  EXPECT_EQ(std::ranges::count(contact.node().links(), after.id(), &p2p::LinkInfo::peer), 1);
}

// Where it was it is itself, so that nothing has to be waited for.
SIMULATE_PEERS(SameKey, ANodeThatComesBackAtItsAddressIsLinkedAtOnce) {
  auto& contact = network.node();
  auto& node = network.node(twin());
  ASSERT_TRUE(network.links(node, contact));
  node.crashes();
  node.restarts();
  node.bootstraps({contact});
  EXPECT_TRUE(
      run_until([&] { return node.is_linked_to(contact) && contact.is_linked_to(node); }, 500ms));
}

SIMULATE_PEERS(SameKey, TheSecondNodeIsLinkedWhenTheFirstIsGone) {
  auto& contact = network.node();
  auto& first = network.node(twin());
  auto& second = network.node(twin());
  ASSERT_TRUE(network.links(first, contact));
  second.bootstraps({contact});
  ASSERT_TRUE(run_until([&] { return !second.bootstrap_failures.empty(); }, 10s));
  first.leaves();
  run_for(1s);
  second.bootstraps({contact});
  EXPECT_TRUE(run_until([&] { return second.is_linked_to(contact) && contact.is_linked(); }, 5s));
}

// --- what a process with the key may try --------------------------------------------------------

SIMULATE_PEERS(SameKey, TheProofOfOneProcessIsNoneOfAnother) {
  auto& contact = network.node();
  auto& node = network.node(twin());
  ASSERT_TRUE(network.links(node, contact));
  MaliciousPeerConfig config = twin_of_instance(7);
  config.advertised = {{node.address()}};
  config.address = node.address().with_port(9'999);
  MaliciousPeer other(network, config);
  auto& line = other.dial(contact);
  ASSERT_TRUE(run_until([&] { return line.closed.has_value(); }, 30s));
  EXPECT_NE(other.verdict_on_us(line), Verdict::reachable);
  EXPECT_TRUE(node.losses.empty());
  EXPECT_TRUE(contact.losses.empty());
}

SIMULATE_PEERS(SameKey, OfAMinorThatTellsNoInstanceTheConnectionsAreOnePeers) {
  auto& contact = network.node();
  MaliciousPeerConfig old = twin_of_instance(0);
  old.minor = 0;
  MaliciousPeer peer(network, old);
  ASSERT_TRUE(peer.links(contact));
  auto& again = peer.dial(contact);
  ASSERT_TRUE(run_until(
      [&] { return MaliciousPeer::received<p2p::VerdictMessage>(again).size() == 1; }, 5s));
  EXPECT_EQ(peer.verdict_on_us(again), Verdict::reachable);
  EXPECT_EQ(contact.node().links().size(), 1U);
  auto& client = network.client(twin());
  client.bootstraps({contact});
  ASSERT_TRUE(run_until(client.linked(contact), 5s));
  EXPECT_TRUE(contact.losses.empty()) << "it is not the same peer";
}

}  // namespace
}  // namespace qpeer::sim
