// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What there must be before there is a connection. RFC 9000 §7.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/stream/byte_pool.hpp"

namespace qpeer::transport {

/// What an endpoint settled before it makes a connection.
struct ConnectionSetup {
  Side side = Side::client;
  Version version = Version::v1;  ///< Of the client's first packet.
  Path path;
  /// Of the client's first Initial: the client draws it, the server reads it. RFC 9000 §7.2.
  ConnectionId original_destination_connection_id;
  /// Server: the ID that the Initial we accept was sent to; after a Retry that differs from the
  /// original, and Initial keys come from it.
  ConnectionId initial_destination_connection_id;
  /// Server: the client's Source Connection ID.
  ConnectionId remote_connection_id;
  /// Server: a Retry token proved the address, so no anti-amplification limit applies.
  bool address_validated = false;
  bool retried = false;
  std::shared_ptr<crypto::TlsContext> tls;
  std::string server_name;
  /// Client: of an earlier connection to this server, for its Initials. RFC 9000 §8.1.3.
  std::vector<u8> token{};
  /// Client: that connection was less than a week ago, and its server took packets without the QUIC
  /// Bit. RFC 9287 §3.1.
  bool token_greases_quic_bit = false;
  /// Server: may be null, then clients get no tokens.
  NewTokenSource* new_tokens = nullptr;
  /// What an Instant lacks to Unix time, if known.
  Duration clock_offset{};
  std::optional<SessionTicket> session_ticket{};       ///< Client: of an earlier connection.
  EarlyDataPolicy early_data = EarlyDataPolicy::none;  ///< Client.
  DropCounts* drops = nullptr;                         ///< Of the endpoint; may be null.
  ConnectionPools pools{};                             ///< Of the endpoint.
};

/// Values that the RFC does not allow, or with which nothing moves, become the nearest that will do.
[[nodiscard]] ConnectionConfig sanitized(ConnectionConfig config);

/// With controllers that draw from `random` what they need of chance.
[[nodiscard]] ConnectionConfig seeded(ConnectionConfig config, Random& random);

/// The controller that the configuration names.
std::unique_ptr<CongestionController> make_controller(const ConnectionConfig& config,
                                                      std::uint16_t max_datagram_size);

}  // namespace qpeer::transport
