// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What strangers and lying peers can make a node send by STUN and by knocks, and what lies about knocks gain.
#include <algorithm>
#include <ctime>
#include <deque>
#include <map>

#include "qpeer/p2p/nat/probe_target.hpp"
#include "qpeer/tests/scenario/nat/nat_cell.hpp"
#include "qpeer/tests/scenario/nat/nat_places.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::StunClass;
using p2p::StunMessage;
using p2p::Verdict;

std::vector<u8> encoded(const StunMessage& message) {
  std::vector<u8> out(p2p::kMaxStunSize);
  Writer writer{out};
  message.encode(writer);
  out.resize(writer.size());
  return out;
}

/// The most events in any second.
class MostASecond {
 public:
  void add(Instant now) {
    while (!times_.empty() && times_.front() + 1s <= now) times_.pop_front();
    times_.push_back(now);
    most_ = std::max(most_, times_.size());
  }
  [[nodiscard]] double most() const { return static_cast<double>(most_); }

 private:
  std::deque<Instant> times_;
  std::size_t most_ = 0;
};

SocketAddress forged(SeededRandom& random) {
  const std::uint64_t bits = random.next();
  return SocketAddress::ipv4(
      {static_cast<u8>(20 + bits % 80), static_cast<u8>(bits >> 8), static_cast<u8>(bits >> 16), 9},
      static_cast<std::uint16_t>(1'024 + (bits >> 32) % 60'000));
}

