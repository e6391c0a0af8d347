// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NAT-PMP: messages between a host and the gateway of its home. IPv4 and UDP ports alone. RFC 6886 §3.
//
//   request   version 0 | opcode | for a mapping: reserved (16) | internal, external port | lifetime (32)
//   response  version 0 | 128 + opcode | result (16) | epoch (32) | external address
//                                                   or internal, external port | lifetime (32)
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::p2p {

/// The port of a gateway that PCP and NAT-PMP requests go to.
inline constexpr std::uint16_t kGatewayPort = 5351;

/// What is asked for. TCP ports we do not map.
enum class NatPmpOpcode : u8 { external_address = 0, map_udp = 1 };

/// RFC 6886 §3.5. Others may come.
enum class NatPmpResult : std::uint16_t {
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,
  network_failure = 3,
  out_of_resources = 4,
  unsupported_opcode = 5,
};

struct NatPmpRequest {
  NatPmpOpcode opcode = NatPmpOpcode::external_address;
  std::uint16_t internal_port = 0;  ///< This and the others are of a mapping.
  std::uint16_t external_port = 0;  ///< What we would like to have; 0 for any, and to delete.
  std::uint32_t lifetime = 0;       ///< In seconds; 0 deletes the mapping.

  static std::optional<NatPmpRequest> decode(Bytes datagram);
  void encode(Writer& out) const;
  friend bool operator==(const NatPmpRequest&, const NatPmpRequest&) = default;
};

struct NatPmpResponse {
  NatPmpOpcode opcode = NatPmpOpcode::external_address;
  NatPmpResult result = NatPmpResult::success;
  std::uint32_t epoch = 0;           ///< Seconds since the gateway lost its mappings.
  SocketAddress external_address{};  ///< Without a port. Of opcode external_address, on success.
  std::uint16_t internal_port = 0;   ///< This and the others are of a mapping.
  std::uint16_t external_port = 0;   ///< What was mapped.
  std::uint32_t lifetime = 0;        ///< In seconds.

  /// nullopt for what is no response, of another size than it must have, or about something else. An error
  /// whose size is another one has no epoch and no port: a gateway that does not know an opcode returns
  /// the request.
  static std::optional<NatPmpResponse> decode(Bytes datagram);
  void encode(Writer& out) const;
  friend bool operator==(const NatPmpResponse&, const NatPmpResponse&) = default;
};

}  // namespace qpeer::p2p
