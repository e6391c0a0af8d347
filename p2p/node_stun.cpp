// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STUN at the port of a Node, beside QUIC. RFC 7983 sorts datagrams by their first byte: 0 to 3 is STUN. As
// the QUIC Bit may be cleared, QUIC has all that is no whole STUN message.
#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {

/// Whether the datagram is STUN, wanted or not: then nothing else looks at it. A stateless reset would be an
/// answer to a STUN response.
bool Node::Implementation::on_stun(Instant time, const ReceivedDatagram& datagram) {
  const auto message = StunMessage::decode(datagram.payload);
  if (!message) return false;
  const bool is_for_node =
      config.role == Role::node && !closed && ports.port_of(datagram.path.local) == Port::first;
  if (is_for_node && message->message_class == StunClass::request && config.answer_stun) {
    const std::uint64_t before = stun_server.stats().answers;
    stun_server.on_message(time, datagram.path, *message);
    if (stun_server.stats().answers != before) stun_visitors.on_visit(time, datagram.path.remote);
  } else if (is_for_node && message->message_class == StunClass::indication &&
             message->knock_token) {
    on_knock_arrived(time, datagram.path.remote, *message->knock_token);
  } else if (config.role == Role::client && message->message_class == StunClass::indication &&
             message->knock_token) {
    on_knock_at_client(time, datagram.path.remote, *message->knock_token);
  } else {
    ++stun_ignored;
  }
  return true;
}

std::optional<Transmit> Node::Implementation::poll_transmit(Instant time, TransmitBuffer& out) {
  if (auto transmit = ports.poll_transmit(time, out)) {
    last_transmit_is_quic = true;
    return transmit;
  }
  auto other = stun_server.poll_transmit(time, out);
  if (!other) other = knock_sender.poll_transmit(out);
  if (!other) other = router_ports.poll_transmit(time, out);
  if (other) last_transmit_is_quic = false;
  return other;
}

}  // namespace qpeer::p2p
