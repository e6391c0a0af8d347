// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/peer_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace qpeer::p2p {
namespace {

/// How long one direction alone may last.
constexpr Duration kHalfLinkTime = 10s;
constexpr Duration kLivenessTimeout = 2s;

using Stage = PeerConnection::Stage;

}  // namespace

// --- peers ---------------------------------------------------------------------------------------

Peer* PeerTable::find(const PeerId& id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &peers_[at->second];
}

const Peer* PeerTable::find(const PeerId& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &peers_[at->second];
}

Peer* PeerTable::admit(Instant now, const PeerId& id, Role role) {
  if (Peer* known = find(id)) {
    if (known->role != role) change_role(now, *known, role);
    return known;
  }
  if (peers_.size() >= config_.max_links) return nullptr;
  const PeerSlot slot = peers_.emplace();
  Peer& peer = peers_[slot];
  peer.slot = slot;
  peer.id = id;
  peer.role = role;
  by_id_.emplace(id, slot);
  return &peer;
}

// Nothing of before holds.
void PeerTable::change_role(Instant now, Peer& peer, Role role) {
  constexpr std::string_view kWhy = "it came in another role";
  close_directions(now, peer, ErrorCode::replaced, kWhy);
  take_down(peer, std::string(kWhy), false, true);
  queue_.post(RoleChanged{.peer = peer.id});
  peer.role = role;
  peer.retry_at = peer.drop_at = kNever;
  rearm(peer);
}

bool PeerTable::is_unused(const Peer& peer) const {
  return !peer.has_outbound() && peer.inbound.empty() && peer.retry_at == kNever;
}

void PeerTable::erase(const Peer& peer) {
  deadlines_.set(peer.slot, kNever);
  by_id_.erase(peer.id);
  peers_.erase(peer.slot);
}

std::vector<const Peer*> PeerTable::all() const {
  std::vector<const Peer*> out;
  out.reserve(by_id_.size());
  for (const auto& [id, slot] : by_id_) out.push_back(&peers_[slot]);
  return out;
}

// --- directions of links -------------------------------------------------------------------------

void PeerTable::attach_inbound(Instant now, Peer& peer, PeerConnection& connection) {
  connection.owner = peer.slot;
  peer.inbound.push_back(connection.slot);
  peer.drop_at = kNever;
  rearm(peer);
  if (peer.inbound.size() > kMaxInbound) {
    PeerConnection& oldest = connections_[peer.inbound.front()];
    detach(oldest);
    close(now, oldest, ErrorCode::replaced, "newer connections took its place");
  }
  if (peer.role == Role::client) {
    peer.address = connection.remote;
    connection.stage = Stage::open;
    update_link(now, peer);
    return queue_.post(ConnectionOpened{.connection = connection.slot});
  }
  connection.stage = Stage::verifying;
  if (peer.up && connections_.is_open(peer.outbound) &&
      !connections_[peer.outbound].liveness_check_pending) {
    // It came anew, perhaps after a restart: then our way to it leads nowhere.
    PeerConnection& outbound = connections_[peer.outbound];
    outbound.liveness_check_pending = true;
    connections_.set_deadline(outbound, now + kLivenessTimeout);
    if (transport::Connection* way = connections_.transport(outbound)) way->ping();
  }
  queue_.post(InboundAttached{.peer = peer.id});
}

void PeerTable::attach_outbound(Instant now, Peer& peer, PeerConnection& connection) {
  connection.owner = peer.slot;
  peer.outbound = connection.slot;
  peer.retry_at = kNever;
  rearm(peer);
  queue_.post(OutboundAttached{.peer = peer.id});
  if (config_.role == Role::node && !connection.peer_reached_us) {
    connection.stage = Stage::awaiting_verdict;
    return connections_.set_deadline(connection, now + 4 * config_.dial_back_timeout);
  }
  connection.stage = Stage::open;
  connections_.set_deadline(connection, kNever);
  queue_.post(OutboundOpened{.connection = connection.slot});
  if (config_.role == Role::node && !has_inbound(peer)) {
    peer.drop_at = now + 4 * config_.dial_back_timeout;
  }
  rearm(peer);
  update_link(now, peer);
}

