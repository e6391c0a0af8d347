// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What is known of our network: how the internet sees us, what the NAT or firewall between does, what the
// gateway grants, and what follows from it for a peer. NetworkProbe finds it out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// Which address outside a NAT gives to an address and port of ours. RFC 4787 §4.1.
enum class NatMapping : u8 {
  unknown,              ///< Nobody could be asked.
  none,                 ///< Our own: there is no NAT.
  independent,          ///< The same, whomever we write to.
  by_address,           ///< Another one for each host that we write to.
  by_address_and_port,  ///< Another one for each host and port that we write to.
  by_destination,       ///< One of the two above; nobody could be asked who tells them apart.
};

/// Who may write to us through the NAT or firewall. RFC 4787 §5.
enum class NatFiltering : u8 {
  unknown,              ///< Nobody could be asked.
  independent,          ///< Everybody.
  by_address,           ///< Hosts that we wrote to.
  by_address_and_port,  ///< Hosts that we wrote to, from the port that we wrote to.
  restricted,           ///< One of the two above; nobody could be asked who tells them apart.
};

/// What came of a STUN request.
enum class StunOutcome : u8 {
  answered,   ///< With a mapped address.
  refused,    ///< With an error.
  malformed,  ///< With what cannot be used.
  timed_out,  ///< Not at all.
};

/// A server that was asked for our address.
struct ServerReport {
  SocketAddress server;                          ///< Its address.
  StunOutcome outcome = StunOutcome::timed_out;  ///< Whether it answered.
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
  NatMapping mapping = NatMapping::unknown;        ///< What the NAT does with our port.
  NatFiltering filtering = NatFiltering::unknown;  ///< Whom the NAT or firewall lets in.
  /// Whether what we send to our own address outside comes back; unset when it was not tried.
  std::optional<bool> hairpin{};
  friend bool operator==(const FamilyReport&, const FamilyReport&) = default;
};

/// By which protocol a gateway granted a mapping.
enum class MappingProtocol : u8 {
  pcp,      ///< RFC 6887.
  nat_pmp,  ///< RFC 6886.
  upnp,     ///< Not a PortMapper: see Node::wanted_mapping().
};

/// Why there is no mapping.
enum class MappingFailure : u8 {
  no_answer,         ///< The gateway speaks neither protocol.
  refused,           ///< It does not allow it, or not to us.
  no_network,        ///< It has no address outside, or none that could be one.
  no_resources,      ///< It has no room for another mapping.
  address_mismatch,  ///< Another NAT is between it and us.
  expired,           ///< It stopped answering, and the lifetime is over.
  error,             ///< Any other error.
};

/// "PCP", "NAT-PMP", "UPnP".
[[nodiscard]] std::string_view to_string(MappingProtocol protocol);
/// The end of a sentence about the gateway that begins with what it does not do, and a colon.
[[nodiscard]] std::string_view describe(MappingFailure failure);

/// A port of the gateway that is ours.
struct PortMapping {
  SocketAddress external;                           ///< Its address outside, as the gateway says.
  MappingProtocol protocol = MappingProtocol::pcp;  ///< By which it was granted.
  Duration lifetime{};                              ///< For how long.
  /// The address outside is a private one: the gateway is behind another NAT.
  bool double_nat = false;
  friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

/// The gateway, asked to map a port of ours.
struct GatewayReport {
  SocketAddress gateway{};                  ///< valid() when it was asked.
  std::optional<PortMapping> mapping{};     ///< What it granted; it was given back.
  std::optional<MappingFailure> failure{};  ///< Why it granted none by PCP and NAT-PMP.
  std::string upnp_failure{};  ///< And by UPnP, for people; empty when it was not asked by that.
  friend bool operator==(const GatewayReport&, const GatewayReport&) = default;
};

/// What a peer in this network can be.
enum class NetworkOutlook : u8 {
  node,        ///< Strangers can write to it, as far as is known.
  client,      ///< It can write to others, and they can answer.
  relay_only,  ///< The same, and nobody can guess its address outside: only a relay could call it.
  no_udp,      ///< Nobody answers it.
};

/// All of it.
struct NetworkReport {
  FamilyReport ipv4;                  ///< What is known of IPv4.
  FamilyReport ipv6;                  ///< What is known of IPv6.
  std::vector<ServerReport> servers;  ///< In the order in which they were given.
  GatewayReport gateway;              ///< The router.
  /// Another NAT is between the gateway and the internet.
  bool double_nat = false;

  /// The gateway granted this. Whether there is a double NAT follows from it and from what servers see.
  void set_mapping(const PortMapping& mapping);
  /// How many servers were asked.
  [[nodiscard]] unsigned asked() const { return ipv4.asked + ipv6.asked; }
  /// How many of them answered.
  [[nodiscard]] unsigned answered() const { return ipv4.answered + ipv6.answered; }
  /// What follows for a peer.
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
/// "independent", "by address", ...
[[nodiscard]] std::string_view to_string(NatFiltering filtering);
/// "node", "client", "relay only", "no UDP".
[[nodiscard]] std::string_view to_string(NetworkOutlook outlook);

}  // namespace qpeer::p2p
