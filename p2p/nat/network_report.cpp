// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/network_report.hpp"

#include <chrono>
#include <utility>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

bool depends_on_destination(NatMapping mapping) {
  return mapping == NatMapping::by_address || mapping == NatMapping::by_address_and_port ||
         mapping == NatMapping::by_destination;
}

/// Whether strangers reach an address that is not mapped by a gateway. unset: perhaps.
std::optional<bool> is_open(const FamilyReport& family) {
  if (family.answered == 0) return false;
  const bool may_be_open =
      family.mapping == NatMapping::none || family.mapping == NatMapping::independent;
  if (!may_be_open) return false;
  if (family.filtering != NatFiltering::unknown) {
    return family.filtering == NatFiltering::independent;
  }
  if (family.mapping == NatMapping::none) return std::nullopt;
  return false;  // Few NATs let everybody in.
}

std::string host_of(const SocketAddress& address) {
  const std::string text = address.to_string();
  return text.substr(0, text.rfind(':'));
}

std::string count(std::size_t number, std::string_view noun) {
  return std::to_string(number) + ' ' + std::string(noun) + (number == 1 ? "" : "s");
}

NetworkFinding udp(const NetworkReport& report) {
  const unsigned asked = report.asked();
  if (asked == 0) {
    return {.topic = "UDP",
            .text = "not tried, since there is nobody to ask",
            .advice = "name a node or a STUN server that answers"};
  }
  if (report.answered() == 0) {
    return {.topic = "UDP",
            .text = "UDP is blocked here, or nobody is there: none of " + count(asked, "server") +
                    " answers",
            .advice = "allow UDP in the firewall, or use another network"};
  }
  return {
      .topic = "UDP",
      .text = std::to_string(report.answered()) + " of " + count(asked, "server") + " answered"};
}

NetworkFinding address(std::string_view topic, const FamilyReport& family) {
  if (family.asked == 0)
    return {.topic = topic, .text = "not tried: no server has such an address"};
  if (family.answered == 0) {
    return {.topic = topic,
            .text = "no server answers over " + std::string(topic),
            .advice = topic == "IPv6" ? "ask your provider for IPv6: it needs no NAT" : ""};
  }
  NetworkFinding out{.topic = topic, .text = "others see us as " + family.seen.to_string()};
  const AddressScope scope = scope_of(family.seen);
  if (scope == AddressScope::loopback) out.text += ", which is this machine alone";
  if (scope == AddressScope::private_use || scope == AddressScope::link_local) {
    out.text += ", which is no address of the internet: the servers are in our own network";
    out.advice = "name a server outside to learn how the internet sees us";
  }
  return out;
}

NetworkFinding mapping(const FamilyReport& family) {
  NetworkFinding out{.topic = "mapping", .text = {}};
  switch (family.mapping) {
    case NatMapping::unknown:
      out.text = "there is a NAT; whether it gives each destination another port is not known";
      out.advice = "name a second server, on another host";
      break;
    case NatMapping::none:
      out.text = "there is no NAT: others see our own address";
      break;
    case NatMapping::independent:
      out.text = "the NAT shows everybody the same address and port";
      break;
    case NatMapping::by_address:
      out.text = "the NAT shows each host another port, so that nobody can guess it";
      break;
    case NatMapping::by_address_and_port:
      out.text = "the NAT shows each destination another port, so that nobody can guess it";
      break;
    case NatMapping::by_destination:
      out.text =
          "the NAT shows each destination, or each host, another port, so that nobody can "
          "guess it";
      break;
  }
  if (depends_on_destination(family.mapping)) {
    out.advice = "have the router forward a port, or turn on its port mapping (PCP, NAT-PMP, UPnP)";
  }
  return out;
}

NetworkFinding filtering(const FamilyReport& family) {
  NetworkFinding out{.topic = "filtering", .text = {}};
  const std::string by = family.mapping == NatMapping::none ? "a firewall" : "the NAT";
  switch (family.filtering) {
    case NatFiltering::unknown:
      out.text = "whether strangers get through is not known";
      out.advice =
          "name first a node that is linked to one that this host has not written to for five "
          "minutes, or a STUN server with a second address (RFC 5780)";
      return out;
    case NatFiltering::independent:
      out.text = "strangers get through";
      return out;
    case NatFiltering::by_address:
      out.text = by + " lets in only hosts that we wrote to";
      break;
    case NatFiltering::by_address_and_port:
      out.text = by + " lets in only answers";
      break;
    case NatFiltering::restricted:
      out.text = by + " keeps strangers out";
      break;
  }
  out.advice =
      family.mapping == NatMapping::none
          ? "open the node's UDP port in the firewall"
          : "have the router forward a port, or turn on its port mapping (PCP, NAT-PMP, UPnP)";
  return out;
}

NetworkFinding hairpin(const FamilyReport& family) {
  if (!family.hairpin) return {.topic = "hairpin", .text = "not tried"};
  if (*family.hairpin) {
    return {.topic = "hairpin", .text = "what we send to our own address outside comes back"};
  }
  return {.topic = "hairpin",
          .text =
              "what we send to our own address outside does not come back: peers in this "
              "network must use each other's local address"};
}

NetworkFinding gateway(const GatewayReport& report) {
  NetworkFinding out{.topic = "gateway", .text = {}};
  if (!report.gateway.valid()) {
    out.text = "not asked: our address is no private one, or there is no router";
  } else if (report.mapping) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(report.mapping->lifetime);
    out.text =
        host_of(report.gateway) + " maps ports by " +
        std::string(to_string(report.mapping->protocol)) + ": to " +
        report.mapping->external.to_string() + ", " +
        (seconds.count() == 0
             ? "until it is removed"
             : "for " + count(static_cast<std::size_t>(seconds.count()), "second") + " at a time");
  } else {
    out.text = host_of(report.gateway) + " does not map ports: " + why_not_mapped(report);
    out.advice = "turn on PCP, NAT-PMP or UPnP in the router, or have it forward a port";
  }
  return out;
}

