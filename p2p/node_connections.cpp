// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Events of the transport, and deadlines, of the connections of a Node.
#include <utility>
#include <variant>

#include "qpeer/p2p/node_state.hpp"
#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

using Stage = PeerConnection::Stage;

void Node::Implementation::on_connection_activity(Port port,
                                                  const transport::ConnectionActivity& activity) {
  const transport::ConnectionHandle handle = activity.connection;
  if (std::holds_alternative<transport::Connected>(activity.event)) {
    return on_connected(port, handle, activity.incoming);
  }
  PeerConnection* const connection = connections.find(port, handle);
  if (connection != nullptr) {
    return std::visit([&](const auto& event) { on(*connection, event); }, activity.event);
  }
  // Of no use any more, or not yet.
  const auto* const closed = std::get_if<transport::Closed>(&activity.event);
  if (closed != nullptr && activity.incoming) on_handshake_refused(port, handle, closed->reason);
}

void Node::Implementation::on(PeerConnection& connection, const transport::Closed& event) {
  connection.control.begin_turn();
  queue.post(TransportClosed{.connection = connection.slot, .reason = event.reason});
}

void Node::Implementation::on(PeerConnection& connection,
                              const transport::DatagramReadable& /*event*/) {
  mailbox.on_datagrams(connection);
}

void Node::Implementation::on(PeerConnection& connection, const transport::TicketReceived& event) {
  known.on_session_ticket(connection, event.session_ticket);
}

void Node::Implementation::on(PeerConnection& connection, const transport::TokenReceived& event) {
  known.on_new_token(connection, event.address_token);
}

// --- the end of the handshake --------------------------------------------------------------------

void Node::Implementation::on_connected(Port port, transport::ConnectionHandle handle,
                                        bool incoming) {
  const transport::Connection* const transport = std::as_const(ports).find(port, handle);
  PeerConnection* connection = connections.find(port, handle);
  if (transport == nullptr || (connection == nullptr && !incoming)) return;
  if (connection == nullptr) connection = &connections.add(now, port, handle);
  connection->peer = PeerId{transport->peer_certificate().spki_sha256};
  connection->remote = transport->path().remote;
  connection->stage = Stage::introducing;
  incoming ? on_accepted(*connection) : on_dialled(*connection);
}

void Node::Implementation::on_dialled(PeerConnection& connection) {
  if (connection.peer == tls.id) {
    return peers.close(now, connection, ErrorCode::self, "we dialled ourselves",
                       "that is ourselves");
  }
  if (connection.candidate.id && connection.peer != *connection.candidate.id) {
    return peers.close(now, connection, ErrorCode::wrong_peer, "another peer was expected",
                       "another peer answered: " + connection.peer.to_string());
  }
  router_ports.on_reached(connection.remote);
  const bool introduced = connection.control.is_open();
  if (!introduced) {
    const auto control = connections.transport(connection)->open_stream(true);
    if (!control) {
      return peers.close(now, connection, ErrorCode::malformed, "no stream can be opened",
                         "it allows no control stream");
    }
    connection.control.open(*control);
  }
  discovery.on_answer(connection);
  if (connection.dial_back_for == kNoSlot) {
    connections.set_deadline(connection, now + config.introduction_timeout);
  }
  if (!introduced) dialler.introduce(connection);
}

// What came before the end of the handshake waited for it: a copy of the client's first flight, as
// anybody can send one, never has that, so that a replay has no effect. RFC 9001 §9.2.
void Node::Implementation::on_accepted(PeerConnection& connection) {
  if (connection.peer == tls.id) {
    return peers.close(now, connection, ErrorCode::self, "you dialled yourself");
  }
  const auto& newcomers = connections.newcomers();
  const bool full = newcomers.total() >= config.max_unintroduced;
  if (full || newcomers.of(site_of(connection.remote)) >= config.max_unintroduced_network) {
    emit_refusal(connection, full ? Refusal::too_many_newcomers : Refusal::too_many_of_network, "");
    return peers.close(now, connection, ErrorCode::too_many_links, "too many newcomers");
  }
  visitors.on_visit(now, connection.remote);
  connections.set_newcomer(connection, true);
  connections.set_deadline(connection, now + config.introduction_timeout);
  on_streams_opened(connection, true);
  on_streams_opened(connection, false);
}

