// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Processes that show one key: which of them an id names, and which of two nodes has the place.
//
//   a second node comes        the first is asked whether it is still there (a PING)
//   the first answers          the second is refused: InstanceRefused
//   it does not, or the        the first is given up: PlaceFree for the second, when it has proved
//   second answers where it was    itself
#include <algorithm>
#include <utility>

#include "qpeer/p2p/peer_table.hpp"

namespace qpeer::p2p {
namespace {

constexpr Duration kLivenessTimeout = 2s;

}  // namespace

// --- names ---------------------------------------------------------------------------------------

std::vector<PeerSlot> PeerTable::instances(const PeerId& id) const {
  std::vector<PeerSlot> out;
  for (auto at = by_key_.lower_bound(PeerKey(id)); at != by_key_.end() && at->first.id == id;
       ++at) {
    out.push_back(at->second);
  }
  return out;
}

// The node that is linked has the name.
void PeerTable::take_name(const Peer& peer) {
  PeerSlot& named = named_.at(peer.id);
  if (named == peer.slot) return;
  if (peers_[named].up) {
    queue_.post(
        LinkDown{.peer = peer.id, .why = "a node of the same key came", .will_retry = false});
  }
  named = peer.slot;
}

// Of those that are left a node has the name, else the client that came first.
void PeerTable::pass_name_on(const PeerId& id) {
  const std::vector<PeerSlot> left = instances(id);
  if (left.empty()) {
    named_.erase(id);
    return;
  }
  const PeerSlot next = std::ranges::min(left, {}, [this](PeerSlot slot) {
    const Peer& peer = peers_[slot];
    return std::pair(peer.role != Role::node, peer.up_since);
  });
  named_.at(id) = next;
  const Peer& peer = peers_[next];
  if (peer.up) {
    queue_.post(LinkUp{.peer = peer.id, .role = peer.role, .address = peer.address});
  }
}

// A process that has no connection left, and is only dialled again, is there no more when another
// one comes.
Peer* PeerTable::replace_vacant(const PeerKey& key, Role role) {
  for (const PeerSlot slot : instances(key.id)) {
    Peer& peer = peers_[slot];
    if (role != Role::node || peer.role != role) continue;
    if (peer.has_outbound() || !peer.inbound.empty()) continue;
    by_key_.erase(peer.key());
    peer.instance = key.instance;
    peer.awaits_place = false;
    by_key_.emplace(key, slot);
    queue_.post(InstanceReplaced{.peer = key});
    return &peer;
  }
  return nullptr;
}

// With the place of one that is there no more, another can come soon.
bool PeerTable::has_room_for_instance(Instant now, const PeerId& id) {
  const std::vector<PeerSlot> others = instances(id);
  if (others.size() < kMaxInstances) return true;
  for (const PeerSlot slot : others) check_liveness(now, peers_[slot]);
  return false;
}

// --- the place of a node -------------------------------------------------------------------------

Peer* PeerTable::linked_rival(const Peer& peer) {
  if (peer.role != Role::node) return nullptr;
  for (const PeerSlot slot : instances(peer.id)) {
    Peer& other = peers_[slot];
    if (slot != peer.slot && other.role == Role::node && other.up) return &other;
  }
  return nullptr;
}

void PeerTable::check_liveness(Instant now, Peer& peer) {
  const ConnectionSlot slot = best_connection(peer);
  if (slot == kNoSlot) return;
  PeerConnection& connection = connections_[slot];
  if (std::exchange(connection.liveness_check_pending, true)) return;
  connections_.set_deadline(connection, now + kLivenessTimeout);
  if (transport::Connection* transport = connections_.transport(connection)) transport->ping();
}

bool PeerTable::must_wait(Instant now, Peer& peer) {
  Peer* const rival = linked_rival(peer);
  peer.awaits_place = rival != nullptr;
  if (rival != nullptr) check_liveness(now, *rival);
  return rival != nullptr;
}

void PeerTable::refuse_rivals(const Peer& peer) {
  if (peer.role != Role::node) return;
  for (const PeerSlot slot : instances(peer.id)) {
    const Peer& other = peers_[slot];
    if (slot == peer.slot || other.role != Role::node) continue;
    queue_.post(InstanceRefused{.peer = other.key()});
  }
}

void PeerTable::on_reached_at(Instant now, const Peer& peer, const SocketAddress& address) {
  Peer* const rival = linked_rival(peer);
  if (rival == nullptr || rival->address != address) return;
  yield_place(now, *rival, "another process of its key is at its address");
}

bool PeerTable::has_waiting_rival(const Peer& peer) const {
  return std::ranges::any_of(instances(peer.id),
                             [this](PeerSlot slot) { return peers_[slot].awaits_place; });
}

void PeerTable::yield_place(Instant now, Peer& peer, const std::string& why) {
  close_directions(now, peer, ErrorCode::replaced, "another process of your key has your place");
  peer.retry_at = peer.drop_at = kNever;
  rearm(peer);
  take_down(peer, why, false);
  queue_.post(PeerUnused{.peer = peer.key()});
}

// A link of nodes is gone: who waited for its place has it.
void PeerTable::post_place_free(const Peer& peer) {
  for (const PeerSlot slot : instances(peer.id)) {
    if (peers_[slot].awaits_place) queue_.post(PlaceFree{.peer = peers_[slot].key()});
  }
}

// --- assertions ----------------------------------------------------------------------------------

bool PeerTable::names_are_consistent() const {
  std::size_t named = 0;
  for (const auto& [id, slot] : named_) {
    if (!peers_.contains(slot) || peers_[slot].id != id) return false;
    std::size_t nodes_up = 0;
    const std::vector<PeerSlot> all = instances(id);
    for (const PeerSlot each : all) {
      const Peer& peer = peers_[each];
      const bool node = peer.role == Role::node;
      nodes_up += node && peer.up ? 1 : 0;
      if (peer.awaits_place && (!node || peer.up)) return false;
      if (node && peer.up && each != slot) return false;
    }
    if (nodes_up > 1 || all.size() > kMaxInstances) return false;
    named += all.size();
  }
  return named == peers_.size();
}

}  // namespace qpeer::p2p
