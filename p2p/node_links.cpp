// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The links of a Node: when they are up, and what happens when they break.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

/// How long one direction alone may last.
constexpr Duration kHalfLinkTime = 10s;
constexpr Duration kDoubtTime = 2s;

}  // namespace

// --- peers ---------------------------------------------------------------------------------------

Node::Implementation::Slot Node::Implementation::peer_for(const PeerId& id, Role role) {
  if (Peer* peer = find_peer(id)) {
    if (peer->role != role) take_over(*peer, role);
    return peer->slot;
  }
  if (peers.size() >= config.max_links) return kNone;
  const Slot slot = peers.emplace();
  Peer& peer = peers[slot];
  peer.slot = slot;
  peer.id = id;
  peer.role = role;
  by_id.emplace(id, slot);
  return slot;
}

// It comes in another role than before: nothing of before holds.
void Node::Implementation::take_over(Peer& peer, Role role) {
  end_dial_back(peer);
  std::vector<Slot> before = std::exchange(peer.ins, {});
  if (peer.out != kNone) before.push_back(std::exchange(peer.out, kNone));
  for (const Slot link : before) end(link, ErrorCode::replaced, "it came in another role");
  take_down(peer.slot, "it came in another role", false);
  fail_waiting(peer, PeerError::wrong_role);
  peer.role = role;
  peer.reached = false;
  peer.retry_at = peer.recheck_at = peer.drop_at = kNever;
}

bool Node::Implementation::is_open(Slot link) const {
  return link != kNone && links[link].stage == Link::Stage::open;
}

bool Node::Implementation::hears(const Peer& peer) const {
  return std::ranges::any_of(peer.ins, [&](Slot in) { return is_open(in); });
}

void Node::Implementation::adopt_in(Slot owner, Slot slot) {
  Peer& peer = peers[owner];
  Link& link = links[slot];
  link.owner = owner;
  peer.ins.push_back(slot);
  peer.drop_at = kNever;
  rearm(peer);
  if (peer.ins.size() > kMaxIns) {
    const Slot oldest = peer.ins.front();
    peer.ins.erase(peer.ins.begin());  // Before its end: it is not missed.
    end(oldest, ErrorCode::replaced, "newer connections took its place");
  }
  if (peer.role == Role::client) {
    peer.address = link.remote;
    link.stage = Link::Stage::open;
    check_up(owner);
    return release_held(slot);
  }
  link.stage = Link::Stage::judging;
  if (peer.up && is_open(peer.out) && !links[peer.out].doubted) {
    // It came anew, perhaps after a restart: then our way to it leads nowhere.
    Link& out = links[peer.out];
    out.doubted = true;
    set_deadline(out, now + kDoubtTime);
    if (transport::Connection* connection = transport_of(out)) connection->ping();
  }
  prove(peer);
  judge(owner);
}

// A connection that we dialled has an introduction, a proof or a verdict more than before.
void Node::Implementation::adopt_out(Slot owner, Slot slot) {
  Peer& peer = peers[owner];
  Link& link = links[slot];
  link.owner = owner;
  peer.out = slot;
  peer.retry_at = kNever;
  prove(peer);
  if (config.role == Role::node && !link.verdict) {
    link.stage = Link::Stage::awaiting_verdict;
    return set_deadline(link, now + 4 * config.dial_back_timeout);
  }
  link.stage = Link::Stage::open;
  set_deadline(link, kNever);
  if (config.exchange_peers) say(link, PeersRequest{.max = kMaxPeers});
  if (config.role == Role::node && !hears(peer)) peer.drop_at = now + 4 * config.dial_back_timeout;
  rearm(peer);
  check_up(owner);
}

void Node::Implementation::check_up(Slot slot) {
  Peer& peer = peers[slot];
  const bool both = peer.role == Role::node && config.role == Role::node;
  const bool up = both ? is_open(peer.out) && hears(peer) : is_open(peer.out) || hears(peer);
  if (!up) return;
  peer.drop_at = kNever;
  peer.attempts = 0;
  peer.back_off.reset();
  rearm(peer);
  if (!peer.up) {
    peer.up = true;
    peer.up_since = now;
    ++links_up_count;
    tell(LinkUp{.peer = peer.id, .role = peer.role, .address = peer.address});
  }
  if (peer.out != kNone) {
    Link& out = links[peer.out];
    out.asked = false;
    if (plan && out.plan_index && plan->on_won(*out.plan_index)) end_bootstrap(slot);
  }
  write_waiting(peer);
}

void Node::Implementation::take_down(Slot slot, const std::string& why, bool retry) {
  Peer& peer = peers[slot];
  if (!std::exchange(peer.up, false)) return;
  --links_up_count;
  tell(LinkDown{.peer = peer.id, .why = why, .will_retry = retry});
  if (keeps_links) maintain_at = std::min(maintain_at, now);
}

// One of the connections of a link is gone.
void Node::Implementation::on_direction_lost(Slot slot, const std::string& why, bool retry) {
  Peer& peer = peers[slot];
  if (peer.out != kNone && (hears(peer) || config.role == Role::client)) return;
  if (peer.role == Role::client && hears(peer)) return;
  const bool again = !shutting_down && peer.role == Role::node &&
                     ((retry && peer.we_dialled && peer.attempts < config.reconnect_attempts) ||
                      !peer.ins.empty());
  take_down(slot, why, again || peer.out != kNone);
  if (peer.out != kNone) {
    peer.drop_at = now + kHalfLinkTime;  // The peer may dial again.
    return rearm(peer);
  }
  if (!peer.ins.empty() && peer.role == Role::node) {
    // Is there still a way to it? If not, it is told so.
    peer.reached = false;
    if (peer.dial_back != kNone && links[peer.dial_back].purpose == Purpose::probe) {
      end_dial_back(peer);  // Its connection would not stay, and now one must.
    }
    return judge(slot);
  }
  if (again) return schedule_retry(slot);
  fail_waiting(peer, PeerError::link_lost);
  forget(slot);
}