bool PeerTable::has_inbound(const Peer& peer) const {
  return std::ranges::any_of(peer.inbound,
                             [&](ConnectionSlot slot) { return connections_.is_open(slot); });
}

ConnectionSlot PeerTable::best_connection(const PeerId& id) const {
  const Peer* peer = find(id);
  if (peer == nullptr) return kNoSlot;
  if (connections_.is_open(peer->outbound)) return peer->outbound;
  const auto at = std::ranges::find_if(
      peer->inbound, [&](ConnectionSlot slot) { return connections_.is_open(slot); });
  return at == peer->inbound.end() ? kNoSlot : *at;
}

void PeerTable::update_link(Instant now, Peer& peer) {
  const bool sends = connections_.is_open(peer.outbound);
  const bool both = peer.role == Role::node && config_.role == Role::node;
  const bool up = both ? sends && has_inbound(peer) : sends || has_inbound(peer);
  if (!up) return;
  peer.drop_at = kNever;
  rearm(peer);
  const bool was_up = peer.up;
  if (!was_up) {
    peer.up = true;
    peer.up_since = now;
    ++links_up_;
    queue_.post(LinkUp{.peer = peer.id, .role = peer.role, .address = peer.address});
  }
  if (peer.has_outbound()) {
    answer_requests(peer, std::exchange(connections_[peer.outbound].requested, {}), was_up);
  }
  queue_.post(LinkReady{.peer = peer.id});
}

// The LinkUp of a link that has just come up answers all but those who know another address only.
void PeerTable::answer_requests(const Peer& peer, const std::vector<Candidate>& requested,
                                bool was_up) {
  for (const Candidate& candidate : requested) {
    const SocketAddress& address = candidate.id ? peer.address : candidate.address;
    if (!was_up && address == peer.address) continue;
    queue_.post(LinkUp{.peer = peer.id, .role = peer.role, .address = address});
  }
}

void PeerTable::hand_over_requests(Peer& peer, PeerConnection& connection) {
  std::vector<Candidate> requested = std::exchange(connection.requested, {});
  if (peer.up) return answer_requests(peer, requested, true);
  std::vector<Candidate>& waiting = connections_[peer.outbound].requested;
  std::ranges::move(requested, std::back_inserter(waiting));
}

void PeerTable::take_down(Peer& peer, const std::string& why, bool retry, bool we_ended) {
  if (!std::exchange(peer.up, false)) return;
  --links_up_;
  queue_.post(LinkDown{.peer = peer.id, .why = why, .will_retry = retry});
  queue_.post(LinkWentDown{.peer = peer.id,
                           .address = peer.address,
                           .up_since = peer.up_since,
                           .we_dialled = peer.we_dialled,
                           .we_ended = we_ended});
}

void PeerTable::give_up(Peer& peer) {
  peer.retry_at = kNever;
  rearm(peer);
  take_down(peer, "we ended it", false, true);
  queue_.post(PeerUnused{.peer = peer.id});
}

void PeerTable::on_direction_lost(Instant now, Peer& peer, const ConnectionEnd& end) {
  if (peer.has_outbound() && (has_inbound(peer) || config_.role == Role::client)) return;
  if (peer.role == Role::client && has_inbound(peer)) return;
  if (peer.up && now - peer.up_since >= kSettledTime) {
    peer.attempts = 0;
    peer.back_off.reset();
  }
  const bool again =
      !shutting_down_ && peer.role == Role::node &&
      ((end.may_retry && peer.we_dialled && peer.attempts < config_.reconnect_attempts) ||
       !peer.inbound.empty());
  take_down(peer, end.why, again || peer.has_outbound());
  if (peer.has_outbound()) {
    peer.drop_at = now + kHalfLinkTime;  // The peer may dial again.
    return rearm(peer);
  }
  if (!peer.inbound.empty() && peer.role == Role::node) {
    return queue_.post(OutboundLost{.peer = peer.id});
  }
  if (again) return schedule_retry(now, peer);
  queue_.post(LinkAbandoned{.peer = peer.id});
}

// --- ends of connections -------------------------------------------------------------------------

