// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What follows from the control messages of a connection. See control_channel.hpp.
//
// A client's link is open with the introductions, a node's with the verdict.
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {

using Stage = PeerConnection::Stage;

void Node::Implementation::read_control(PeerConnection& connection) {
  if (!connection.control.is_open()) return;
  connection.control.begin_turn();
  if (read_control_message(connection)) {
    queue.post(ControlReadable{.connection = connection.slot});
  }
}

// Whether there was one, so that there may be another. What it brings about is worked off before
// the next is read.
bool Node::Implementation::read_control_message(PeerConnection& connection) {
  transport::Connection* transport = connections.transport(connection);
  if (transport == nullptr || !connection.control.is_open()) return false;
  const ControlChannel::Received received = connection.control.receive(*transport);
  if (std::holds_alternative<std::monostate>(received)) return false;
  if (std::holds_alternative<ControlChannel::TurnOver>(received)) {
    unread.push_back(connection.slot);
    return false;
  }
  if (const auto* fault = std::get_if<ControlChannel::Fault>(&received)) {
    if (fault->is_violation()) ++violations;
    if (!fault->is_violation() && !connection.dialled) {
      emit_refusal(connection, Refusal::wrong_protocol, fault->why);
    }
    peers.close(now, connection, fault->code, fault->reason, fault->why);
    return false;
  }
  on_control(connection, std::get<ControlMessage>(received));
  return !connection.has_ended();
}

void Node::Implementation::on_control(PeerConnection& connection, const ControlMessage& message) {
  if (const auto* introduction = std::get_if<Introduction>(&message)) {
    return on_introduction(connection, *introduction);
  }
  if (const auto* proof = std::get_if<Proof>(&message)) {
    return reachability.on_proof(now, connection, *proof);
  }
  if (const auto* verdict = std::get_if<VerdictMessage>(&message)) {
    if (!connection.dialled || config.role != Role::node) {
      return violate(connection, ErrorCode::role_violation, "no verdict was asked for");
    }
    return reachability.on_verdict(now, connection, *verdict);
  }
  if (const auto* request = std::get_if<PeersRequest>(&message)) {
    return discovery.on_peers_request(now, connection, *request);
  }
  if (std::holds_alternative<KnockMe>(message)) return on_knock_me(connection);
  if (const auto* knock_wanted = std::get_if<Knock>(&message)) {
    return on_knock(connection, *knock_wanted);
  }
  if (const auto* knock_sent = std::get_if<KnockSent>(&message)) {
    return on_knock_sent(connection, *knock_sent);
  }
  if (const auto* knocked = std::get_if<Knocked>(&message)) {
    return knocks.on_knocked(now, connection, *knocked);
  }
  if (const auto* receipts = std::get_if<Receipts>(&message)) {
    const auto wrong = mailbox.on_receipts(connection, *receipts);
    return wrong ? violate(connection, ErrorCode::role_violation, *wrong) : void();
  }
  if (const auto* notice = std::get_if<KeySharedNotice>(&message)) {
    return on_key_shared_notice(connection, *notice);
  }
  if (const auto* answer = std::get_if<Peers>(&message))
    discovery.on_peers(now, connection, *answer);
}

// --- introductions -------------------------------------------------------------------------------

void Node::Implementation::on_introduction(PeerConnection& connection,
                                           const Introduction& message) {
  if (message.purpose == Purpose::link) connections.set_newcomer(connection, false);
  connections.set_deadline(connection, kNever);
  connection.dialled ? on_introduced_by_acceptor(connection) : on_introduced_by_dialler(connection);
}

void Node::Implementation::on_introduced_by_acceptor(PeerConnection& connection) {
  if (connection.control.peer_introduction()->role != Role::node) {
    return violate(connection, ErrorCode::role_violation, "only nodes accept connections");
  }
  if (connection.dial_back_for != kNoSlot) {
    return reachability.on_dial_back_introduced(now, connection);
  }
  if (connection.purpose == Purpose::link &&
      connection.control.peer_introduction()->purpose != Purpose::link) {
    // The reason follows, and perhaps where there is room.
    connection.turned_away = true;
    return connections.set_deadline(connection, now + config.introduction_timeout);
  }
  Peer* before = peers.find(connection.key());
  // What the peer itself has opened on its way to us proves nothing.
  const bool helped = (before != nullptr && !before->inbound.empty()) ||
                      visitors.came_before(now, connection.remote, connection.began);
  if (!helped && !is_contested(connection)) {
    known.on_reached(now, connection, connections.transport(connection), cache::Evidence::dialled);
  }
  const bool linked = before != nullptr && before->has_outbound();
  if (linked && connection.purpose == Purpose::link) {
    discovery.on_superseded(now, connection, *before);
    peers.hand_over_requests(*before, connection);
  }
  if (linked || connection.purpose == Purpose::probe) {
    return peers.close(now, connection, ErrorCode::not_needed, "that is all",
                       "there is a link already");
  }
  Peer* peer = peers.admit(now, connection.key(), Role::node);
  if (peer == nullptr) {
    return peers.close(now, connection, ErrorCode::too_many_links, "too many links",
                       "we have too many links");
  }
  // After what a change of its role brings about.
  queue.post(PeerDialled{.peer = peer->key(), .helped = helped});
  peers.on_reached_at(now, *peer, connection.remote);
  peer->address = connection.candidate.address;
  peer->we_dialled = true;
  peers.attach_outbound(now, *peer, connection);
}

// Whether another node of the same key is linked, and at another address: that one stays in the cache.
bool Node::Implementation::is_contested(const PeerConnection& connection) {
  const Peer* named = peers.find(connection.peer);
  return named != nullptr && named->up && named->role == Role::node &&
         named->key() != connection.key() && named->address != connection.remote;
}

// Our introduction says whether we accept the link: it has the purpose of the peer's then.
void Node::Implementation::on_introduced_by_dialler(PeerConnection& connection) {
  const Introduction& introduction = *connection.control.peer_introduction();
  const bool wants_link = introduction.purpose == Purpose::link;
  Peer* peer = nullptr;
  if (wants_link && !shutting_down) {
    peer = peers.admit_visitor(now, connection.key(), introduction.role, connection.remote);
  }
  connection.purpose = peer != nullptr ? Purpose::link : Purpose::probe;
  dialler.introduce(connection);
  if (shutting_down) {
    return peers.close(now, connection, ErrorCode::shutting_down, "shutting down");
  }
  if (peer != nullptr) return peers.attach_inbound(now, *peer, connection);
  if (wants_link) {
    const bool of_network = peers.is_network_full(connection.remote);
    emit_refusal(connection, of_network ? Refusal::too_many_of_network : Refusal::too_many_links,
                 "");
    // Another node may have room.
    discovery.on_peers_request(now, connection, {.max = kMaxPeers});
    return connections.close_with_reason(now, connection, ErrorCode::too_many_links,
                                         "too many links");
  }
  connection.stage = Stage::handshake;  // It carries nothing, and goes by itself.
  if (const Peer* known_peer = peers.find(connection.key())) reachability.prove(*known_peer);
  connections.set_deadline(connection, now + config.dial_back_timeout);
}

}  // namespace qpeer::p2p
