// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which owners of a Node's state handle an event that another owner posted.
#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

using Kind = transport::CloseReason::Kind;

// Whether it makes sense to dial again after a link ended so.
bool may_retry(const transport::CloseReason& reason) {
  switch (reason.kind) {
    case Kind::idle_timeout:
    case Kind::handshake_timeout:
    case Kind::stateless_reset:
    case Kind::port_closed:
      return true;
    default:
      return false;
  }
}

// Whether the connection ended for a reason of our own: Endpoint::on_refused() and shut_down() close
// it as the application does. What we close because of the peer goes through PeerTable::close().
bool is_our_failure(const transport::CloseReason& reason) {
  return reason.kind == Kind::local_application;
}

// Whether the other side ended the handshake, or did what ended it.
bool is_refusal(const transport::CloseReason& reason) {
  return reason.kind != Kind::handshake_timeout && !is_our_failure(reason);
}

bool says(const transport::CloseReason& reason, ErrorCode code) {
  return reason.kind == Kind::peer_application && reason.code == std::to_underlying(code);
}

/// Why the peer refused our handshake, where its TLS alert says so. RFC 9001 §4.8.
std::string_view refusal_of(const transport::CloseReason& reason) {
  if (reason.kind != Kind::peer_transport) return {};
  switch (refusal_of_alert(reason.code, false)) {
    case Refusal::no_certificate:
      return "it wants a certificate of us";
    case Refusal::untrusted:
      return "it does not trust our certificate";
    case Refusal::wrong_protocol:
      return "it does not speak our protocol";
    default:
      return {};
  }
}

std::string why(const transport::CloseReason& reason) {
  if (const auto refusal = refusal_of(reason); !refusal.empty()) {
    return std::string(refusal) + " (" + to_string(reason) + ")";
  }
  if (reason.kind != Kind::peer_application) return to_string(reason);
  const auto code = static_cast<ErrorCode>(reason.code);
  const std::string detail = to_string(reason);
  return std::string(to_string(code)) + (reason.reason.empty() ? "" : " (" + detail + ")");
}

// Whether nothing at all came from where we dialled.
bool is_silence(const transport::CloseReason& reason, const transport::Connection* connection) {
  return reason.kind == Kind::handshake_timeout && connection != nullptr &&
         connection->stats().bytes_received == 0;
}

}  // namespace

// --- connections ---------------------------------------------------------------------------------

void Node::Implementation::on_owner_event(const ControlReadable& event) {
  if (read_control_message(connections[event.connection])) queue.post(event);
}

void Node::Implementation::on_owner_event(const TransportClosed& event) {
  PeerConnection& connection = connections[event.connection];
  if (connection.has_ended()) return;
  if (read_control_message(connection)) return queue.post(event);  // A verdict may lie there.
  if (connection.has_ended()) return;
  const transport::CloseReason& reason = event.reason;
  if (says(reason, ErrorCode::key_in_use)) on_key_refused(connection, why(reason));
  if (connection.has_ended()) return;
  if (connection.owner != kNoSlot && says(reason, ErrorCode::shutting_down)) {
    // The peer's other connections are about to end as well, and none of them is missed.
    peers.close_directions(now, peers[connection.owner], ErrorCode::not_needed,
                           "you are shutting down", connection.slot);
  }
  const bool in_handshake = connection.stage == PeerConnection::Stage::handshake;
  const bool is_silent = is_silence(reason, connections.transport(connection));
  peers.retire(connection, {.why = is_silent ? "no answer: nothing came from there" : why(reason),
                            .may_retry = may_retry(reason),
                            .refused = in_handshake && is_refusal(reason),
                            .closed_by_us = {},
                            .is_our_failure = is_our_failure(reason),
                            .no_room = says(reason, ErrorCode::too_many_links)});
}

void Node::Implementation::on_owner_event(const ConnectionEnded& event) {
  on_ended(connections[event.connection], event);
  std::erase(unread, event.connection);
  connections.erase(event.connection);
}

// Each owner that waits for the connection handles its end.
void Node::Implementation::on_ended(const PeerConnection& connection,
                                    const ConnectionEnded& event) {
  const ConnectionEnd& end = event.end;
  mailbox.on_streams_lost(connection.slot);
  discovery.on_connection_ended(now, connection, end.why);
  for (const Candidate& requested : connection.requested) {
    queue.emit(LinkFailed{.candidate = {.candidate = requested, .why = end.why}});
  }
  if (connection.dial_back_for != kNoSlot) {
    return reachability.on_dial_back_ended(now, connection, end);
  }
  if (!event.had_owner) return on_dial_failed(connection, end);
  // It accepted us before it had no room.
  if (connection.dialled && end.no_room) known.on_failed(connection.peer);
  if (Peer* peer = event.missed_by ? peers.find(*event.missed_by) : nullptr) {
    peers.on_direction_lost(now, *peer, end);
  }
  move_pings(connection);
}

