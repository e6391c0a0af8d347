// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a client keeps of one connection to make the next one shorter, as opaque bytes; and what a
// server puts into its tickets. RFC 9000 §7.4.1; RFC 9001 §4.5, §4.6.
//
//   client   1 format | 8 checksum | 4 version | parameters | TLS session      each after its length
//   server   4 version | parameters
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

/// The server's parameters that a client remembers, without those that it must not.
[[nodiscard]] wire::TransportParameters remembered(const wire::TransportParameters& parameters);

/// Whether none of the limits that bind early data is lower in `present` than in `before`.
[[nodiscard]] bool keeps_limits(const wire::TransportParameters& present,
                                const wire::TransportParameters& before);

struct SessionTicket {
  /// Of what encode() makes.
  static constexpr std::size_t kMaxSize = 8 << 10;

  Version version = Version::v1;
  wire::TransportParameters parameters;  ///< As remembered() has them.
  std::vector<u8> session;               ///< For TLS.

  [[nodiscard]] std::vector<u8> encode() const;
  /// nullopt for what encode() did not make: the bytes may come from a damaged file.
  static std::optional<SessionTicket> decode(Bytes bytes);
};

/// What a server's ticket says of the connection that it was given on.
struct TicketData {
  Version version = Version::v1;
  wire::TransportParameters parameters;

  [[nodiscard]] std::vector<u8> encode() const;
  static std::optional<TicketData> decode(Bytes bytes);
};

}  // namespace qpeer::transport