SocketAddress forged6(SeededRandom& random) {
  const std::uint64_t bits = random.next();
  const auto byte = [&](int i) { return static_cast<u8>(bits >> 8 * i); };
  return SocketAddress::ipv6(
      {0x2a, byte(0), byte(1), byte(2), byte(3), byte(4), 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 4433);
}

/// So many requests in each of 2,000 milliseconds, of 20 bytes: answers a second, bytes for a byte, and the CPU
/// time for them in percent of the time.
NatRun stun_flood(std::uint64_t seed, int in_a_millisecond, bool from_everywhere) {
  PeerWorld world(seed);
  SimPeer& node = world.node(at(world.spread_address()));
  SeededRandom random(seed);
  MostASecond answers;
  double amplification = 0;
  const SocketAddress victim = forged(random);
  std::vector<u8> request(
      p2p::kStunHeaderSize);  // Without FINGERPRINT: the shortest that is answered.
  Writer writer{request};
  writer.u32(0x0001'0000);
  writer.u32(p2p::kStunCookie);
  std::vector<u8> storage(kMaxTransmitSize);
  const std::clock_t begin = std::clock();
  for (int millisecond = 0; millisecond < 2'000; ++millisecond) {
    world.run_for(1ms);
    for (int i = 0; i < in_a_millisecond; ++i) {
      node.node().on_datagram(world.now(), {.path = {.local = node.address(),
                                                     .remote = !from_everywhere ? victim
                                                               : i % 2 == 0     ? forged(random)
                                                                                : forged6(random)},
                                            .payload = request});
    }
    TransmitBuffer out{.storage = storage};
    while (const auto sent = node.node().poll_transmit(world.now(), out)) {
      answers.add(world.now());
      amplification = std::max(
          amplification, static_cast<double>(sent->size) / static_cast<double>(request.size()));
    }
  }
  const double cpu = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  NatRun out{.holds = node.node().stats().stun_answers > 0};
  out.figures = {answers.most(), amplification};
  if (from_everywhere) out.figures.push_back(cpu / 2 * 100);
  return out;
}

/// Three nodes of different networks ask another one for knocks, 20 times a second each, for five seconds: at one
/// victim, at many, and at addresses that nobody may be made to write to.
NatRun knock_demands(std::uint64_t seed) {
  PeerWorld world(seed);
  SimPeer& node = world.node(at(world.spread_address()));
  MostASecond all;
  std::map<SocketAddress, MostASecond> sites;
  std::size_t largest = 0;
  std::size_t forbidden = 0;
  world.on_send([&](const Passing& datagram) {
    if (datagram.from != node.address()) return;
    const auto message = StunMessage::decode(datagram.payload);
    if (!message || !message->knock_token) return;
    all.add(datagram.now);
    sites[site_of(datagram.to)].add(datagram.now);
    largest = std::max(largest, datagram.payload.size());
    forbidden += static_cast<std::size_t>(!p2p::is_probe_target(datagram.to));
  });
  std::deque<MaliciousPeer> verifiers;
  bool linked = true;
  for (int i = 0; i < 3; ++i) {
    MaliciousPeerConfig config;
    config.address = world.spread_address();
    verifiers.emplace_back(world, config);
    linked = linked && verifiers.back().links(node);
  }
  constexpr SocketAddress kVictim = SocketAddress::ipv4({8, 8, 4, 4}, 4433);
  const std::vector<SocketAddress> nobody{
      SocketAddress::ipv4({10, 0, 0, 1}, 4433),  SocketAddress::ipv4({127, 0, 0, 1}, 4433),
      SocketAddress::ipv4({224, 0, 0, 1}, 4433), SocketAddress::ipv4({255, 255, 255, 255}, 4433),
      SocketAddress::ipv4({8, 8, 4, 4}, 53),     node.address()};
  for (std::size_t round = 0; round < 100; ++round) {
    for (MaliciousPeer& verifier : verifiers) {
      auto& line = verifier.lines.front();
      for (const SocketAddress& target :
           {kVictim, forged(world.random()), nobody[round % nobody.size()]}) {
        verifier.send_control(line, p2p::Knock{.token = {}, .address = target});
      }
    }
    world.run_for(50ms);
  }
  double to_a_site = 0;
  for (const auto& [site, times] : sites) to_a_site = std::max(to_a_site, times.most());
  return {.holds = linked && node.node().stats().knocks_sent > 0,
          .figures = {all.most(), to_a_site, static_cast<double>(largest),
                      static_cast<double>(forbidden)}};
}

/// A peer that no knock gets through to: it invents tokens, and says again what it once got.
NatRun knock_lies(std::uint64_t seed) {
  PeerWorld world(seed);
  SimPeer& verifier = world.node(at(world.spread_address()));
  SimPeer& helper = world.node(at(world.spread_address()));
  NatRun out;
  if (!world.links(helper, verifier)) return out;
  MaliciousPeerConfig config;
  config.address = world.spread_address();
  MaliciousPeer liar(world, config);
  std::vector<p2p::KnockToken> tokens;
  world.on_delivery([&](const Passing& datagram) {
    const auto message = StunMessage::decode(datagram.payload);
    if (datagram.to == liar.address() && message && message->knock_token) {
      tokens.push_back(*message->knock_token);
    }
  });
  const auto verdict = [&](auto&& says) -> std::optional<Verdict> {
    MaliciousPeer::Line& line = liar.dial(verifier);
    if (!world.run_until([&] { return line.theirs.has_value(); }, 5s)) return std::nullopt;
    liar.send_control(line, p2p::KnockMe{});
    for (int i = 0; i < 60 && !liar.verdict_on_us(line); ++i) {
      says(line);
      world.run_for(100ms);
    }
    const auto told = liar.verdict_on_us(line);
    liar.closes(line);
    world.run_for(5s);
    return told;
  };
  const auto invents = verdict([&](auto& line) {
    p2p::KnockToken token{};
    world.random().fill_private(token);
    liar.send_control(line, p2p::Knocked{.token = token, .source = helper.address()});
  });
  const std::vector<p2p::KnockToken> old = tokens;
  const auto repeats = verdict([&](auto& line) {
    for (const p2p::KnockToken& token : old) {
      liar.send_control(line, p2p::Knocked{.token = token, .source = helper.address()});
    }
  });
  out.holds = !old.empty() && invents == Verdict::only_where_it_wrote &&
              repeats == Verdict::only_where_it_wrote;
  return out;
}

/// A thousand forged knocks a second at the port of a node, for five seconds: how many of them it reports to the
/// node that checks it, in any second.
NatRun forged_knocks(std::uint64_t seed) {
  PeerWorld world(seed);
  SimPeer& node = world.node(at(world.spread_address()));
  SimPeer& verifier = world.node(at(world.spread_address()));
  NatRun out{.holds = world.links(node, verifier)};
  MostASecond taken;
  for (int i = 0; i < 5'000; ++i) {
    const std::uint64_t before = node.node().stats().stun_ignored;
    p2p::KnockToken token{};
    world.random().fill_private(token);
    world.inject(forged(world.random()), node.address(),
                 encoded({.message_class = StunClass::indication, .knock_token = token}));
    world.run_for(1ms);
    if (node.node().stats().stun_ignored == before) taken.add(world.now());
  }
  out.figures = {taken.most()};
  return out;
}

/// All that is sent, as one number.
std::uint64_t bytes_of_a_run(std::uint64_t seed) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL;
  PeerWorld world(seed);
  world.set_default_link({.delay = 25ms, .loss = 0.02});
  world.on_send([&hash](const Passing& datagram) {
    for (const u8 byte : datagram.payload) hash = (hash ^ byte) * 0x100'0000'01b3ULL;
  });
  SimPeer& verifier = world.node(at(world.spread_address()));
  SimPeer& helper = world.node(at(world.spread_address()));
  helper.bootstraps({verifier});
  SimPeer& node = world.node(at(kPrivate));
  Router& home = world.behind(symmetric(), node);
  world.add_gateway(home);
  node.node().on_network(world.now(), {.local = kPrivate, .remote = kGateway4.with_port(0)}, {});
  node.bootstraps({verifier});
  world.run_for(20s);
  world.reboot(home);
  world.run_for(20s);
  return hash;
}

}  // namespace