// The connection was no direction of a link. One that we closed because it was not needed is no
// failure: else a peer that is being erased would be dialled again because its dial-back ended. Nor is
// it the peer's that we have no room for it.
void Node::Implementation::on_dial_failed(const PeerConnection& connection,
                                          const ConnectionEnd& end) {
  if (!connection.dialled) return;
  if (end.closed_by_us == ErrorCode::not_needed) return;
  if (end.closed_by_us == ErrorCode::too_many_links) return;
  if (end.no_room || connection.turned_away) {
    known.pause(now, connection.candidate.address, random);
  }
  const PeerId id = connection.candidate.id.value_or(connection.peer);
  if (!end.is_our_failure && !shutting_down) known.on_failed(id);
  Peer* peer = peers.find(id);
  if (peer != nullptr && !peer->has_outbound()) peers.on_retry_failed(now, *peer, end.why);
}

void Node::Implementation::on_owner_event(const ConnectionOpened& event) {
  take_held_streams(connections[event.connection]);
}

void Node::Implementation::take_held_streams(PeerConnection& connection) {
  if (const auto wrong = mailbox.on_connection_opened(now, connection)) {
    violate(connection, ErrorCode::role_violation, *wrong);
  }
}

void Node::Implementation::on_owner_event(const StreamsLost& event) {
  mailbox.on_streams_lost(event.connection);
}

// --- links ---------------------------------------------------------------------------------------

void Node::Implementation::on_owner_event(const InboundAttached& event) {
  if (Peer* peer = peers.find(event.peer)) reachability.on_inbound_attached(now, *peer);
}

void Node::Implementation::on_owner_event(const OutboundAttached& event) {
  if (const Peer* peer = peers.find(event.peer)) reachability.prove(*peer);
}

void Node::Implementation::on_owner_event(const OutboundOpened& event) {
  discovery.on_outbound_opened(connections[event.connection]);
}

void Node::Implementation::on_owner_event(const OutboundLost& event) {
  if (Peer* peer = peers.find(event.peer)) reachability.on_outbound_lost(now, *peer);
}

void Node::Implementation::on_owner_event(const PeerDialled& event) {
  if (const Peer* peer = peers.find(event.peer)) reachability.on_dialled(*peer, event.helped);
}

void Node::Implementation::on_owner_event(const DialBackProved& event) {
  if (Peer* peer = peers.find(event.peer)) reachability.on_dial_back_proved(now, *peer);
}

void Node::Implementation::on_owner_event(const KnocksEnded& event) {
  if (Peer* peer = peers.find(event.peer)) {
    reachability.on_knocks_ended(now, *peer, event.outcome);
  }
}

void Node::Implementation::on_owner_event(const LinkReady& event) {
  Peer* peer = peers.find(event.peer);
  if (peer == nullptr) return;
  discovery.on_link_ready(now, *peer);
  end_other_dials(*peer);
  mailbox.write_waiting(now, *peer);
  for (const ConnectionSlot inbound : std::vector(peer->inbound)) {
    take_held_streams(connections[inbound]);
  }
}

// Dials of other addresses of the peer that nobody has answered yet are not needed. Their end would count as a
// failure of a peer that we are linked to.
void Node::Implementation::end_other_dials(const Peer& peer) {
  if (!peer.up || peer.role != Role::node) return;
  connections.for_each([&](PeerConnection& connection) {
    if (connection.stage != PeerConnection::Stage::handshake || !connection.dialled) return;
    if (connection.purpose != Purpose::link || connection.dial_back_for != kNoSlot) return;
    if (connection.candidate.id != peer.id) return;
    connection.requested.clear();  // They have the link.
    peers.close(now, connection, ErrorCode::not_needed, "");
  });
}

void Node::Implementation::on_owner_event(const LinkWentDown& event) {
  discovery.on_link_down(now, event);
}

void Node::Implementation::on_owner_event(const RetryDue& event) {
  Peer* peer = peers.find(event.peer);
  if (peer == nullptr) return;
  const auto dialled =
      dialler.dial(now, {.address = peer->address, .id = peer->id, .server_name = {}},
                   Purpose::link, Port::first);
  if (!dialled) peers.on_retry_failed(now, *peer, dialled.error());
}

void Node::Implementation::on_owner_event(const RoleChanged& event) {
  const Peer* peer = peers.find(event.peer);
  if (peer == nullptr) return;
  reachability.forget(now, *peer);
  if (peers.is_named(*peer)) mailbox.fail_waiting(peer->id, PeerError::wrong_role);
}

// --- peers ---------------------------------------------------------------------------------------

void Node::Implementation::on_owner_event(const LinkAbandoned& event) {
  const Peer* peer = peers.find(event.peer);
  if (peer == nullptr) return;
  if (peers.is_named(*peer)) mailbox.fail_waiting(peer->id, PeerError::link_lost);
  erase_if_unused(event.peer);
}

void Node::Implementation::on_owner_event(const PeerUnused& event) { erase_if_unused(event.peer); }

// What waits for a node of that id waits in vain, unless another one has the name now.
void Node::Implementation::erase_if_unused(const PeerKey& key) {
  const Peer* peer = peers.find(key);
  if (peer == nullptr || !peers.is_unused(*peer)) return;
  reachability.forget(now, *peer);
  const bool named = peers.is_named(*peer);
  peers.erase(*peer);
  const Peer* const next = peers.find(key.id);
  if (next == nullptr) return mailbox.on_peer_erased(key.id);
  if (named && next->role != Role::node) mailbox.on_node_gone(key.id);
}

}  // namespace qpeer::p2p
