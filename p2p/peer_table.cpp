// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/peer_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

/// How long one direction alone may last.
constexpr Duration kHalfLinkTime = 10s;

using Stage = PeerConnection::Stage;

}  // namespace

// --- peers ---------------------------------------------------------------------------------------

Peer* PeerTable::find(const PeerId& id) {
  const auto at = named_.find(id);
  return at == named_.end() ? nullptr : &peers_[at->second];
}

const Peer* PeerTable::find(const PeerId& id) const {
  const auto at = named_.find(id);
  return at == named_.end() ? nullptr : &peers_[at->second];
}

Peer* PeerTable::find(const PeerKey& key) {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : &peers_[at->second];
}

Peer* PeerTable::admit(Instant now, const PeerKey& key, Role role) {
  if (Peer* known = find(key)) {
    if (known->role != role) change_role(now, *known, role);
    return known;
  }
  if (Peer* vacant = replace_vacant(key, role)) return vacant;
  if (peers_.size() >= config_.max_links || !has_room_for_instance(now, key.id)) return nullptr;
  const PeerSlot slot = peers_.emplace();
  Peer& peer = peers_[slot];
  peer.slot = slot;
  peer.id = key.id;
  peer.instance = key.instance;
  peer.role = role;
  by_key_.emplace(key, slot);
  named_.try_emplace(key.id, slot);
  return &peer;
}

Peer* PeerTable::admit_visitor(Instant now, const PeerKey& key, Role role,
                               const SocketAddress& address) {
  const std::size_t kept = config_.max_links / kShareOfDialled;
  const bool full = visitors_.total() >= config_.max_links - kept || is_network_full(address);
  if (full && find(key) == nullptr) return nullptr;
  const std::size_t before = peers_.size();
  Peer* const peer = admit(now, key, role);
  if (peers_.size() == before) return peer;
  peer->visitor_from = site_of(address);
  visitors_.add(*peer->visitor_from);
  return peer;
}

bool PeerTable::is_network_full(const SocketAddress& address) const {
  return visitors_.of(site_of(address)) >= config_.max_links_network;
}

// Nothing of before holds.
void PeerTable::change_role(Instant now, Peer& peer, Role role) {
  constexpr std::string_view kWhy = "it came in another role";
  close_directions(now, peer, ErrorCode::replaced, kWhy);
  take_down(peer, std::string(kWhy), false, true);
  queue_.post(RoleChanged{.peer = peer.key()});
  peer.role = role;
  peer.awaits_place = false;
  peer.retry_at = peer.drop_at = kNever;
  rearm(peer);
}

bool PeerTable::is_unused(const Peer& peer) const {
  return !peer.has_outbound() && peer.inbound.empty() && peer.retry_at == kNever;
}

void PeerTable::erase(const Peer& peer) {
  const PeerSlot slot = peer.slot;
  const PeerId id = peer.id;
  deadlines_.set(slot, kNever);
  if (peer.visitor_from) visitors_.remove(*peer.visitor_from);
  by_key_.erase(peer.key());
  if (named_.at(id) == slot) pass_name_on(id);
  peers_.erase(slot);
}

std::vector<const Peer*> PeerTable::all() const {
  std::vector<const Peer*> out;
  out.reserve(peers_.size());
  for (const auto& [id, named] : named_) {
    out.push_back(&peers_[named]);
    for (const PeerSlot slot : instances(id)) {
      if (slot != named) out.push_back(&peers_[slot]);
    }
  }
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
  // It came anew, perhaps after a restart: then our way to it leads nowhere.
  if (peer.up && connections_.is_open(peer.outbound)) check_liveness(now, peer);
  if (Peer* rival = linked_rival(peer)) check_liveness(now, *rival);
  queue_.post(InboundAttached{.peer = peer.key()});
}

