// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node behind a home router has the router let strangers through: the router maps a port of its own to
// the node's, which is then advertised in place of the node's.
//
// Invariant: without a way to the internet over a private address, or when it is not wanted, no router is
// asked, and there is no mapping.
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
  RouterPort(const NodeConfig& config, EventQueue& queue, KnownNodes& known, Dialler& dialler,
             Random& random)
      : config_(config), queue_(queue), known_(known), dialler_(dialler), mapper_(random) {}

  /// How we reach the internet: our address and port, and the router; neither is valid() without a way.
  void on_network(Instant now, const Path& internet);
  /// False for what is no answer that the router owes us.
  bool on_datagram(Instant now, const ReceivedDatagram& datagram);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out) {
    return mapper_.poll_transmit(now, out);
  }
  [[nodiscard]] Instant next_deadline() const { return mapper_.next_deadline(); }
  void on_deadline(Instant now);
  /// The mapping is given back, as far as one request does that. No event follows.
  void shut_down(Instant now);

  /// What the router maps to us now, as it says.
  [[nodiscard]] const std::optional<SocketAddress>& external() const { return external_; }

  [[nodiscard]] bool consistent() const;

 private:
  [[nodiscard]] bool is_wanted(const Path& internet) const;
  void take_events();
  void set_external(const std::optional<SocketAddress>& external);

  const NodeConfig& config_;
  EventQueue& queue_;
  KnownNodes& known_;
  Dialler& dialler_;
  PortMapper mapper_;
  std::optional<Path> internet_;  ///< Where a mapping is asked for.
  std::optional<SocketAddress> external_;
  bool shutting_down_ = false;
};

}  // namespace qpeer::p2p
