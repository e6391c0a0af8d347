// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a PortMapper says, in words.
#include "qpeer/p2p/nat/port_mapper.hpp"

namespace qpeer::p2p {

std::string_view to_string(MappingProtocol protocol) {
  switch (protocol) {
    case MappingProtocol::pcp:
      return "PCP";
    case MappingProtocol::nat_pmp:
      return "NAT-PMP";
    case MappingProtocol::upnp:
      break;
  }
  return "UPnP";
}

std::string_view describe(MappingFailure failure) {
  switch (failure) {
    case MappingFailure::no_answer:
      return "it answers neither PCP nor NAT-PMP";
    case MappingFailure::refused:
      return "it does not allow that";
    case MappingFailure::no_network:
      return "it has no address outside";
    case MappingFailure::no_resources:
      return "it has no room for another mapping";
    case MappingFailure::address_mismatch:
      return "another NAT is between it and us";
    case MappingFailure::expired:
      return "it does not answer any more";
    case MappingFailure::error:
      break;
  }
  return "it reports an error";
}

}  // namespace qpeer::p2p
