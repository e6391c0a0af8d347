// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whom a Node turns away: see refusal_log.hpp.
#include <string>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {

// An attempt that its dialler gave up, or that timed out, is no refusal of ours.
void Node::Implementation::on_handshake_refused(Port port, transport::ConnectionHandle handle,
                                                const transport::CloseReason& reason) {
  const transport::Connection* const transport = std::as_const(ports).find(port, handle);
  if (reason.kind != transport::CloseReason::Kind::local_transport || transport == nullptr) return;
  if (auto event =
          refusals.on_refused(now, {.reason = refusal_of_alert(reason.code, !tls.allowed.empty()),
                                    .address = transport->path().remote,
                                    .peer = std::nullopt,
                                    .why = to_string(reason)})) {
    queue.emit(*std::move(event));
  }
}

void Node::Implementation::emit_refusal(const PeerConnection& connection, Refusal reason,
                                        std::string_view why) {
  if (auto event = refusals.on_refused(now, {.reason = reason,
                                             .address = connection.remote,
                                             .peer = connection.peer,
                                             .why = std::string(why)})) {
    queue.emit(*std::move(event));
  }
}

}  // namespace qpeer::p2p