void PeerTable::attach_outbound(Instant now, Peer& peer, PeerConnection& connection) {
  connection.owner = peer.slot;
  peer.outbound = connection.slot;
  peer.retry_at = kNever;
  rearm(peer);
  queue_.post(OutboundAttached{.peer = peer.key()});
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

ConnectionSlot PeerTable::best_connection(const Peer& peer) const {
  if (connections_.is_open(peer.outbound)) return peer.outbound;
  const auto at = std::ranges::find_if(
      peer.inbound, [&](ConnectionSlot slot) { return connections_.is_open(slot); });
  return at == peer.inbound.end() ? kNoSlot : *at;
}

ConnectionSlot PeerTable::best_connection(const PeerId& id) const {
  const Peer* peer = find(id);
  return peer == nullptr ? kNoSlot : best_connection(*peer);
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
    if (must_wait(now, peer)) return;
    peer.up = true;
    peer.up_since = now;
    ++links_up_;
    if (peer.role == Role::node) take_name(peer);
    if (is_named(peer)) {
      queue_.post(LinkUp{.peer = peer.id, .role = peer.role, .address = peer.address});
    }
    refuse_rivals(peer);
  }
  if (peer.has_outbound()) {
    answer_requests(peer, std::exchange(connections_[peer.outbound].requested, {}), was_up);
  }
  queue_.post(LinkReady{.peer = peer.key()});
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
  if (is_named(peer)) {
    queue_.post(LinkDown{.peer = peer.id, .why = why, .will_retry = retry});
  }
  queue_.post(LinkWentDown{.peer = peer.id,
                           .address = peer.address,
                           .up_since = peer.up_since,
                           .we_dialled = peer.we_dialled,
                           .we_ended = we_ended});
  post_place_free(peer);
}

void PeerTable::give_up(Peer& peer) {
  peer.retry_at = kNever;
  rearm(peer);
  take_down(peer, "we ended it", false, true);
  queue_.post(PeerUnused{.peer = peer.key()});
}

void PeerTable::on_direction_lost(Instant now, Peer& peer, const ConnectionEnd& end) {
  if (peer.has_outbound() && (has_inbound(peer) || config_.role == Role::client)) return;
  if (peer.role == Role::client && has_inbound(peer)) return;
  if (peer.up && has_waiting_rival(peer)) return yield_place(now, peer, end.why);
  peer.awaits_place = false;
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
    return queue_.post(OutboundLost{.peer = peer.key()});
  }
  if (again) return schedule_retry(now, peer);
  queue_.post(LinkAbandoned{.peer = peer.key()});
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
                                 ConnectionSlot kept, std::string_view why) {
  std::vector<ConnectionSlot> all = peer.inbound;
  if (peer.has_outbound()) all.push_back(peer.outbound);
  for (const ConnectionSlot slot : all) {
    if (slot == kept) continue;
    detach(connections_[slot]);
    close(now, connections_[slot], code, reason, std::string(why.empty() ? reason : why));
  }
}

void PeerTable::retire(PeerConnection& connection, ConnectionEnd end) {
  ConnectionEnded event{.connection = connection.slot, .end = std::move(end)};
  event.had_owner = connection.owner != kNoSlot;
  if (detach(connection)) event.missed_by = peers_[connection.owner].key();
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
  queue_.post(RetryDue{.peer = peer.key()});
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
  if (is_named(peer)) {
    queue_.post(LinkDown{.peer = peer.id, .why = why, .will_retry = false});
  }
  queue_.post(PeerUnused{.peer = peer.key()});
}

// Whom we waited to dial again, we do not.
void PeerTable::shut_down() {
  shutting_down_ = true;
  peers_.for_each([this](Peer& peer) {
    if (peer.retry_at == kNever) return;
    peer.retry_at = kNever;
    rearm(peer);
    if (is_named(peer)) {
      queue_.post(LinkDown{.peer = peer.id, .why = "we are shutting down", .will_retry = false});
    }
    queue_.post(PeerUnused{.peer = peer.key()});
  });
}

// --- assertions ----------------------------------------------------------------------------------

bool PeerTable::consistent() const {
  std::size_t up = 0;
  std::size_t visitors = 0;
  Instant earliest = kNever;
  for (const auto& [key, slot] : by_key_) {
    if (!peers_.contains(slot) || peers_[slot].key() != key || !is_consistent(slot)) return false;
    const Peer& peer = peers_[slot];
    up += peer.up ? 1 : 0;
    visitors += peer.visitor_from ? 1 : 0;
    earliest = std::min({earliest, peer.retry_at, peer.drop_at});
  }
  return up == links_up_ && by_key_.size() == peers_.size() && earliest == deadlines_.earliest() &&
         visitors == visitors_.total() && visitors_.consistent() && names_are_consistent();
}

bool PeerTable::is_consistent(PeerSlot slot) const {
  const Peer& peer = peers_[slot];
  if (peer.slot != slot || peer.inbound.size() > kMaxInbound) return false;
  const auto is_direction = [&](ConnectionSlot direction, bool dialled) {
    const PeerConnection& connection = connections_[direction];
    return !connection.has_ended() && connection.owner == slot && connection.peer == peer.id &&
           connection.dialled == dialled;
  };
  if (peer.has_outbound() && !is_direction(peer.outbound, true)) return false;
  return std::ranges::all_of(peer.inbound,
                             [&](ConnectionSlot inbound) { return is_direction(inbound, false); });
}

}  // namespace qpeer::p2p
