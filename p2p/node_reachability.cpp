// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Proof that a peer which says it is a node can be reached: we dial it, from another port than the
// one it came to, at the address it advertises; it must answer with the key that it showed and the
// nonce that we gave it. DESIGN part 5.
//
//   judge --> ask_for_dial_back --> start_dial_back --> Proof --> conclude(reachable)
//                |  no address allowed, no room    |
//                '-------------> conclude(another verdict) <------  refused, timed out, another
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"
#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

// The peer came, or it is time to look after it `again`, whatever we know.
void Node::Implementation::judge(Slot slot, bool again) {
  Peer& peer = peers[slot];
  if (peer.judging || peer.ins.empty()) return;
  peer.judging = true;
  // Whom we reached not long ago, at the host that it comes from, need not be dialled again.
  const bool known = !again && peer.reached && peer.out != kNone && now < peer.recheck_at &&
                     links[peer.ins.back()].remote.same_host(peer.address);
  known ? conclude(slot, Verdict::reachable) : ask_for_dial_back(slot);
}

void Node::Implementation::ask_for_dial_back(Slot slot) {
  Peer& peer = peers[slot];
  const Link& in = links[peer.ins.back()];
  const auto own = own_address.current();
  const auto& addresses = in.control.peer_introduction()->advertised;
  const auto target =
      choose_target(in.remote, {addresses.data(), addresses.size()}, config.dial_back_target,
                    own && is_global(*own), config.advertised);
  peer.target = target.value_or(SocketAddress{});
  if (!target || is_ourselves(*target)) return conclude(slot, Verdict::address_not_allowed);
  switch (limiter.admit(now, *target, slot)) {
    case Admission::full:
      return conclude(slot, Verdict::try_again_later);
    case Admission::wait:
      peer.admitted = true;
      return;
    case Admission::admitted:
      peer.admitted = true;
      return start_dial_back(slot);
  }
}

void Node::Implementation::start_waiting_dial_backs() {
  while (const auto key = limiter.poll_start(now)) start_dial_back(static_cast<Slot>(*key));
}

void Node::Implementation::start_dial_back(Slot slot) {
  Peer& peer = peers[slot];
  ++stats.dial_backs;
  const Purpose purpose = peer.out == kNone ? Purpose::link : Purpose::probe;
  const auto dialled =
      dial({.address = peer.target, .id = peer.id, .server_name = {}}, purpose, Port::probe);
  if (!dialled) return conclude(slot, Verdict::try_again_later);  // It is we who cannot.
  peer.dial_back = *dialled;
  peer.dial_back_deadline = now + config.dial_back_timeout;
  links[*dialled].judges = slot;
  set_deadline(links[*dialled], peer.dial_back_deadline);
}

// The connection of a dial-back ended without a proof.
void Node::Implementation::on_dial_back_gone(const Link& gone) {
  if (!peers.contains(gone.judges) || peers[gone.judges].dial_back != gone.slot) return;
  peers[gone.judges].dial_back = kNone;
  if (gone.refused) return conclude(gone.judges, Verdict::refused);
  conclude(gone.judges, gone.stage == Link::Stage::handshake && gone.peer == PeerId{}
                            ? Verdict::timed_out
                            : Verdict::another_peer_answered);
}

void Node::Implementation::end_dial_back(Peer& peer) {
  peer.judging = false;
  if (std::exchange(peer.admitted, false)) limiter.release(peer.slot);
  if (const Slot left = std::exchange(peer.dial_back, kNone); left != kNone) {
    links[left].judges = kNone;
    end(left, ErrorCode::not_needed, "not needed any more");
  }
}

void Node::Implementation::conclude(Slot slot, Verdict verdict) {
  Peer& peer = peers[slot];
  end_dial_back(peer);
  if (peer.ins.empty()) return;
  if (!peer.target.valid()) peer.target = links[peer.ins.back()].remote;
  tell(PeerJudged{.peer = peer.id, .verdict = verdict, .address = peer.target});
  if (verdict == Verdict::try_again_later && hears(peer)) {
    // It was good the last time, and it is we who have no time now.
    peer.recheck_at = now + config.recheck_interval / 8;
    return rearm(peer);
  }
  for (const Slot in : peer.ins) {
    send_control(links[in], VerdictMessage{.verdict = verdict, .address = peer.target});
  }
  if (verdict != Verdict::reachable) return turn_away(slot, verdict);
  peer.recheck_at = now + config.recheck_interval;
  rearm(peer);
  for (const Slot in : std::vector(peer.ins)) {
    if (links[in].stage == Link::Stage::judging) links[in].stage = Link::Stage::open;
  }
  check_up(slot);
  for (const Slot in : std::vector(peer.ins)) release_held(in);
}

// It is told why, and may come again as a client.
void Node::Implementation::turn_away(Slot slot, Verdict verdict) {
  Peer& peer = peers[slot];
  ++stats.dial_backs_failed;
  peer.reached = false;
  if (verdict != Verdict::try_again_later) cache.on_failed(peer.id);
  for (const Slot in : std::exchange(peer.ins, {})) {
    links[in].owner = kNone;
    lose_streams(links[in]);
    leave(in, ErrorCode::unreachable, to_string(verdict));
  }
  if (const Slot out = std::exchange(peer.out, kNone); out != kNone) {
    end(out, ErrorCode::unreachable, to_string(verdict));
  }
  take_down(slot, "it cannot be reached: " + std::string(to_string(verdict)), false);
  forget(slot);
}

// Answers, on every connection of a peer that dials us back, with the nonce that it gave us on the
// connection that we dialled.
void Node::Implementation::prove(const Peer& peer) {
  if (peer.out == kNone || !links[peer.out].control.peer_introduction()) return;
  const Nonce nonce = links[peer.out].control.peer_introduction()->nonce;
  links.for_each([&](Link& link) {
    if (link.dialled || link.peer != peer.id || !link.control.peer_introduction()) return;
    if (link.stage == Link::Stage::leaving) return;
    link.control.send_proof(transport_of(link), nonce);
  });
}

void Node::Implementation::on_reached(const Link& link, cache::Evidence evidence) {
  const transport::Connection* connection = transport_of(link);
  if (connection == nullptr) return;
  const auto elapsed = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  const std::int64_t unix_now = (config.unix_time_at_zero + elapsed).time_since_epoch().count();
  cache.on_reached({.id = link.peer,
                    .address = link.remote,
                    .certificate = connection->peer_certificate().der,
                    .first_reached = unix_now,
                    .last_reached = unix_now,
                    .evidence = evidence,
                    .ticket = link.ticket,
                    .spare_ticket = link.spare_ticket,
                    .address_token = link.address_token});
}

}  // namespace qpeer::p2p
