// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/config.hpp"

namespace qpeer::transport {

std::string_view to_string(PathError error) {
  switch (error) {
    case PathError::closed:
      return "the connection is not open";
    case PathError::not_client:
      return "only clients migrate";
    case PathError::not_confirmed:
      return "the handshake is not confirmed";
    case PathError::disabled:
      return "the peer does not take migration";
    case PathError::no_connection_id:
      return "there is no fresh connection ID";
    case PathError::too_many_paths:
      return "too many paths are in use";
    case PathError::bad_address:
      return "no such path can be";
    case PathError::no_answer:
      return "the peer does not answer there";
    case PathError::superseded:
      return "another path was asked for meanwhile";
  }
  return "unknown";
}

std::string to_string(const CloseReason& reason) {
  using Kind = CloseReason::Kind;
  std::string out;
  switch (reason.kind) {
    case Kind::local_application:
      out = "closed here, code " + std::to_string(reason.code);
      break;
    case Kind::peer_application:
      out = "closed by the peer, code " + std::to_string(reason.code);
      break;
    case Kind::local_transport:
    case Kind::peer_transport: {
      out = reason.kind == Kind::local_transport ? "" : "the peer reports ";
      out += to_string(TransportErrorCode{reason.code});
      // A TLS alert has a number worth telling. RFC 9001 §4.8.
      if ((reason.code & ~std::uint64_t{0xff}) == 0x100) {
        out += " (alert " + std::to_string(reason.code & 0xff) + ")";
      }
      break;
    }
    case Kind::idle_timeout:
      out = "idle timeout";
      break;
    case Kind::handshake_timeout:
      out = "handshake timeout";
      break;
    case Kind::stateless_reset:
      out = "stateless reset";
      break;
    case Kind::version_negotiation:
      out = "no common version";
      break;
    case Kind::port_closed:
      out = "the port is closed";
      break;
  }
  if (reason.reason.empty()) return out;
  out += ": ";
  for (const char c : reason.reason) out += c >= ' ' && c < 0x7f ? c : '?';
  return out;
}

}  // namespace qpeer::transport
