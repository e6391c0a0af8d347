// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Networks of attackers: dial-backs aimed at a victim, and a cache to be filled with their own.
//
// QPEER_FULL=1 runs 1,000 claimers for ten minutes and 10,000 attackers for an hour.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::DialBackTarget;

/// A node's dial-back that nobody answers: two datagrams for the ClientHello, and two for each of
/// the probe timeouts that begin within dial_back_timeout (after 1 s and 3 s).
constexpr std::size_t kDatagramsOfADialBack = 6;

/// What one node can be made to send to one prefix in `time`, whoever asks: a dial-back that is not
/// answered holds its place for dial_back_timeout, and a prefix has only so many places.
std::size_t most_datagrams(const p2p::NodeConfig& config, Duration time) {
  const auto places = config.dial_back_limits.max_in_flight_of_prefix;
  const auto turns = static_cast<std::size_t>(time / config.dial_back_timeout) + 1;
  return places * turns * kDatagramsOfADialBack;
}

/// Peers that say that they listen at the victim's address, and come again and again.
struct Claimers {
  Claimers(PeerWorld& world, SimPeer& node, std::size_t count, const SocketAddress& victim)
      : world_(world), node_(node) {
    for (std::size_t i = 0; i < count; ++i) {
      MaliciousPeerConfig config;
      config.address = world.spread_address();
      config.advertised = {victim};
      all_.emplace_back(world, config);
      world.after(i * 10ms, [this, i] { comes(i); });
    }
  }

  void comes(std::size_t i) {
    MaliciousPeer& attacker = all_[i];
    if (attacker.lines.empty() || attacker.lines.back().closed) {
      attacker.lines.clear();
      attacker.dial(node_);
      ++claims;
    }
    world_.after(2s, [this, i] { comes(i); });
  }

  [[nodiscard]] std::uint64_t bytes_sent() {
    std::uint64_t out = 0;
    for (MaliciousPeer& attacker : all_)
      out += world_.pipe(attacker.host(), node_.host()).stats.entered_bytes;
    return out;
  }

  std::size_t claims = 0;

 private:
  PeerWorld& world_;
  SimPeer& node_;
  std::deque<MaliciousPeer> all_;
};

struct Received {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;
};