NetworkFinding double_nat(const NetworkReport& report) {
  if (!report.double_nat) return {.topic = "double NAT", .text = "none was found"};
  std::string text = "another NAT is behind the gateway";
  if (report.gateway.mapping) {
    text += ": its address outside is " + host_of(report.gateway.mapping->external);
    if (report.ipv4.seen.valid()) text += ", others see " + host_of(report.ipv4.seen);
  }
  return {.topic = "double NAT",
          .text = std::move(text),
          .advice = "run one router as a bridge, or ask the provider for a public address"};
}

NetworkFinding outlook(const NetworkReport& report) {
  NetworkFinding out{.topic = "outlook", .text = {}};
  switch (report.outlook()) {
    case NetworkOutlook::node: {
      const bool mapped = report.gateway.mapping && !report.double_nat;
      const bool proved = is_open(report.ipv4) == true || is_open(report.ipv6) == true;
      out.text = mapped   ? "a peer here can be a node: it has the gateway map its port"
                 : proved ? "a peer here can be a node"
                          : "a peer here can be a node, unless a firewall keeps strangers out";
      break;
    }
    case NetworkOutlook::client:
      out.text = report.asked() == 0
                     ? "a peer here can be a client, if UDP gets through"
                     : "a peer here can be a client; a node only with a port that is forwarded";
      break;
    case NetworkOutlook::relay_only:
      out.text = "a peer here can be a client; others could write to it first only by a relay";
      break;
    case NetworkOutlook::no_udp:
      out.text = "no peer can work here";
      break;
  }
  return out;
}

}  // namespace

int distance_of(const SocketAddress& seen) {
  switch (scope_of(seen)) {
    case AddressScope::loopback:
      return 0;
    case AddressScope::link_local:
      return 1;
    case AddressScope::private_use:
      return 2;
    default:
      return 3;
  }
}

void NetworkReport::set_mapping(const PortMapping& mapping) {
  gateway.mapping = mapping;
  gateway.failure.reset();
  const SocketAddress& external = mapping.external;
  const bool others_differ = ipv4.seen.valid() && external.is_ipv4() &&
                             distance_of(ipv4.seen) >= distance_of(external) &&
                             !external.same_host(ipv4.seen);
  double_nat = mapping.double_nat || others_differ;
}

std::string why_not_mapped(const GatewayReport& gateway) {
  std::string out{describe(gateway.failure.value_or(MappingFailure::no_answer))};
  if (!gateway.upnp_failure.empty()) out += ", and " + gateway.upnp_failure;
  return out;
}

NetworkOutlook NetworkReport::outlook() const {
  if (gateway.mapping && !double_nat && (asked() == 0 || answered() > 0)) {
    return NetworkOutlook::node;
  }
  if (asked() > 0 && answered() == 0) return NetworkOutlook::no_udp;
  if (is_open(ipv4) == true || is_open(ipv6) == true) return NetworkOutlook::node;
  if (!is_open(ipv4).has_value()) return NetworkOutlook::node;
  // A router that translates IPv4 seldom lets strangers in over IPv6.
  if (!is_open(ipv6).has_value() && ipv4.answered == 0) return NetworkOutlook::node;
  if (depends_on_destination(ipv4.mapping) && ipv6.answered == 0) {
    return NetworkOutlook::relay_only;
  }
  return NetworkOutlook::client;
}

std::vector<NetworkFinding> findings_of(const NetworkReport& report) {
  std::vector<NetworkFinding> out{udp(report), address("IPv4", report.ipv4),
                                  address("IPv6", report.ipv6)};
  for (const FamilyReport* family : {&report.ipv4, &report.ipv6}) {
    if (family->answered == 0) continue;
    const std::size_t first = out.size();
    out.push_back(mapping(*family));
    out.push_back(filtering(*family));
    if (family->mapping != NatMapping::none) out.push_back(hairpin(*family));
    if (family == &report.ipv4) continue;
    for (std::size_t i = first; i < out.size(); ++i) out[i].text = "IPv6: " + out[i].text;
  }
  out.push_back(gateway(report.gateway));
  if (report.double_nat || report.gateway.gateway.valid()) out.push_back(double_nat(report));
  out.push_back(outlook(report));
  return out;
}

std::string_view to_string(NatMapping mapping) {
  switch (mapping) {
    case NatMapping::unknown:
      break;
    case NatMapping::none:
      return "none";
    case NatMapping::independent:
      return "independent";
    case NatMapping::by_address:
      return "by address";
    case NatMapping::by_address_and_port:
      return "by address and port";
    case NatMapping::by_destination:
      return "by destination";
  }
  return "unknown";
}

std::string_view to_string(NatFiltering filtering) {
  switch (filtering) {
    case NatFiltering::unknown:
      break;
    case NatFiltering::independent:
      return "independent";
    case NatFiltering::by_address:
      return "by address";
    case NatFiltering::by_address_and_port:
      return "by address and port";
    case NatFiltering::restricted:
      return "restricted";
  }
  return "unknown";
}

std::string_view to_string(NetworkOutlook outlook) {
  switch (outlook) {
    case NetworkOutlook::node:
      return "node";
    case NetworkOutlook::client:
      return "client";
    case NetworkOutlook::relay_only:
      return "relay only";
    case NetworkOutlook::no_udp:
      break;
  }
  return "no UDP";
}

}  // namespace qpeer::p2p
