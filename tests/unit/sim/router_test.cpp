// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Routers in the simulated network, with machines that send and note datagrams.
#include "qpeer/tests/sim/router.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/nat_types.hpp"
#include "qpeer/tests/sim/network.hpp"
#include "qpeer/tests/sim/simulate.hpp"

namespace qpeer::sim {
namespace {

constexpr SocketAddress kPrivate = SocketAddress::ipv4({192, 168, 1, 2}, 4433);
constexpr SocketAddress kPrivate2 = SocketAddress::ipv4({192, 168, 1, 3}, 4433);
constexpr SocketAddress kPublic = SocketAddress::ipv4({11, 1, 1, 1}, 4433);
constexpr SocketAddress kPublic6 =
    SocketAddress::ipv6({0x2a, 0x01, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 4433);
constexpr SocketAddress kInside6 =
    SocketAddress::ipv6({0x2a, 0x01, 0, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 4433);

struct Arrival {
  Instant at;
  SocketAddress from;
  SocketAddress to;
  std::vector<u8> payload;
};

struct Outgoing {
  SocketAddress to;
  std::vector<u8> payload;
};

/// A machine that sends and notes datagrams.
class Talker {
 public:
  void on_datagram(Instant now, ReceivedDatagram in) {
    arrivals.push_back(
        {now, in.path.remote, in.path.local, {in.payload.begin(), in.payload.end()}});
  }
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer& out) {
    if (to_send.empty()) return std::nullopt;
    const Outgoing next = std::move(to_send.front());
    to_send.pop_front();
    copy(next.payload, out.storage);
    return Transmit{.path = {.local = {}, .remote = next.to},
                    .size = next.payload.size(),
                    .segment_size = next.payload.size()};
  }
  [[nodiscard]] Instant next_deadline() const { return kNever; }
  void on_deadline(Instant) {}
  std::optional<int> poll_event() { return std::nullopt; }

  std::deque<Outgoing> to_send;
  std::vector<Arrival> arrivals;
};

struct TalkerNetwork : Network {
  using Network::Network;

  /// A host at this address, on the internet ...
  Host& host(const SocketAddress& address) {
    auto machine = std::make_unique<Talker>();
    Host& out = attach(*machine, [](int) {}, address);
    talkers_.emplace(&out, std::move(machine));
    return out;
  }
  /// ... or behind a router.
  Host& host(const SocketAddress& address, Router& router) {
    Host& out = host(address);
    behind(router, out);
    return out;
  }
  Talker& talker(const Host& host) { return *talkers_.at(&host); }
  void send(Host& from, const SocketAddress& to, std::vector<u8> payload = {1}) {
    talker(from).to_send.push_back({to, std::move(payload)});
    wake(from);
  }
  /// Sends, waits, and says where the datagram was seen to come from, if it arrived.
  std::optional<SocketAddress> seen(Host& from, Host& to, const SocketAddress& address) {
    const std::size_t before = talker(to).arrivals.size();
    send(from, address);
    run_for(1s);
    if (talker(to).arrivals.size() == before) return std::nullopt;
    return talker(to).arrivals.back().from;
  }

 private:
  std::unordered_map<const Host*, std::unique_ptr<Talker>> talkers_;
};

SIMULATE_IN(TalkerNetwork, Routers, TranslateAndAddTheirHops) {
  Router& home = network.add_router(port_restricted());
  Host& inside = network.host(kPrivate, home);
  Host& outside = network.host(kPublic);
  network.connect(inside, outside, Link{.delay = 40ms});
  const Instant start = network.now();
  EXPECT_EQ(network.seen(inside, outside, kPublic), home.outside(4433));
  EXPECT_EQ(network.talker(outside).arrivals[0].at, start + 40ms + 250us);
  EXPECT_EQ(network.seen(outside, inside, home.outside(4433)), kPublic);
  EXPECT_EQ(network.talker(inside).arrivals[0].to, kPrivate);
  EXPECT_EQ(network.pipe(home.host(), outside).stats.delivered, 1U);
  EXPECT_EQ(network.pipe(inside, home.host()).stats.delivered, 1U);
}

SIMULATE_IN(TalkerNetwork, Routers, HidePrivateAddresses) {
  Router& home = network.add_router(full_cone());
  Host& inside = network.host(kPrivate, home);
  Host& outside = network.host(kPublic);
  EXPECT_EQ(network.seen(outside, inside, kPrivate), std::nullopt);
  EXPECT_EQ(network.stats().unroutable, 1U);
  EXPECT_EQ(network.seen(outside, inside, home.outside(4433)), std::nullopt);
  EXPECT_EQ(network.stats().filtered, 1U);
}

// Two datagrams that cross open both filters; one that arrives first finds the other filter closed.
SIMULATE_IN(TalkerNetwork, Routers, FilterWhenTheDatagramReachesThem) {
  Router& home_a = network.add_router(port_restricted());
  Router& home_b = network.add_router(port_restricted());
  Host& a = network.host(kPrivate, home_a);
  Host& b = network.host(kPrivate, home_b);
  network.connect(a, b, Link{.delay = 40ms});
  network.send(a, home_b.outside(4433));
  run_for(39ms);
  network.send(b, home_a.outside(4433));
  run_for(1s);
  EXPECT_EQ(network.talker(a).arrivals.size(), 1U);
  EXPECT_EQ(network.talker(b).arrivals.size(), 1U);

  home_a.box.reboot();
  home_b.box.reboot();
  network.send(a, home_b.outside(4433));
  run_for(41ms);
  network.send(b, home_a.outside(4433));
  run_for(1s);
  EXPECT_EQ(network.talker(a).arrivals.size(), 2U) << "it was sent before";
  EXPECT_EQ(network.talker(b).arrivals.size(), 1U) << "it came too early";
}

// RFC 4787 §4.4, REQ-7: the second way, to translate between spaces that use the same addresses.
SIMULATE_IN(TalkerNetwork, Routers, SeparateSpacesThatUseTheSameAddresses) {
  Router& home_a = network.add_router(full_cone());
  Router& home_b = network.add_router(full_cone());
  Host& a = network.host(kPrivate, home_a);
  Host& a2 = network.host(home_a.outside(4433), home_a);  // As the router itself, outside.
  Host& b = network.host(kPrivate, home_b);
  Host& outside = network.host(kPublic);
  EXPECT_EQ(network.seen(a, outside, kPublic), home_a.outside(4433));
  EXPECT_EQ(network.seen(b, outside, kPublic), home_b.outside(4433));
  EXPECT_TRUE(network.seen(a2, outside, kPublic)->same_host(home_a.outside(0)));
  EXPECT_EQ(network.seen(a, b, home_b.outside(4433)), home_a.outside(4433));
  EXPECT_EQ(network.seen(a, b, kPrivate), std::nullopt) << "that is its own address";
  EXPECT_EQ(network.seen(outside, a, home_a.outside(4433)), kPublic) << "not to the host inside";
}

SIMULATE_IN(TalkerNetwork, Routers, StandBehindThatOfACarrier) {
  Router& carrier = network.add_router(full_cone());
  Router& home = network.add_router(full_cone());
  network.behind(carrier, home);
  Host& inside = network.host(kPrivate, home);
  Host& outside = network.host(kPublic);
  EXPECT_EQ(home.box.outside(), SocketAddress::ipv4({100, 64, 0, 2}, 0));
  EXPECT_EQ(network.seen(inside, outside, kPublic), carrier.outside(4433));
  EXPECT_EQ(network.seen(outside, inside, carrier.outside(4433)), kPublic);
  EXPECT_EQ(network.seen(outside, inside, home.outside(4433)), std::nullopt);
}

SIMULATE_IN(TalkerNetwork, Routers, OfTwoHomesAreJoinedByTheCarriersHairpin) {
  for (const Hairpin hairpin : {Hairpin::external_source, Hairpin::off}) {
    NatBoxConfig config = full_cone();
    config.hairpin = hairpin;
    Router& carrier = network.add_router(config);
    Router& home_a = network.add_router(full_cone());
    Router& home_b = network.add_router(full_cone());
    network.behind(carrier, home_a);
    network.behind(carrier, home_b);
    Host& a = network.host(kPrivate, home_a);
    Host& b = network.host(kPrivate.with_port(5000), home_b);
    Host& outside = network.host(network.new_address());
    ASSERT_TRUE(network.seen(b, outside, outside.address()));
    const bool on = hairpin == Hairpin::external_source;
    EXPECT_EQ(network.seen(a, b, carrier.outside(5000)),
              on ? std::optional(carrier.outside(4433)) : std::nullopt);
  }
}

SIMULATE_IN(TalkerNetwork, Routers, MayIsolateTheirHosts) {
  Router& home = network.add_router(full_cone());
  Host& a = network.host(kPrivate, home);
  Host& a2 = network.host(kPrivate2, home);
  Host& outside = network.host(kPublic);
  EXPECT_EQ(network.seen(a, a2, kPrivate2), kPrivate);
  home.isolates_hosts = true;
  EXPECT_EQ(network.seen(a, a2, kPrivate2), std::nullopt);
  EXPECT_TRUE(network.seen(a, outside, kPublic)) << "the way out is open";
  ASSERT_TRUE(network.seen(a2, outside, kPublic));
  const SocketAddress external = network.talker(outside).arrivals.back().from;
  EXPECT_EQ(network.seen(a, a2, external), home.outside(4433)) << "and so is the hairpin";
}

SIMULATE_IN(TalkerNetwork, Routers, ThatOnlyFilterKeepPublicAddresses) {
  Router& wall = network.add_router(firewall());
  Host& inside = network.host(SocketAddress::ipv4({12, 1, 1, 2}, 4433), wall);
  network.add_address(inside, kInside6);
  Host& outside = network.host(kPublic);
  network.add_address(outside, kPublic6);
  for (const auto& [host, peer] :
       {std::pair(inside.address(), kPublic), std::pair(kInside6, kPublic6)}) {
    EXPECT_EQ(network.seen(outside, inside, host), std::nullopt);
    EXPECT_EQ(network.seen(inside, outside, peer), host);
    EXPECT_EQ(network.seen(outside, inside, host), peer);
  }
}

SIMULATE_IN(TalkerNetwork, Routers, FilterIpv6BehindTwoNats) {
  Router& carrier = network.add_router(full_cone());
  Router& home = network.add_router(port_restricted());
  network.behind(carrier, home);
  Host& inside = network.host(kPrivate, home);
  network.add_address(inside, kInside6);
  network.add_address(inside, kInside6.with_port(4434));
  Host& outside = network.host(kPublic);
  network.add_address(outside, kPublic6);
  EXPECT_EQ(network.seen(outside, inside, kInside6), std::nullopt);
  EXPECT_EQ(network.seen(inside, outside, kPublic6), kInside6);
  EXPECT_EQ(network.seen(outside, inside, kInside6), kPublic6);
  network.remove_address(inside, kInside6.with_port(4434));
  EXPECT_EQ(network.seen(outside, inside, kInside6), kPublic6) << "the other port stays";
}

SIMULATE_IN(TalkerNetwork, Routers, LetHostsMoveToAnotherUplink) {
  Router& home = network.add_router(full_cone());
  Router& mobile = network.add_router(full_cone());
  Host& inside = network.host(kPrivate, home);
  Host& outside = network.host(kPublic);
  EXPECT_EQ(network.seen(inside, outside, kPublic), home.outside(4433));
  network.behind(mobile, inside);
  EXPECT_EQ(network.seen(outside, inside, home.outside(4433)), std::nullopt);
  EXPECT_EQ(network.seen(inside, outside, kPublic), mobile.outside(4433));
}

SIMULATE_IN(TalkerNetwork, Routers, GetAnotherExternalAddress) {
  const SocketAddress elsewhere = SocketAddress::ipv4({151, 1, 1, 1}, 0);
  Router& home = network.add_router(full_cone());
  Host& inside = network.host(kPrivate, home);
  Host& outside = network.host(kPublic);
  const SocketAddress before = *network.seen(inside, outside, kPublic);
  network.change_address(home, elsewhere);
  EXPECT_EQ(network.seen(outside, inside, before), std::nullopt);
  EXPECT_EQ(network.seen(inside, outside, kPublic), elsewhere.with_port(4433));
  EXPECT_EQ(network.seen(outside, inside, elsewhere.with_port(4433)), kPublic);
}

SIMULATE_IN(TalkerNetwork, Routers, ShareTheLinkBetweenThem) {
  Router& home = network.add_router(full_cone());
  Host& a = network.host(kPrivate, home);
  Host& a2 = network.host(kPrivate2, home);
  Host& outside = network.host(kPublic);
  EXPECT_EQ(&network.pipe(a, outside), &network.pipe(a2, outside));
  EXPECT_EQ(&network.pipe(outside, a), &network.pipe(outside, home.host()));
  EXPECT_NE(&network.pipe(a, a2), &network.pipe(a, home.host()));
  network.pipe(a, outside).link.blocked = true;
  EXPECT_EQ(network.seen(a2, outside, kPublic), std::nullopt);
}

// --- gateways ------------------------------------------------------------------------------------

// RFC 6886 §3.3.
const std::vector<u8> kMapPort{0, 1, 0, 0, 4433 >> 8, 4433 & 0xff, 0, 0, 0, 0, 14, 16};

SIMULATE_IN(TalkerNetwork, Routers, MapPortsForTheirHostsOnly) {
  Router& home = network.add_router(symmetric());
  network.add_gateway(home);
  Host& inside = network.host(kPrivate, home);
  Host& outside = network.host(kPublic);
  for (const SocketAddress& to : {kGateway4, home.outside(kGatewayPort)}) {
    network.send(outside, to, kMapPort);
    run_for(1s);
  }
  EXPECT_TRUE(network.talker(outside).arrivals.empty());
  EXPECT_EQ(network.seen(outside, inside, home.outside(4433)), std::nullopt);

  network.send(inside, kGateway4, kMapPort);
  run_for(1s);
  ASSERT_EQ(network.talker(inside).arrivals.size(), 1U);
  EXPECT_EQ(network.talker(inside).arrivals[0].from, kGateway4);
  EXPECT_EQ(network.talker(inside).arrivals[0].payload.size(), 16U);
  EXPECT_EQ(network.seen(outside, inside, home.outside(4433)), kPublic);
}

SIMULATE_IN(TalkerNetwork, Routers, WithoutAGatewayDoNotAnswer) {
  Router& home = network.add_router(symmetric());
  Host& inside = network.host(kPrivate, home);
  network.send(inside, kGateway4, kMapPort);
  run_for(1s);
  EXPECT_TRUE(network.talker(inside).arrivals.empty());
}

// RFC 6886 §3.2.1, RFC 6887 §14.1.3.
SIMULATE_IN(TalkerNetwork, Routers, AnnounceARebootToTheirHosts) {
  Router& home = network.add_router(port_restricted());
  network.add_gateway(home);
  Host& inside = network.host(kPrivate, home);
  network.add_address(inside, kInside6);
  Host& inside2 = network.host(kPrivate2, home);
  Host& outside = network.host(kPublic);
  network.send(inside, kGateway4, kMapPort);
  run_for(10s);
  network.reboot(home);
  network.send(outside, home.outside(4433));
  run_for(3min);
  EXPECT_EQ(std::ranges::count(network.talker(inside).arrivals, kPublic, &Arrival::from), 0)
      << "the port is not mapped any more";
  const auto count = [&](const Host& host, const SocketAddress& group) {
    return std::ranges::count(network.talker(host).arrivals, group, &Arrival::to);
  };
  EXPECT_EQ(count(inside, kAnnouncements4), 20) << "of NAT-PMP and PCP, ten each";
  EXPECT_EQ(count(inside, kAnnouncements6), 10) << "of PCP";
  EXPECT_EQ(count(inside2, kAnnouncements4), 20);
  EXPECT_EQ(count(inside2, kAnnouncements6), 0);
  EXPECT_TRUE(network.talker(outside).arrivals.empty());
  const auto& last = network.talker(inside2).arrivals[18];
  EXPECT_EQ(last.from, kGateway4);
  EXPECT_EQ(last.payload, (std::vector<u8>{0, 128, 0, 0, 0, 0, 0, 127, 150, 0, 0, 1}));
}

}  // namespace
}  // namespace qpeer::sim
