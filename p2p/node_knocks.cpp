// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Knocks that linked nodes ask us for, and knocks of strangers at our own port. See Knocks.
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

}  // namespace qpeer::p2p