void Node::Implementation::forget(Slot slot) {
  Peer& peer = peers[slot];
  if (peer.out != kNone || !peer.ins.empty() || peer.retry_at != kNever) return;
  end_dial_back(peer);
  fail_waiting(peer, PeerError::link_lost);
  deadlines.set(slot * 2 + 1, kNever);
  by_id.erase(peer.id);
  peers.erase(slot);
}

void Node::Implementation::rearm(Peer& peer) {
  deadlines.set(peer.slot * 2 + 1, std::min({peer.recheck_at, peer.retry_at, peer.drop_at}));
}

void Node::Implementation::on_peer_deadline(Slot slot) {
  Peer& peer = peers[slot];
  if (peer.drop_at <= now) {
    peer.drop_at = kNever;
    rearm(peer);
    if (peer.out != kNone) end(peer.out, ErrorCode::timed_out, "the other direction is gone");
    return;
  }
  if (peer.retry_at <= now) {
    peer.retry_at = kNever;
    rearm(peer);
    return retry(slot);
  }
  if (peer.recheck_at <= now) {
    peer.recheck_at = kNever;
    rearm(peer);
    judge(slot, true);
  }
}

// --- dialling again ------------------------------------------------------------------------------

void Node::Implementation::schedule_retry(Slot slot) {
  Peer& peer = peers[slot];
  if (!peer.back_off) peer.back_off.emplace();
  peer.retry_at = now + peer.back_off->on_failure(random);
  ++peer.attempts;
  peer.drop_at = kNever;
  rearm(peer);
}

void Node::Implementation::retry(Slot slot) {
  Peer& peer = peers[slot];
  const auto dialled =
      dial({.address = peer.address, .id = peer.id, .server_name = {}}, Purpose::link, Port::first);
  if (!dialled) on_retry_failed(slot, dialled.error());
}

void Node::Implementation::on_retry_failed(Slot slot, const std::string& why) {
  Peer& peer = peers[slot];
  if (peer.retry_at != kNever || !peer.ins.empty()) return;
  if (peer.attempts < config.reconnect_attempts && !shutting_down) return schedule_retry(slot);
  tell(LinkDown{.peer = peer.id, .why = why, .will_retry = false});
  forget(slot);
}

// --- by hand -------------------------------------------------------------------------------------

void Node::connect(Instant now, const Candidate& candidate) {
  Implementation& node = *impl_;
  node.now = now;
  if (const auto* peer = candidate.id ? node.find_peer(*candidate.id) : nullptr; peer && peer->up) {
    return node.tell(LinkUp{.peer = peer->id, .role = peer->role, .address = peer->address});
  }
  const auto dialled = node.dial(candidate, Purpose::link, Implementation::Port::first);
  if (!dialled) {
    return node.tell(LinkFailed{.candidate = {.candidate = candidate, .why = dialled.error()}});
  }
  node.links[*dialled].asked = true;
  node.pump(now);
}

void Node::disconnect(Instant now, const PeerId& id) {
  Implementation& node = *impl_;
  node.now = now;
  Implementation::Peer* peer = node.find_peer(id);
  if (peer == nullptr) return;
  node.end_dial_back(*peer);
  std::vector<Implementation::Slot> all = std::exchange(peer->ins, {});
  if (peer->out != Implementation::kNone) {
    all.push_back(std::exchange(peer->out, Implementation::kNone));
  }
  node.links.for_each([&](const Implementation::Link& link) {
    if (link.dialled && link.owner == Implementation::kNone && link.candidate.id == id) {
      all.push_back(link.slot);
    }
  });
  for (const auto link : all) node.end(link, ErrorCode::not_needed, "");
  peer->retry_at = kNever;
  node.take_down(peer->slot, "we ended it", false);
  node.forget(peer->slot);
}

// --- figures -------------------------------------------------------------------------------------

LinkInfo Node::Implementation::info_of(const Peer& peer) const {
  LinkInfo out{.peer = peer.id,
               .role = peer.role,
               .address = peer.address,
               .up = peer.up,
               .we_dialled = peer.we_dialled,
               .up_since = peer.up_since};
  const Slot slot = find_link_to(peer.id);
  if (slot == kNone) return out;
  if (const auto* connection = transport_of(links[slot])) {
    out.cipher_suite = connection->cipher_suite();
    out.key_exchange_group = connection->key_exchange_group();
    out.stats = connection->stats();
  }
  return out;
}

Node::Implementation::Slot Node::Implementation::find_link_to(const PeerId& id) const {
  const Peer* peer = find_peer(id);
  if (peer == nullptr) return kNone;
  if (is_open(peer->out)) return peer->out;
  for (const Slot in : peer->ins) {
    if (is_open(in)) return in;
  }
  return kNone;
}

std::vector<LinkInfo> Node::links() const {
  std::vector<LinkInfo> out;
  for (const auto& [id, slot] : impl_->by_id) out.push_back(impl_->info_of(impl_->peers[slot]));
  return out;
}

std::optional<LinkInfo> Node::link(const PeerId& id) const {
  const Implementation::Peer* peer = impl_->find_peer(id);
  if (peer == nullptr) return std::nullopt;
  return impl_->info_of(*peer);
}

}  // namespace qpeer::p2p
