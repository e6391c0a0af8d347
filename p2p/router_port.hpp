// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node behind a router has the router let strangers through, of IPv4 or of IPv6: a NAT maps a port of its
// own to the node's, which is then advertised in place of the node's; a firewall opens the node's.
//
// Invariant: without a way to the internet, or when it is not wanted, no router is asked, and there is no
// mapping.
#pragma once

#include <optional>

#include "qpeer/p2p/dialler.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/known_nodes.hpp"
#include "qpeer/p2p/nat/port_mapper.hpp"
#include "qpeer/p2p/node_config.hpp"

namespace qpeer::p2p {

class RouterPort {
 public:
  RouterPort(bool ipv6, const NodeConfig& config, EventQueue& queue, KnownNodes& known,
             Dialler& dialler, Random& random)
      : ipv6_(ipv6),
        config_(config),
        queue_(queue),
        known_(known),
        dialler_(dialler),
        mapper_(random) {}

  /// How we reach the internet by one family: our address and port, and the router; neither is valid() without
  /// a way.
  void on_network(Instant now, const Path& internet);
  /// False for what is no answer that the router owes us.
  bool on_datagram(Instant now, const ReceivedDatagram& datagram);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out) {
    return mapper_.poll_transmit(now, out);
  }
  [[nodiscard]] Instant next_deadline() const { return mapper_.next_deadline(); }
  void on_deadline(Instant now);
  /// A peer that we dialled at this address, of the same family, answered.
  void on_reached(const SocketAddress& peer);
  /// The mapping is given back, as far as one request does that. No event follows.
  void shut_down(Instant now);

  /// What the router maps to us now, as it says.
  [[nodiscard]] const std::optional<SocketAddress>& external() const { return external_; }

  [[nodiscard]] bool consistent() const;

 private:
  [[nodiscard]] bool is_wanted(const Path& internet) const;
  [[nodiscard]] bool is_expected() const;
  [[nodiscard]] bool is_double_nat() const;
  void take_events();
  void tell_failure();
  void set_external(const std::optional<SocketAddress>& external);

  bool ipv6_;
  const NodeConfig& config_;
  EventQueue& queue_;
  KnownNodes& known_;
  Dialler& dialler_;
  PortMapper mapper_;
  std::optional<Path> internet_;  ///< Where a mapping is asked for.
  std::optional<SocketAddress> external_;
  std::optional<MappingFailure> failure_;  ///< Why there is none.
  bool reaches_internet_ = false;          ///< Over the router: somebody there answered.
  bool shutting_down_ = false;
};

}  // namespace qpeer::p2p
