// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Knocks that linked nodes and clients ask us for, and knocks of strangers at our own port. See Knocks.
#include <algorithm>

#include "qpeer/p2p/nat/probe_target.hpp"
#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {

// --- at another's port ---------------------------------------------------------------------------

void Node::Implementation::on_knock(PeerConnection& connection, const Knock& message) {
  connection.control.send(connections.transport(connection),
                          KnockSent{.token = message.token, .status = knock(connection, message)});
}

// Another node decides where the datagram goes: only a linked one may, only to the internet, and seldom.
KnockStatus Node::Implementation::knock(const PeerConnection& by, const Knock& message) {
  const bool is_linked = by.owner != kNoSlot && peers[by.owner].up &&
                         peers[by.owner].role == Role::node && config.role == Role::node;
  if (!is_linked || !is_probe_target(message.address) || dialler.is_ourselves(message.address)) {
    return KnockStatus::busy;
  }
  if (!knock_sender.admit(now, by.remote, message.address)) return KnockStatus::busy;
  if (wrote_to_us(message.address)) return KnockStatus::knows_the_host;
  StunTransactionId id{};
  random.fill_private(id);
  knock_sender.send({.local = {}, .remote = message.address}, message.token, id);
  return KnockStatus::sent;
}

bool Node::Implementation::wrote_to_us(const SocketAddress& host) {
  if (visitors.came_from_host(now, host) || stun_visitors.came_from_host(now, host)) return true;
  bool found = false;
  connections.for_each([&](const PeerConnection& connection) {
    found =
        found || connection.remote.same_host(host) || connection.candidate.address.same_host(host);
  });
  return found;
}

// --- at a client's -------------------------------------------------------------------------------

void Node::Implementation::on_knock_me(PeerConnection& connection) {
  if (connection.dialled || connection.owner == kNoSlot) return;
  const Peer& peer = peers[connection.owner];
  if (peer.role == Role::node) return reachability.on_knock_me(connection);
  knock_for_client(connection, peer);
}

// The client learns of two things: of a knock from our other port first, then of those of other nodes.
void Node::Implementation::knock_for_client(PeerConnection& connection, const Peer& client) {
  const SocketAddress target = connection.remote;
  KnockSent own{.token = {}, .status = KnockStatus::busy};
  const bool is_admitted = is_probe_target(target) && knocks.admit_client(now, client, target);
  if (is_admitted && config.probe_address && knock_sender.admit(now, target, target)) {
    own.status = KnockStatus::sent;
    random.fill_private(own.token);
    StunTransactionId id{};
    random.fill_private(id);
    knock_sender.send({.local = *config.probe_address, .remote = target}, own.token, id);
  }
  connection.control.send(connections.transport(connection), own);
  if (is_admitted) return knocks.begin_for_client(now, client, target);
  connection.control.send(connections.transport(connection), own);
}

void Node::Implementation::on_knock_sent(const PeerConnection& connection,
                                         const KnockSent& message) {
  if (config.role == Role::node) return knocks.on_knock_sent(now, connection, message);
  filtering_probe.on_knock_sent(now, connection.peer, message);
  emit_filtering();
}

// --- at ours -------------------------------------------------------------------------------------

// A node that checks us knows its token; to others the token means nothing. Forged knocks must cost little.
void Node::Implementation::on_knock_arrived(Instant time, const SocketAddress& source,
                                            const KnockToken& token) {
  constexpr Duration kInterval = 100ms;
  constexpr int kBurst = 10;
  now = time;
  if (knocked_at > now + (kBurst - 1) * kInterval) {
    ++stun_ignored;
    return;
  }
  bool is_wanted = false;
  connections.for_each([&](PeerConnection& connection) {
    const auto& introduction = connection.control.peer_introduction();
    if (!connection.dialled || connection.purpose != Purpose::link || !introduction) return;
    if (!introduction->has_knocks() || connection.stage == PeerConnection::Stage::closing) return;
    connection.control.send(connections.transport(connection),
                            Knocked{.token = token, .source = source});
    is_wanted = true;
  });
  is_wanted ? void(knocked_at = std::max(knocked_at, now) + kInterval) : void(++stun_ignored);
}

// The node need not knock again.
void Node::Implementation::on_knock_at_client(Instant time, const SocketAddress& source,
                                              const KnockToken& token) {
  now = time;
  const ConnectionSlot slot = peers.best_connection(filtering_probe.node());
  if (slot == kNoSlot || !filtering_probe.on_knock(source, token)) {
    ++stun_ignored;
    return;
  }
  connections[slot].control.send(connections.transport(slot),
                                 Knocked{.token = token, .source = source});
  emit_filtering();
}

std::expected<void, PeerError> Node::probe_filtering(Instant now, const PeerId& peer) {
  impl_->now = now;
  return impl_->probe_filtering(peer);
}

std::expected<void, PeerError> Node::Implementation::probe_filtering(const PeerId& peer) {
  if (config.role != Role::client) return std::unexpected(PeerError::wrong_role);
  const ConnectionSlot slot = peers.best_connection(peer);
  if (slot == kNoSlot) return std::unexpected(PeerError::not_linked);
  if (filtering_probe.is_open()) return std::unexpected(PeerError::queue_full);
  PeerConnection& connection = connections[slot];
  const auto& introduction = connection.control.peer_introduction();
  if (!introduction || !introduction->has_knocks()) return std::unexpected(PeerError::refused);
  filtering_probe.begin(now, peer, connection.remote);
  connection.control.send(connections.transport(connection), KnockMe{});
  return {};
}

void Node::Implementation::emit_filtering() {
  if (const auto found = filtering_probe.take_result(now)) queue.emit(*found);
}

}  // namespace qpeer::p2p