void PeerTable::close(Instant now, PeerConnection& connection, ErrorCode code,
                      std::string_view reason, std::string why) {
  if (connection.has_ended()) return;
  if (transport::Connection* transport = connections_.transport(connection)) {
    transport->close(now, std::to_underlying(code), reason);
  }
  retire(connection,
         {.why = std::move(why), .may_retry = false, .refused = false, .closed_by_us = code});
}

void PeerTable::close_directions(Instant now, Peer& peer, ErrorCode code, std::string_view reason,
                                 ConnectionSlot kept) {
  std::vector<ConnectionSlot> all = peer.inbound;
  if (peer.has_outbound()) all.push_back(peer.outbound);
  for (const ConnectionSlot slot : all) {
    if (slot == kept) continue;
    detach(connections_[slot]);
    close(now, connections_[slot], code, reason);
  }
}

void PeerTable::retire(PeerConnection& connection, ConnectionEnd end) {
  ConnectionEnded event{.connection = connection.slot, .end = std::move(end)};
  event.had_owner = connection.owner != kNoSlot;
  if (detach(connection)) event.missed_by = peers_[connection.owner].id;
  connections_.end(connection);
  queue_.post(std::move(event));
}

bool PeerTable::detach(const PeerConnection& connection) {
  if (connection.owner == kNoSlot || !peers_.contains(connection.owner)) return false;
  Peer& peer = peers_[connection.owner];
  if (peer.outbound == connection.slot) {
    peer.outbound = kNoSlot;
    return true;
  }
  return std::erase(peer.inbound, connection.slot) > 0;
}

// --- dialling again ------------------------------------------------------------------------------

void PeerTable::rearm(const Peer& peer) {
  deadlines_.set(peer.slot, std::min(peer.retry_at, peer.drop_at));
}

void PeerTable::on_deadline(Instant now) {
  Peer& peer = peers_[deadlines_.top()];
  if (peer.drop_at <= now) {
    peer.drop_at = kNever;
    rearm(peer);
    if (!peer.has_outbound()) return;
    return close(now, connections_[peer.outbound], ErrorCode::timed_out,
                 "the other direction is gone");
  }
  if (peer.retry_at > now) return rearm(peer);
  peer.retry_at = kNever;
  rearm(peer);
  queue_.post(RetryDue{.peer = peer.id});
}

void PeerTable::schedule_retry(Instant now, Peer& peer) {
  if (!peer.back_off) peer.back_off.emplace();
  peer.retry_at = now + peer.back_off->on_failure(random_);
  ++peer.attempts;
  peer.drop_at = kNever;
  rearm(peer);
}

void PeerTable::on_retry_failed(Instant now, Peer& peer, const std::string& why) {
  if (peer.retry_at != kNever || !peer.inbound.empty()) return;
  if (peer.attempts < config_.reconnect_attempts && !shutting_down_) {
    return schedule_retry(now, peer);
  }
  queue_.post(LinkDown{.peer = peer.id, .why = why, .will_retry = false});
  queue_.post(PeerUnused{.peer = peer.id});
}

// --- assertions ----------------------------------------------------------------------------------

bool PeerTable::consistent() const {
  std::size_t up = 0;
  Instant earliest = kNever;
  for (const auto& [id, slot] : by_id_) {
    if (!peers_.contains(slot) || peers_[slot].id != id || peers_[slot].slot != slot) return false;
    const Peer& peer = peers_[slot];
    up += peer.up ? 1 : 0;
    earliest = std::min({earliest, peer.retry_at, peer.drop_at});
    const auto is_direction = [&](ConnectionSlot direction, bool dialled) {
      const PeerConnection& connection = connections_[direction];
      return !connection.has_ended() && connection.owner == slot && connection.peer == id &&
             connection.dialled == dialled;
    };
    if (peer.inbound.size() > kMaxInbound) return false;
    if (peer.has_outbound() && !is_direction(peer.outbound, true)) return false;
    for (const ConnectionSlot inbound : peer.inbound) {
      if (!is_direction(inbound, false)) return false;
    }
  }
  return up == links_up_ && by_id_.size() == peers_.size() && earliest == deadlines_.earliest();
}

}  // namespace qpeer::p2p
