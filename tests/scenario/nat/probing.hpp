// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A NetworkProbe in a place of its own, and the servers that it asks.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/p2p/nat/network_probe.hpp"
#include "qpeer/p2p/nat/stun_server.hpp"
#include "qpeer/tests/scenario/nat/two_address_server.hpp"
#include "qpeer/tests/sim/nat_types.hpp"
#include "qpeer/tests/sim/simulate.hpp"

namespace qpeer::sim {

/// From the inside to the internet.
using Boxes = std::vector<NatBoxConfig>;

inline constexpr auto kServer = SocketAddress::ipv4({50, 1, 1, 1}, 3478);
inline constexpr auto kServersOther = SocketAddress::ipv4({51, 1, 1, 1}, 3479);
inline constexpr auto kPlain1 = SocketAddress::ipv4({60, 1, 1, 1}, 4477);
inline constexpr auto kPlain2 = SocketAddress::ipv4({61, 1, 1, 1}, 4477);
inline constexpr auto kInside = SocketAddress::ipv4({192, 168, 1, 2}, 4433);
constexpr SocketAddress global6(u8 host, std::uint16_t port = 4433) {
  return SocketAddress::ipv6({0x2a, 0x01, 0, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}, port);
}

/// Each host that is written to sees another port; ports of one host see the same.
constexpr NatBoxConfig by_address() {
  return {.mapping = NatDependence::address_dependent,
          .filtering = NatDependence::address_dependent,
          .ports = PortAssignment::random};
}
constexpr NatBoxConfig without_hairpin(NatBoxConfig box) {
  box.hairpin = Hairpin::off;
  return box;
}

/// The internet with servers: one of two addresses, and two of one address, as nodes are.
class ProbeNetwork : public Network {
 public:
  explicit ProbeNetwork(std::uint64_t seed) : Network(seed) {
    set_default_link(Link{.delay = 25ms});
    server.attach_to(*this);
    for (const SocketAddress& address : {kPlain1, kPlain2, global6(0x60), global6(0x61)}) {
      plain_.push_back(std::make_unique<p2p::StunServer>());
      attach(*plain_.back(), [](const p2p::StunMessage&) {}, address);
    }
  }
  /// For a host that no router translates.
  SocketAddress public_address() { return SocketAddress::ipv4({70, 1, 1, ++hosts_}, 4433); }

  TwoAddressServer server{kServer, kServersOther};

 private:
  std::vector<std::unique_ptr<p2p::StunServer>> plain_;
  u8 hosts_ = 0;
};

/// One probe in a place of its own.
class Probing {
 public:
  /// `boxes` from the inside to the internet.
  explicit Probing(ProbeNetwork& network, const Boxes& boxes = {})
      : network_(network), random_(network.random().next()), probe_(random_) {
    const bool translated = !boxes.empty() && boxes.front().translates;
    own_ = translated ? kInside : network.public_address();
    host_ =
        &network.attach(probe_, [this](const p2p::NetworkReport& each) { report_ = each; }, own_);
    Router* outer = nullptr;
    for (auto box = boxes.rbegin(); box != boxes.rend(); ++box) {
      router_ = &network.add_router(*box);
      if (outer != nullptr) network.behind(*outer, *router_);
      outer = router_;
    }
    if (router_ != nullptr) network.behind(*router_, *host_);
  }
  /// Another address of the machine.
  Probing& with(const SocketAddress& address) {
    network_.add_address(*host_, address);
    return *this;
  }
  /// The nearest router speaks PCP and NAT-PMP, and is asked to.
  Probing& with_gateway(const NatGatewayConfig& config = {}) {
    network_.add_gateway(*router_, config);
    return asks_gateway();
  }
  Probing& asks_gateway() {
    path_ = {.local = own_.with_port(4434), .remote = kGateway4.with_port(0)};
    return with(path_.local);
  }

  /// After `time` the other servers are given, and what nodes found out.
  Probing& adds(Duration time, std::vector<SocketAddress> servers,
                const p2p::FoundFiltering& found) {
    added_ = {.time = time, .servers = std::move(servers), .found = found};
    return *this;
  }

  p2p::NetworkReport run(const std::vector<SocketAddress>& servers) {
    const Instant begin = network_.now();
    probe_.start(begin, servers, path_, added_.has_value());
    if (added_) {
      network_.run_for(added_->time);
      probe_.add(network_.now(), added_->servers, added_->found);
      network_.wake(*host_);
    }
    EXPECT_TRUE(network_.run_until([&] { return report_.has_value(); }, 3s)) << "no report";
    took_ = network_.now() - begin;
    EXPECT_TRUE(network_.run_until([&] { return probe_.is_finished(); }, 1s));
    network_.detach(*host_);
    return *report_;
  }
  [[nodiscard]] Duration took() const { return took_; }
  [[nodiscard]] Router& router() const { return *router_; }
  [[nodiscard]] SocketAddress mapped() const { return path_.local; }

 private:
  struct Added {
    Duration time{};
    std::vector<SocketAddress> servers;
    p2p::FoundFiltering found;
  };

  ProbeNetwork& network_;
  std::optional<Added> added_;
  SeededRandom random_;
  p2p::NetworkProbe probe_;
  SocketAddress own_;
  Path path_{};
  Host* host_ = nullptr;
  Router* router_ = nullptr;
  std::optional<p2p::NetworkReport> report_{};
  Duration took_{};
};

}  // namespace qpeer::sim
