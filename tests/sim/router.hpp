// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Address spaces, and the routers that lead from one to the next. Several address spaces may use the same
// addresses: the hosts of two homes may both be 192.168.1.2.
//
//   host, host --- realm "inside" --- router (NatBox) --- realm: the internet, or the inside of a carrier
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "qpeer/tests/sim/nat_box.hpp"
#include "qpeer/tests/sim/nat_gateway.hpp"
#include "qpeer/transport/base/address.hpp"

namespace qpeer::sim {

class Host;
class Router;

/// An address space.
struct Realm {
  std::unordered_map<SocketAddress, Host*> endpoints;  ///< Of hosts, by address and port.
  /// By address alone: routers, and what a router that does not translate has behind it.
  std::unordered_map<SocketAddress, Host*> routers;
  Router* gateway = nullptr;  ///< The way out; the internet has none.

  [[nodiscard]] Host* find(const SocketAddress& to) const {
    if (const auto at = endpoints.find(to); at != endpoints.end()) return at->second;
    if (routers.empty()) return nullptr;
    const auto at = routers.find(to.with_port(0));
    return at == routers.end() ? nullptr : at->second;
  }
};

/// A NAT box or firewall and its place in the network. Made by Network, lives as long.
class Router {
 public:
  Router(Host& host, const NatBoxConfig& config, const SocketAddress& outside, std::uint64_t seed)
      : box(config, outside, seed), host_(host) {
    inside_.gateway = this;
  }

  NatBox box;  ///< For another external address, see Network::change_address.
  /// Answers hosts inside at kGateway4 and kGateway6. See Network::reboot.
  std::optional<NatGateway> gateway;
  /// The hosts behind it do not see each other, as in the network for guests of a hotel.
  bool isolates_hosts = false;

  /// Its place: the links of Network::pipe() and connect() begin and end there.
  [[nodiscard]] Host& host() const { return host_; }
  /// Where others see an internal port that is preserved, or forwarded.
  [[nodiscard]] SocketAddress outside(std::uint16_t port) const {
    return box.outside().with_port(port);
  }

 private:
  friend class Network;
  Host& host_;
  Realm inside_;
};

}  // namespace qpeer::sim