// --- streams -------------------------------------------------------------------------------------

void Node::Implementation::on(PeerConnection& connection, const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  if (event.kind == Kind::opened) {
    return on_streams_opened(connection, event.stream_id.is_bidirectional());
  }
  if (event.kind == Kind::can_open) {
    if (connection.owner != kNoSlot) mailbox.on_can_open(now, peers[connection.owner]);
    return;
  }
  if (connection.control.is(event.stream_id)) {
    if (event.kind == Kind::readable) return read_control(connection);
    if (event.kind == Kind::writable) {
      return connection.control.write(connections.transport(connection));
    }
    if (event.kind == Kind::finished && connection.stage == Stage::closing) {
      peers.close(now, connection, connection.close_code, connection.close_reason);
    }
    return;
  }
  const auto id = streams.find(connection.slot, event.stream_id);
  if (!id) return;
  raw_streams.contains(*id) ? raw_streams.on_event(*id, event)
                            : mailbox.on_stream_event(now, *id, event);
}

// The peer opened streams: its control stream, or some that its role allows.
void Node::Implementation::on_streams_opened(PeerConnection& connection, bool bidirectional) {
  transport::Connection* const transport = connections.transport(connection);
  if (transport == nullptr) return;
  while (!connection.has_ended()) {
    const auto stream = transport->accept_stream(bidirectional);
    if (!stream) return;
    if (connection.dialled) {
      return violate(connection, ErrorCode::role_violation,
                     "streams are for the side that dialled");
    }
    if (bidirectional && !connection.control.is_open()) {
      connection.control.open(*stream);
      read_control(connection);
    } else if (const auto wrong = mailbox.on_stream_opened(now, connection, *stream)) {
      violate(connection, ErrorCode::role_violation, *wrong);
    }
  }
}

// --- pings, addresses, deadlines -----------------------------------------------------------------

void Node::Implementation::on(PeerConnection& connection, const transport::Pong& /*event*/) {
  if (std::exchange(connection.liveness_check_pending, false)) {
    connections.set_deadline(connection, kNever);
    if (connection.owner != kNoSlot) peers.on_alive(peers[connection.owner]);
  }
  if (connection.pings.empty()) return;
  queue.emit(Pong{.peer = connection.peer, .round_trip = now - connection.pings.front()});
  connection.pings.pop_front();
}

void Node::Implementation::on(PeerConnection& connection, const transport::AddressObserved& event) {
  // A NAT may map the second port to another address than the first.
  if (connection.port != Port::first || connection.owner == kNoSlot) return;
  const auto before = own_address.current();
  if (!own_address.on_observed(now, connection.peer, connection.remote, event.address)) return;
  queue.emit(OwnAddressChanged{.address = own_address.current(), .before = before});
}

void Node::Implementation::on_connection_deadline(PeerConnection& connection) {
  const auto time_out = [&](ErrorCode code, std::string_view reason) {
    peers.close(now, connection, code, reason);
  };
  if (connection.dial_back_for != kNoSlot) {
    return time_out(ErrorCode::timed_out, "no proof in time");
  }
  switch (connection.stage) {
    case Stage::closing:
      return time_out(connection.close_code, connection.close_reason);
    case Stage::introducing:
      if (!connection.dialled) emit_refusal(connection, Refusal::no_introduction, "");
      if (connection.turned_away) return time_out(ErrorCode::timed_out, "it has no room for us");
      return time_out(ErrorCode::introduction_timeout, "no introduction in time");
    case Stage::awaiting_verdict:
      return time_out(ErrorCode::timed_out, "no verdict in time");
    case Stage::open:
      if (!connection.liveness_check_pending) return;
      return time_out(ErrorCode::replaced, "no answer on an older connection");
    case Stage::handshake:
    case Stage::verifying:
    case Stage::ended:
      if (connection.purpose != Purpose::probe) return;
      return time_out(ErrorCode::timed_out, "it has its proof");
  }
}

void Node::Implementation::violate(PeerConnection& connection, ErrorCode code,
                                   std::string_view reason) {
  ++violations;
  peers.close(now, connection, code, reason);
}

}  // namespace qpeer::p2p