void reflect(PeerWorld& network, DialBackTarget policy) {
  const Duration time = full_size() ? Duration{10min} : Duration{60s};
  SimPeerConfig config;
  config.address = network.spread_address();
  config.node.dial_back_target = policy;
  auto& node = network.node(config);
  const SocketAddress victim = network.spread_address();
  Received received;
  network.on_send([&](const Passing& passing) {
    if (passing.to != victim) return;
    ++received.datagrams;
    received.bytes += passing.payload.size();
  });
  Claimers claimers(network, node, full_size() ? 1'000 : 200, victim);
  network.run_for(time);
  const std::size_t bound = most_datagrams(config.node, time);
  fmt::print("{} claims: {} datagrams to the victim, at most {}; {} bytes for {} of the claimers\n",
             claimers.claims, received.datagrams, bound, received.bytes, claimers.bytes_sent());
  EXPECT_GT(claimers.claims, 500U);
  EXPECT_LE(received.bytes, claimers.bytes_sent());
  if (policy == DialBackTarget::observed_host) {
    EXPECT_EQ(received.datagrams, 0U);
  } else {
    EXPECT_GT(received.datagrams, 0U) << "the attack does not even begin";
    EXPECT_LE(received.datagrams, bound);
    // A handful a second.
    EXPECT_LE(bound, 5 * static_cast<std::size_t>(time / 1s));
  }
  EXPECT_EQ(node.cache().size(), 0U);
}

SIMULATE_PEERS(Reflection, WithTheDefaultPolicyTheVictimHearsNothing) {
  reflect(network, DialBackTarget::observed_host);
}

SIMULATE_PEERS(Reflection, WithAnyTargetTheVictimHearsAHandfulASecond) {
  reflect(network, DialBackTarget::any);
}

// --- hearsay -------------------------------------------------------------------------------------

/// A node that names so many others, all of them at the victim's site, whether asked or not.
void name_victims(MaliciousPeer& liar, MaliciousPeer::Line& line, const SocketAddress& victim,
                  std::size_t messages, std::uint32_t& named) {
  for (std::size_t i = 0; i < messages; ++i) {
    p2p::Peers lie;
    for (std::size_t k = 0; k < p2p::kMaxPeers; ++k, ++named) {
      lie.peers.push_back({.id = PeerId({static_cast<u8>(named), static_cast<u8>(named >> 8), 77}),
                           .address = victim.with_port(static_cast<std::uint16_t>(1 + named))});
    }
    liar.send_control(line, lie);
  }
}

SIMULATE_PEERS(Hearsay, OfALiarMakesNobodyFloodAVictim) {
  MaliciousPeer liar(network, {.address = network.spread_address()});
  const SocketAddress victim = network.spread_address();
  Received received;
  network.on_send([&](const Passing& passing) {
    if (!passing.to.same_host(victim)) return;
    ++received.datagrams;
    received.bytes += passing.payload.size();
  });
  std::uint32_t named = 0;
  liar.on_message = [&](MaliciousPeer::Line& line, const p2p::ControlMessage& message) {
    if (!std::holds_alternative<p2p::Introduction>(message)) return;
    liar.send_control(line, liar.introduction(line));
    name_victims(liar, line, victim, 4, named);
    // Without a link all that is known is dialled.
    network.after(1s, [&] { liar.closes(line); });
  };
  SimPeerConfig config;
  config.address = network.spread_address();
  auto& client = network.client(config);
  client.bootstraps(std::vector<p2p::Candidate>{liar.candidate()});
  network.run_for(60s);
  EXPECT_GT(named, 100U);
  EXPECT_GT(received.datagrams, 0U) << "the attack does not even begin";
  EXPECT_LE(received.datagrams, 2 * kDatagramsOfADialBack + 8)
      << received.bytes << " bytes for " << named << " names";
}

// --- eclipse -------------------------------------------------------------------------------------

struct EclipseSize {
  std::size_t capacity;
  std::size_t attackers;
  Duration time;
};

SIMULATE_PEERS(Eclipse, HalfOfTheCacheStaysHonest) {
  const auto size = full_size() ? EclipseSize{200, 10'000, 60min} : EclipseSize{40, 500, 5min};
  SimPeerConfig config;
  config.address = network.spread_address();
  config.node.cache.capacity = size.capacity;
  auto& node = network.node(config);
  std::vector<SimPeer*> honest;
  for (std::size_t i = 0; i < size.capacity * 3 / 4; ++i) {
    SimPeerConfig one;
    one.address = network.spread_address();
    honest.push_back(&network.node(one));
    honest.back()->keeps_events = false;
    honest.back()->bootstraps({node});
    run_for(200ms);
  }
  run_for(10s);
  const auto is_honest = [&](const cache::CacheEntry& entry) {
    return entry.address.octets()[0] < 200;
  };
  const auto honest_part = [&] { return std::ranges::count_if(node.cache().entries(), is_honest); };
  ASSERT_GE(static_cast<std::size_t>(honest_part()), size.capacity / 2);

  // Each of the attackers comes once, proves itself, and makes room for the next.
  std::deque<MaliciousPeer> attackers;
  std::size_t reached = 0;
  for (std::size_t i = 0; i < size.attackers; ++i) {
    MaliciousPeerConfig attacker;
    const auto host = static_cast<std::uint32_t>(i / 4);
    attacker.address = SocketAddress::ipv4({200, static_cast<u8>(i % 4), static_cast<u8>(host >> 4),
                                            static_cast<u8>(1 + (host & 15) * 16)},
                                           4433);
    attackers.emplace_back(network, attacker).dial(node);
    run_for(size.time / static_cast<std::int64_t>(size.attackers));
    if (attackers.size() > 20) {
      if (!attackers.front().accepted().empty()) ++reached;
      attackers.pop_front();
    }
  }
  const auto left = static_cast<std::size_t>(honest_part());
  fmt::print("{} of {} entries are honest after {} attackers, of whom {} were reached\n", left,
             node.cache().size(), size.attackers, reached);
  EXPECT_GT(reached, size.capacity) << "the attack does not even begin";
  EXPECT_GE(2 * left, node.cache().size());
  EXPECT_GE(2 * left, size.capacity);
}

}  // namespace
}  // namespace qpeer::sim
