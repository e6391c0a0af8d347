// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Dials: makes a connection to a candidate and introduces us on it.
//
// Invariant: never dials ourselves, nor a candidate without the id that the trust mode needs, nor
// anybody after shut_down(), nor hearsay that KnownNodes does not admit. A ticket is shown once.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "qpeer/p2p/connection_table.hpp"
#include "qpeer/p2p/known_nodes.hpp"
#include "qpeer/p2p/trust.hpp"

namespace qpeer::p2p {

class Dialler {
 public:
  Dialler(const NodeConfig& config, const PeerTls& tls, Random& random, ConnectionSource& source,
          ConnectionTable& connections, KnownNodes& known)
      : config_(config),
        tls_(tls),
        random_(random),
        source_(source),
        connections_(connections),
        known_(known),
        instance_(draw_instance(random)) {}

  /// The connection, or why there is none. Without a probe port the first one is used.
  [[nodiscard]] std::expected<ConnectionSlot, std::string> dial(Instant now,
                                                                const Candidate& candidate,
                                                                Purpose purpose, Port port);
  /// Sends our introduction on the connection's control stream.
  void introduce(PeerConnection& connection);
  /// The port that our router maps to ours, to be advertised in its place to whom we reach by IPv6, or by
  /// IPv4; unset while it maps none.
  void set_mapped_port(bool ipv6, std::optional<std::uint16_t> port) {
    (ipv6 ? mapped_port6_ : mapped_port4_) = port;
  }
  /// Whether we advertise the address.
  [[nodiscard]] bool is_ourselves(const SocketAddress& address) const;
  [[nodiscard]] bool is_us(const PeerId& id) const { return id == tls_.id; }
  void shut_down() { shutting_down_ = true; }

 private:
  [[nodiscard]] static std::uint64_t draw_instance(Random& random);
  void introduce_early(PeerConnection& connection);

  const NodeConfig& config_;
  const PeerTls& tls_;
  Random& random_;
  ConnectionSource& source_;
  ConnectionTable& connections_;
  KnownNodes& known_;
  std::uint64_t instance_;  ///< Ours: see PeerKey.
  std::optional<std::uint16_t> mapped_port4_;
  std::optional<std::uint16_t> mapped_port6_;
  bool shutting_down_ = false;
};

}  // namespace qpeer::p2p
