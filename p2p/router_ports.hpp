// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What our router, or those of IPv4 and of IPv6, let through to us: a RouterPort of each family.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "qpeer/p2p/router_port.hpp"

namespace qpeer::p2p {

class RouterPorts {
 public:
  RouterPorts(const NodeConfig& config, EventQueue& queue, KnownNodes& known, Dialler& dialler,
              Random& random)
      : ipv4_(false, config, queue, known, dialler, random),
        ipv6_(true, config, queue, known, dialler, random) {}

  void on_network(Instant now, const Path& ipv4, const Path& ipv6) {
    ipv4_.on_network(now, ipv4);
    ipv6_.on_network(now, ipv6);
  }
  bool on_datagram(Instant now, const ReceivedDatagram& datagram) {
    return of(datagram.path.remote).on_datagram(now, datagram);
  }
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out) {
    auto transmit = ipv4_.poll_transmit(now, out);
    return transmit ? transmit : ipv6_.poll_transmit(now, out);
  }
  [[nodiscard]] Instant next_deadline() const {
    return std::min(ipv4_.next_deadline(), ipv6_.next_deadline());
  }
  void on_deadline(Instant now) {
    ipv4_.on_deadline(now);
    ipv6_.on_deadline(now);
  }
  void on_reached(const SocketAddress& peer) { of(peer).on_reached(peer); }
  void shut_down(Instant now) {
    ipv4_.shut_down(now);
    ipv6_.shut_down(now);
  }
  /// Of the owner's mapper, which is for IPv4.
  [[nodiscard]] const std::optional<Path>& wanted() const { return ipv4_.wanted(); }
  void on_mapped(Instant now, const SocketAddress& external, Duration lifetime) {
    ipv4_.on_mapped(now, external, lifetime);
  }
  void on_mapping_failed(Instant now, std::string_view why) { ipv4_.on_mapping_failed(now, why); }
  /// What is mapped to us: of IPv4, or else of IPv6.
  [[nodiscard]] const std::optional<SocketAddress>& external() const {
    return ipv4_.external() ? ipv4_.external() : ipv6_.external();
  }
  [[nodiscard]] bool consistent() const { return ipv4_.consistent() && ipv6_.consistent(); }

 private:
  RouterPort& of(const SocketAddress& address) { return address.is_ipv6() ? ipv6_ : ipv4_; }

  RouterPort ipv4_;
  RouterPort ipv6_;
};

}  // namespace qpeer::p2p
