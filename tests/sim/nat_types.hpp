// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The usual kinds of NAT boxes and firewalls by their common names. RFC 4787 §3 says what is wrong with
// the names; everybody uses them.
#pragma once

#include "qpeer/tests/sim/nat_box.hpp"

namespace qpeer::sim {

/// W: keeps addresses, lets in answers only.
constexpr NatBoxConfig firewall() { return {.translates = false}; }
/// F: an internal endpoint that has written to anybody can be reached by everybody.
constexpr NatBoxConfig full_cone() { return {.filtering = NatDependence::endpoint_independent}; }
/// R: only hosts that the inside wrote to may write, from any of their ports.
constexpr NatBoxConfig address_restricted() {
  return {.filtering = NatDependence::address_dependent};
}
/// P: only endpoints that the inside wrote to may write.
constexpr NatBoxConfig port_restricted() { return {}; }
/// S: as P, and each remote endpoint sees another random port.
constexpr NatBoxConfig symmetric() {
  return {.mapping = NatDependence::address_and_port_dependent, .ports = PortAssignment::random};
}
/// U: no datagram passes.
constexpr NatBoxConfig udp_blocked() { return {.max_mappings = 0}; }

}  // namespace qpeer::sim
