// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a home router answers at port 5351 of its inside: NAT-PMP (RFC 6886) and PCP (RFC 6887), for
// mappings of UDP, without PCP's options. It forwards ports of a NatBox and knows who asked for them.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "qpeer/tests/sim/nat_box.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::sim {

inline constexpr std::uint16_t kGatewayPort = 5'351;
/// Where every router answers its hosts, if it has a gateway.
inline constexpr SocketAddress kGateway4 = SocketAddress::ipv4({192, 168, 1, 1}, kGatewayPort);
inline constexpr SocketAddress kGateway6 =
    SocketAddress::ipv6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, kGatewayPort);
/// Where hosts hear of a restart.
inline constexpr SocketAddress kAnnouncements4 = SocketAddress::ipv4({224, 0, 0, 1}, 5'350);
inline constexpr SocketAddress kAnnouncements6 =
    SocketAddress::ipv6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 5'350);

struct NatGatewayConfig {
  bool nat_pmp = true;
  bool pcp = true;
  bool refuses = false;             ///< Answers, and maps nothing: its owner has turned that off.
  bool ignores_suggestion = false;  ///< Never gives the external port that is asked for.
  std::chrono::seconds min_lifetime = 2min;
  std::chrono::seconds max_lifetime = 24h;
};

class NatGateway {
 public:
  NatGateway(const NatGatewayConfig& config, Instant started) : config_(config), epoch_(started) {}

  /// The answer to a datagram from a host inside; empty when there is none.
  [[nodiscard]] std::vector<u8> answer(Instant now, NatBox& box, const SocketAddress& client,
                                       Bytes request);
  /// It has lost what it knew, as after a reboot.
  void restart(Instant now);
  /// What it announces then, by IPv4 or by IPv6, for the box as it is now.
  [[nodiscard]] std::vector<std::vector<u8>> announcements(Instant now, const NatBox& box,
                                                           bool ipv4) const;

 private:
  using Nonce = std::array<u8, 12>;
  struct Lease {
    std::optional<Nonce> nonce;  ///< Of PCP.
    Instant until;
  };
  struct Grant {
    SocketAddress external;
    std::uint32_t lifetime = 0;
  };

  [[nodiscard]] std::vector<u8> answer_nat_pmp(Instant now, NatBox& box,
                                               const SocketAddress& client, Bytes request);
  [[nodiscard]] std::vector<u8> nat_pmp_address(Instant now, const NatBox& box) const;
  [[nodiscard]] std::vector<u8> answer_pcp(Instant now, NatBox& box, const SocketAddress& client,
                                           Bytes request);
  [[nodiscard]] std::vector<u8> answer_pcp_map(Instant now, NatBox& box,
                                               const SocketAddress& client, Bytes request);
  [[nodiscard]] std::vector<u8> pcp_response(Instant now, Bytes request, u8 result,
                                             std::uint32_t lifetime) const;
  /// nullopt when no port is left.
  std::optional<Grant> map(Instant now, NatBox& box, const SocketAddress& inside,
                           std::uint16_t suggested, std::uint32_t lifetime,
                           std::optional<Nonce> nonce);
  /// False when a forwarding is not of this gateway.
  bool unmap(Instant now, NatBox& box, const SocketAddress& inside);
  [[nodiscard]] std::uint32_t seconds_since_epoch(Instant now) const;

  NatGatewayConfig config_;
  Instant epoch_;
  std::map<SocketAddress, Lease> leases_;  ///< By the internal endpoint.
};

}  // namespace qpeer::sim
