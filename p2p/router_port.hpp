// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node behind a router has the router let strangers through, of IPv4 or of IPv6: a NAT maps a port of its
// own to the node's, which is then advertised in place of the node's; a firewall opens the node's.
//
//   PCP, NAT-PMP --neither maps one--> the owner asks by other means, these two go on
//                                      the owner's is mapped --> these two rest
//                                      the owner's is lost   --> these two begin anew
//                --one of them does--> the owner is asked no more
//
// Invariant: without a way to the internet, or when it is not wanted, no router is asked, and there is no
// mapping. Of the two mappers at most one has a mapping.
#pragma once

#include <optional>
#include <string>
#include <string_view>

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
  /// The mapping is given back, as far as one request does that. Of the owner's mapper none is wanted any more.
  void shut_down(Instant now);

  /// For whom the owner is to have a port mapped.
  [[nodiscard]] const std::optional<Path>& wanted() const { return wanted_; }
  /// The owner's mapper has a mapping, or another one. Ignored when none is wanted.
  void on_mapped(Instant now, const SocketAddress& external, Duration lifetime);
  /// It has none, or none any more.
  void on_mapping_failed(Instant now, std::string_view why);

  /// What the router maps to us now, as it says.
  [[nodiscard]] const std::optional<SocketAddress>& external() const { return external_; }

  [[nodiscard]] bool consistent() const;

 private:
  [[nodiscard]] bool is_wanted(const Path& internet) const;
  [[nodiscard]] bool is_expected() const;
  [[nodiscard]] bool is_double_nat() const;
  void take_events();
  void report(const PortMapped& mapped);
  /// `of_owner`: why the owner's mapper has none either, or empty.
  void report_failure(std::string_view of_owner = {});
  void set_external(const std::optional<SocketAddress>& external);
  void set_wanted(const std::optional<Path>& wanted);

  bool ipv6_;
  const NodeConfig& config_;
  EventQueue& queue_;
  KnownNodes& known_;
  Dialler& dialler_;
  PortMapper mapper_;
  std::optional<Path> internet_;  ///< Where a mapping is asked for.
  std::optional<Path> wanted_;    ///< The same, of the owner's mapper.
  std::optional<SocketAddress> external_;
  std::optional<MappingFailure> failure_;  ///< Why there is none by PCP and NAT-PMP.
  std::string reported_;           ///< The newest failure that was, unless there is a mapping.
  bool is_owners_ = false;         ///< Whether the mapping is that of the owner's mapper.
  bool reaches_internet_ = false;  ///< Over the router: somebody there answered.
  bool shutting_down_ = false;
};

}  // namespace qpeer::p2p
