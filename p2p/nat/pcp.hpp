// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PCP: messages between a host and the NAT or firewall that it is behind, to map a UDP port.
// RFC 6887 §7, §9, §11.1, §14.1.
//
//   header    version 2 | R | opcode (7) | reserved (16), in a response its last 8: result
//             lifetime (32) | request: our address (128); response: epoch (32), reserved (96)
//   MAP       nonce (96) | protocol | reserved (24) | internal, external port | external address (128)
//   options   are not ours, and are ignored in what comes
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::p2p {

inline constexpr u8 kPcpVersion = 2;
/// The size of a MAP request and of its answer, without options.
inline constexpr std::size_t kPcpMapSize = 60;
/// No PCP message is longer. RFC 6887 §7.
inline constexpr std::size_t kMaxPcpSize = 1'100;

/// What proves that an answer is for us: only we and the gateway know it.
using PcpNonce = std::array<u8, 12>;

enum class PcpOpcode : u8 { announce = 0, map = 1 };

/// RFC 6887 §7.4. Others may come.
enum class PcpResult : u8 {
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,
  malformed_request = 3,
  unsupported_opcode = 4,
  unsupported_option = 5,
  malformed_option = 6,
  network_failure = 7,
  no_resources = 8,
  unsupported_protocol = 9,
  user_exceeded_quota = 10,
  cannot_provide_external = 11,
  address_mismatch = 12,
  excessive_remote_peers = 13,
};

/// What a MAP request and its answer say of a mapping, of a UDP port.
struct PcpMapping {
  PcpNonce nonce{};
  std::uint16_t internal_port = 0;
  /// What is suggested, or was given. Of the family that is wanted; port and address may be zero.
  SocketAddress external = SocketAddress::ipv4({0, 0, 0, 0}, 0);
  friend bool operator==(const PcpMapping&, const PcpMapping&) = default;
};

/// A MAP request.
struct PcpMapRequest {
  SocketAddress client{};      ///< Our own address, whose port is not sent.
  std::uint32_t lifetime = 0;  ///< In seconds; 0 deletes the mapping.
  PcpMapping mapping{};

  static std::optional<PcpMapRequest> decode(Bytes datagram);
  void encode(Writer& out) const;
  friend bool operator==(const PcpMapRequest&, const PcpMapRequest&) = default;
};

struct PcpResponse {
  /// On PcpResult::unsupported_version one that the gateway knows; 0 is NAT-PMP.
  u8 version = kPcpVersion;
  PcpOpcode opcode = PcpOpcode::announce;
  PcpResult result = PcpResult::success;
  std::uint32_t lifetime = 0;  ///< Of the mapping, or of the error; in seconds.
  std::uint32_t epoch = 0;     ///< Seconds since the gateway lost its mappings.
  PcpMapping mapping{};        ///< Of opcode map.

  /// nullopt for what is no response, breaks the format, or is about something else. Of
  /// PcpResult::unsupported_version, which other versions say in their formats, only the version is read.
  static std::optional<PcpResponse> decode(Bytes datagram);
  /// Of version 2.
  void encode(Writer& out) const;
  friend bool operator==(const PcpResponse&, const PcpResponse&) = default;
};

}  // namespace qpeer::p2p
