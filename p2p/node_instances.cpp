// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a Node does about processes that share a key, a peer's or its own. See peer_instances.cpp.
#include <string>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

constexpr Duration kKeyInUseInterval = 1min;

}  // namespace

void Node::Implementation::on_owner_event(const InstanceReplaced& event) {
  if (const Peer* peer = peers.find(event.peer)) reachability.forget(now, *peer);
}

void Node::Implementation::on_owner_event(const PlaceFree& event) {
  Peer* peer = peers.find(event.peer);
  if (peer != nullptr && peer->awaits_place) reachability.on_place_free(now, *peer);
}

void Node::Implementation::on_owner_event(const InstanceRefused& event) {
  Peer* peer = peers.find(event.peer);
  if (peer == nullptr || peer->up) return;
  const bool is_there = peer->has_outbound() || !peer->inbound.empty();
  const SocketAddress seen =
      peer->inbound.empty() ? peer->address : connections[peer->inbound.back()].remote;
  reachability.cancel(now, *peer);
  if (is_there && peer->we_dialled) known.pause(now, peer->address, random);
  const std::string_view why = to_string(ErrorCode::key_in_use);
  peers.close_directions(now, *peer, ErrorCode::key_in_use, "a node of your key is linked here",
                         kNoSlot, why);
  if (Peer* linked = is_there ? peers.find(event.peer.id) : nullptr) {
    const ConnectionSlot slot = peers.best_connection(*linked);
    const bool emitted = emit_key_in_use(linked->key_in_use_emitted,
                                         {.peer = linked->id, .address = seen, .by = std::nullopt});
    if (emitted && slot != kNoSlot) {  // The first one is to know of it, too.
      connections[slot].control.send(connections.transport(slot), KeySharedNotice{.address = seen});
    }
  }
  peers.give_up(*peer);
}

// A peer has a link to another node of our key. It is no failure of the peer, which is left alone for
// a while.
void Node::Implementation::on_key_refused(PeerConnection& connection, const std::string& why) {
  const PeerSlot slot = connection.owner != kNoSlot ? connection.owner : connection.dial_back_for;
  Peer* const peer = slot != kNoSlot && peers.has(slot) ? &peers[slot] : nullptr;
  const SocketAddress address = peer != nullptr ? peer->address : connection.remote;
  known.pause(now, address, random);
  emit_key_in_use(own_key_in_use_emitted,
                  {.peer = tls.id, .address = address, .by = connection.peer, .refused_us = true});
  if (peer == nullptr) return;
  reachability.cancel(now, *peer);
  peers.close_directions(now, *peer, ErrorCode::not_needed, "you refused us", connection.slot, why);
  if (connection.has_ended()) peers.give_up(*peer);  // It was a dial-back, and no direction.
}

// Anybody may say so: it is shown, and nothing else comes of it.
void Node::Implementation::on_key_shared_notice(const PeerConnection& connection,
                                                const KeySharedNotice& notice) {
  if (config.role != Role::node || connection.owner == kNoSlot) return;
  emit_key_in_use(key_shared_notice_emitted,
                  {.peer = tls.id, .address = notice.address, .by = connection.peer});
}

bool Node::Implementation::emit_key_in_use(std::optional<Instant>& last, const KeyInUse& event) {
  if (last && now - *last < kKeyInUseInterval) return false;
  last = now;
  queue.emit(event);
  return true;
}

}  // namespace qpeer::p2p
