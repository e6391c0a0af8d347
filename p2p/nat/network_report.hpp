// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What is known of our network: how the internet sees us, what the NAT or firewall between does, what the
// gateway grants, and what follows from it for a peer. NetworkProbe finds it out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/p2p/nat/port_mapper.hpp"
#include "qpeer/p2p/nat/stun_client.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// Which address outside a NAT gives to an address and port of ours. RFC 4787 §4.1.
enum class NatMapping : u8 {
  unknown,
  none,                 ///< Our own: there is no NAT.
  independent,          ///< The same, whomever we write to.
  by_address,           ///< Another one for each host that we write to.
  by_address_and_port,  ///< Another one for each host and port that we write to.
  by_destination,       ///< One of the two above; nobody could be asked who tells them apart.
};

/// Who may write to us through the NAT or firewall. RFC 4787 §5.
enum class NatFiltering : u8 {
  unknown,
  independent,          ///< Everybody.
  by_address,           ///< Hosts that we wrote to.
  by_address_and_port,  ///< Hosts that we wrote to, from the port that we wrote to.
};

/// A server that was asked for our address.
struct ServerReport {
  SocketAddress server;
  StunResult::Outcome outcome = StunResult::Outcome::timed_out;
  SocketAddress seen{};                  ///< Our address as it sees us; valid() when it answered.
  std::optional<Duration> round_trip{};  ///< Unset when it had to be asked more than once.
  friend bool operator==(const ServerReport&, const ServerReport&) = default;
};

/// One family of addresses: IPv4 or IPv6.
struct FamilyReport {
  unsigned asked = 0;     ///< Servers.
  unsigned answered = 0;  ///< Of those: told us our address.
  SocketAddress own{};    ///< Where answers arrive.
  SocketAddress seen{};   ///< Our address as the farthest of the servers sees us.
  NatMapping mapping = NatMapping::unknown;
  NatFiltering filtering = NatFiltering::unknown;
  /// Whether what we send to our own address outside comes back; unset when it was not tried.
  std::optional<bool> hairpin{};
  friend bool operator==(const FamilyReport&, const FamilyReport&) = default;
};

/// The gateway, asked to map a port of ours.
struct GatewayReport {
  SocketAddress gateway{};                  ///< valid() when it was asked.
  std::optional<PortMapping> mapping{};     ///< What it granted; it was given back.
  std::optional<MappingFailure> failure{};  ///< Of PCP and NAT-PMP.
  std::string upnp_failure{};  ///< Of UPnP, for people; empty when it was not asked by that.
  friend bool operator==(const GatewayReport&, const GatewayReport&) = default;
};

/// What a peer in this network can be.
enum class NetworkOutlook : u8 {
  node,        ///< Strangers can write to it, as far as is known.
  client,      ///< It can write to others, and they can answer.
  relay_only,  ///< The same, and nobody can guess its address outside: only a relay could call it.
  no_udp,      ///< Nobody answers it.
};

struct NetworkReport {
  FamilyReport ipv4;
  FamilyReport ipv6;
  std::vector<ServerReport> servers;  ///< In the order in which they were given.
  GatewayReport gateway;
  /// Another NAT is between the gateway and the internet.
  bool double_nat = false;

  /// The gateway granted this. Whether there is a double NAT follows from it and from what servers see.
  void set_mapping(const PortMapping& mapping);

  [[nodiscard]] unsigned asked() const { return ipv4.asked + ipv6.asked; }
  [[nodiscard]] unsigned answered() const { return ipv4.answered + ipv6.answered; }
  [[nodiscard]] NetworkOutlook outlook() const;
  friend bool operator==(const NetworkReport&, const NetworkReport&) = default;
};

/// Why the gateway has no mapping, by whatever it was asked.
[[nodiscard]] std::string why_not_mapped(const GatewayReport& gateway);
/// How far from us a server is that sees this address. What is none of ours is the farthest: documentation
/// addresses, which laboratories use.
[[nodiscard]] int distance_of(const SocketAddress& seen);

/// One thing that a report says, for people.
struct NetworkFinding {
  std::string_view topic;   ///< Such as "mapping".
  std::string text;         ///< A sentence.
  std::string advice = {};  ///< What to do about it; empty when nothing need be done.
};
/// What the report says. The last one is what it means for a peer.
[[nodiscard]] std::vector<NetworkFinding> findings_of(const NetworkReport& report);

/// "independent", "by address", ...
[[nodiscard]] std::string_view to_string(NatMapping mapping);
[[nodiscard]] std::string_view to_string(NatFiltering filtering);
/// "node", "client", "relay only", "no UDP".
[[nodiscard]] std::string_view to_string(NetworkOutlook outlook);

}  // namespace qpeer::p2p
