// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What anyone on the path can see of QUIC, counted for each direction: packet types and versions by
// the clear parts of their headers, ECN marks, and what a server sent before its client's address
// was proved.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/datagram.hpp"

namespace qpeer::relay {

/// Of one direction; what was sent, whether it arrived or not.
struct Sightings {
  std::array<std::uint64_t, 4> ecn{};  ///< Datagrams, by Ecn.
  std::uint64_t initial_v1 = 0;        ///< Packets, like the others.
  std::uint64_t initial_v2 = 0;
  std::uint64_t handshake_v1 = 0;
  std::uint64_t handshake_v2 = 0;
  std::uint64_t zero_rtt = 0;
  std::uint64_t zero_rtt_bytes = 0;
  std::uint64_t one_rtt = 0;
  std::uint64_t one_rtt_bytes = 0;
  std::uint64_t retry = 0;
  std::uint64_t version_negotiation = 0;
  std::uint64_t other_version = 0;
};

/// A client's address as the server sees it, and what went both ways before it was proved.
struct Proof {
  std::uint64_t to_server = 0;  ///< Bytes that arrived there.
  std::uint64_t to_client = 0;  ///< Bytes that the server sent.
  bool proved = false;          ///< A Handshake packet of the client arrived. RFC 9000 §8.1.
};

class Wiretap {
 public:
  /// The client of flow `flow` sent this.
  void from_client(std::uint64_t flow, Bytes datagram, Ecn ecn);
  /// This arrives at the server.
  void at_server(Proof& proof, Bytes datagram);
  /// The server sent this.
  void from_server(Proof& proof, Bytes datagram, Ecn ecn);

  [[nodiscard]] const Sightings& client() const { return client_; }
  [[nodiscard]] const Sightings& server() const { return server_; }
  /// Connections that clients began: flows and Source Connection IDs of Initial packets.
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  /// The most that a server sent to an unproved address, in hundredths of what it had received.
  [[nodiscard]] std::uint64_t amplification() const { return amplification_; }

 private:
  Sightings client_;
  Sightings server_;
  std::set<std::pair<std::uint64_t, std::vector<u8>>> connections_;
  std::uint64_t amplification_ = 0;
};

/// The packets of a datagram by name, such as "Initial Handshake".
[[nodiscard]] std::string outline(Bytes datagram);

/// "name value" lines, each name with `prefix` in front.
[[nodiscard]] std::string describe(const Sightings& sightings, const std::string& prefix);

}  // namespace qpeer::relay