std::vector<NatCell> attack_cells() {
  return {
      {"stun-flood",
       "100,000 STUN requests a second, each with another forged source",
       "1,000 answers in any second; 2.6 times the bytes of a request; 15 % of a core",
       std::nullopt,
       {{"answers a second", 1'000}, {"times the bytes", 2.6}, {"% of a core", 15}},
       1,
       3,
       "",
       [](std::uint64_t seed) { return stun_flood(seed, 100, true); }},
      {"stun-victim",
       "1,000 STUN requests a second, all with one forged source",
       "20 answers in any second; 2.6 times the bytes of a request",
       std::nullopt,
       {{"answers a second", 20}, {"times the bytes", 2.6}},
       1,
       20,
       "",
       [](std::uint64_t seed) { return stun_flood(seed, 1, false); }},
      {"knock-demands",
       "three nodes ask a fourth for knocks at full speed: at one victim, at many, at private and "
       "forbidden addresses",
       "5 in any second, 1 to a network, 48 bytes each; none to an address that is not global",
       std::nullopt,
       {{"a second", 5}, {"to a network", 1}, {"bytes", 48}, {"to others", 0}},
       1,
       20,
       "",
       knock_demands},
      {"knock-lies",
       "a node that strangers do not reach invents tokens, and repeats those of an earlier check",
       "told each time that strangers are cut off",
       std::nullopt,
       {},
       1,
       200,
       "",
       knock_lies},
      {"knock-forged",
       "1,000 forged knocks a second at the port of a node",
       "20 reports in any second to the node that checks it",
       std::nullopt,
       {{"reports a second", 20}},
       1,
       20,
       "",
       forged_knocks},
      {"same-seed",
       "two runs with one seed: a node behind S, a mapper, 2 % loss, a restart of the router",
       "equal bytes",
       std::nullopt,
       {},
       1,
       20,
       "",
       [](std::uint64_t seed) {
         return NatRun{.holds = bytes_of_a_run(seed) == bytes_of_a_run(seed)};
       }},
  };
}

}  // namespace qpeer::sim
