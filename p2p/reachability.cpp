// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/reachability.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

using Stage = PeerConnection::Stage;

// --- what happened -------------------------------------------------------------------------------

void Reachability::on_inbound_attached(Instant now, Peer& peer) {
  prove(peer);
  start(now, peer);
}

void Reachability::on_outbound_lost(Instant now, Peer& peer) {
  Check& check = checks_[peer.slot];
  check.reached = false;
  if (check.dial_back != kNoSlot && connections_[check.dial_back].purpose == Purpose::probe) {
    cancel(now, peer);  // Its connection would not stay, and now one must.
  }
  start(now, peer);
}

void Reachability::on_dial_back_introduced(Instant now, PeerConnection& connection) {
  if (connection.key() != peers_[connection.dial_back_for].key()) {
    return peers_.close(now, connection, ErrorCode::wrong_peer,
                        "another process of your key was expected");
  }
  connection.stage = Stage::awaiting_verdict;
  connections_.set_deadline(connection, checks_[connection.dial_back_for].deadline);
}

void Reachability::on_proof(Instant now, PeerConnection& connection, const Proof& message) {
  if (connection.dial_back_for == kNoSlot) return;  // Of no use to us.
  Peer& peer = peers_[connection.dial_back_for];
  const bool ours = std::ranges::any_of(peer.inbound, [&](ConnectionSlot inbound) {
    return connections_[inbound].control.nonce() == message.nonce;
  });
  if (!ours) return;
  Check& check = checks_[peer.slot];
  connection.dial_back_for = kNoSlot;
  check.dial_back = kNoSlot;
  check.reached = true;
  connections_.set_deadline(connection, kNever);
  peers_.on_reached_at(now, peer, connection.remote);
  if (peers_.linked_rival(peer) == nullptr) {
    known_.on_reached(now, connection, connections_.transport(connection), evidence_of(check));
  }
  peer.address = connection.remote;
  // Kept as the way to the peer, when there is no other.
  if (!peer.has_outbound() && connection.purpose == Purpose::link && !connection.rejected) {
    peers_.attach_outbound(now, peer, connection);
  } else {
    peers_.close(now, connection, ErrorCode::not_needed, "proved");
  }
  queue_.post(DialBackProved{.peer = peer.key()});
}

void Reachability::on_verdict(Instant now, PeerConnection& connection,
                              const VerdictMessage& message) {
  queue_.emit(ReachabilityVerdict{.by = connection.peer,
                                  .verdict = message.verdict,
                                  .address = message.address.value_or(SocketAddress{}),
                                  .by_strangers = message.by_strangers.value_or(false)});
  if (message.verdict != Verdict::reachable) {
    connection.rejected = true;
    // That the peer could not reach us says nothing about whether it can be reached.
    if (connection.dial_back_for != kNoSlot) return;
    return peers_.close(
        now, connection, ErrorCode::none, "",
        "it does not take us as a node: " + std::string(to_string(message.verdict)));
  }
  if (std::exchange(connection.peer_reached_us, true)) return;  // Again, after some time.
  if (connection.owner == kNoSlot) return;                      // A dial-back without proof so far.
  peers_.attach_outbound(now, peers_[connection.owner], connection);
}

void Reachability::on_dial_back_ended(Instant now, const PeerConnection& connection,
                                      const ConnectionEnd& end) {
  const auto at = checks_.find(connection.dial_back_for);
  if (at == checks_.end() || at->second.dial_back != connection.slot) return;
  ++stats_.failed;
  at->second.dial_back = kNoSlot;
  Peer& peer = peers_[connection.dial_back_for];
  if (end.refused || end.no_room) return finish(now, peer, Verdict::refused);
  if (end.is_our_failure) return finish(now, peer, Verdict::try_again_later);
  finish(now, peer,
         connection.was_answered() ? Verdict::another_peer_answered : Verdict::timed_out);
}

void Reachability::prove(const Peer& peer) {
  if (!peer.has_outbound()) return;
  const auto& introduction = connections_[peer.outbound].control.peer_introduction();
  if (!introduction) return;
  connections_.for_each([&](PeerConnection& connection) {
    if (connection.dialled || connection.key() != peer.key()) return;
    if (!connection.control.peer_introduction() || connection.stage == Stage::closing) return;
    connection.control.send_proof(connections_.transport(connection), introduction->nonce);
  });
}

// --- strangers -----------------------------------------------------------------------------------

// Only the internet has strangers.
bool Reachability::is_open_to_strangers(const Check& check) {
  return !is_global(check.target) || check.open_at == check.target;
}

cache::Evidence Reachability::evidence_of(const Check& check) {
  return is_open_to_strangers(check) ? cache::Evidence::dialled_back : cache::Evidence::unproved;
}

// The peer had not written to us before: we were a stranger.
void Reachability::on_dialled(const Peer& peer, bool helped) {
  Check& check = checks_[peer.slot];
  check.reached |= !helped;
  if (!helped) check.open_at = peer.address;
}

void Reachability::on_knock_me(const PeerConnection& connection) {
  const auto at = checks_.find(connection.owner);
  if (!connection.dialled && at != checks_.end()) at->second.reports_knocks = true;
}

void Reachability::on_dial_back_proved(Instant now, Peer& peer) {
  Check& check = checks_[peer.slot];
  if (!check.verifying || !check.reports_knocks || !is_global(check.target)) {
    return finish(now, peer, Verdict::reachable);
  }
  check.awaits_knocks = true;
  knocks_.begin(now, peer, check.target);
}

void Reachability::on_knocks_ended(Instant now, Peer& peer, KnockOutcome outcome) {
  Check& check = checks_[peer.slot];
  if (!std::exchange(check.awaits_knocks, false)) return;  // That check was cancelled.
  if (!check.reached) {  // What the dial-back proved is lost with the connection that it left.
    cancel(now, peer);
    return start(now, peer);
  }
  switch (outcome) {
    case KnockOutcome::heard:
      check.open_at = check.target;
      if (peers_.is_named(peer)) known_.on_proved(peer.id);
      return finish(now, peer, Verdict::reachable);
    case KnockOutcome::no_helper:
      return finish(now, peer, Verdict::reachable);
    case KnockOutcome::silent:
      check.open_at = {};
      if (peers_.is_named(peer)) known_.forget(peer.id);
      return finish(now, peer, Verdict::only_where_it_wrote);
  }
}

// --- dialling back -------------------------------------------------------------------------------

// The peer came, or it is time to look after it `again`, whatever we know.
void Reachability::start(Instant now, Peer& peer, bool again) {
  Check& check = checks_[peer.slot];
  if (check.verifying || peer.inbound.empty()) return;
  check.verifying = true;
  // Whom we reached not long ago, at the host that it comes from, need not be dialled again.
  const bool known = !again && check.reached && peer.has_outbound() && now < check.recheck_at &&
                     connections_[peer.inbound.back()].remote.same_host(peer.address);
  known ? finish(now, peer, Verdict::reachable) : request_dial_back(now, peer);
}

void Reachability::request_dial_back(Instant now, Peer& peer) {
  Check& check = checks_[peer.slot];
  const PeerConnection& inbound = connections_[peer.inbound.back()];
  const auto& addresses = inbound.control.peer_introduction()->advertised;
  const auto target =
      choose_target(inbound.remote, {addresses.data(), addresses.size()}, config_.dial_back_target,
                    std::ranges::any_of(config_.advertised, is_global), config_.advertised);
  check.target = target.value_or(SocketAddress{});
  if (!target || dialler_.is_ourselves(*target)) {
    return finish(now, peer, Verdict::address_not_allowed);
  }
  switch (limiter_.admit(now, *target, peer.slot)) {
    case Admission::full:
      return finish(now, peer, Verdict::try_again_later);
    case Admission::wait:
      check.admitted = true;
      return;
    case Admission::admitted:
      check.admitted = true;
      return start_dial_back(now, peer);
  }
}

void Reachability::start_waiting(Instant now) {
  while (const auto key = limiter_.poll_start(now)) {
    start_dial_back(now, peers_[static_cast<PeerSlot>(*key)]);
  }
}

void Reachability::start_dial_back(Instant now, Peer& peer) {
  Check& check = checks_[peer.slot];
  const Purpose purpose = peer.has_outbound() ? Purpose::probe : Purpose::link;
  const auto dialled = dialler_.dial(
      now, {.address = check.target, .id = peer.id, .server_name = {}}, purpose, Port::probe);
  if (!dialled) return finish(now, peer, Verdict::try_again_later);  // It is we who cannot.
  ++stats_.dial_backs;
  check.dial_back = *dialled;
  check.deadline = now + config_.dial_back_timeout;
  connections_[*dialled].dial_back_for = peer.slot;
  connections_.set_deadline(connections_[*dialled], check.deadline);
}

void Reachability::cancel(Instant now, const Peer& peer) {
  const auto at = checks_.find(peer.slot);
  if (at == checks_.end()) return;
  Check& check = at->second;
  check.verifying = false;
  check.awaits_knocks = false;
  knocks_.cancel(peer);
  if (std::exchange(check.admitted, false)) limiter_.release(peer.slot);
  if (const auto slot = std::exchange(check.dial_back, kNoSlot); slot != kNoSlot) {
    PeerConnection& connection = connections_[slot];
    connection.dial_back_for = kNoSlot;
    peers_.close(now, connection, ErrorCode::not_needed, "not needed any more");
  }
}

void Reachability::forget(Instant now, const Peer& peer) {
  knocks_.cancel(peer);  // A client's, too.
  cancel(now, peer);
  rechecks_.set(peer.slot, kNever);
  checks_.erase(peer.slot);
}

// --- verdicts ------------------------------------------------------------------------------------

void Reachability::finish(Instant now, Peer& peer, Verdict verdict) {
  cancel(now, peer);
  if (peer.inbound.empty()) return;
  if (verdict == Verdict::reachable && !peer.up && peers_.must_wait(now, peer)) return;
  Check& check = checks_[peer.slot];
  if (!check.target.valid()) check.target = connections_[peer.inbound.back()].remote;
  const bool by_strangers = verdict == Verdict::reachable && is_open_to_strangers(check);
  queue_.emit(PeerVerdict{
      .peer = peer.id, .verdict = verdict, .address = check.target, .by_strangers = by_strangers});
  if (verdict == Verdict::try_again_later && peers_.has_inbound(peer)) {
    // It was good the last time, and it is we who have no time now.
    return set_recheck(peer, now + config_.recheck_interval / 8);
  }
  for (const ConnectionSlot inbound : peer.inbound) {
    PeerConnection& connection = connections_[inbound];
    VerdictMessage message{.verdict = verdict, .address = check.target};
    const auto& introduction = connection.control.peer_introduction();
    if (introduction && introduction->has_knocks()) message.by_strangers = by_strangers;
    connection.control.send(connections_.transport(connection), message);
  }
  if (verdict != Verdict::reachable) return reject_unreachable(now, peer, verdict);
  set_recheck(peer, now + config_.recheck_interval);
  for (const ConnectionSlot inbound : peer.inbound) {
    if (connections_[inbound].stage == Stage::verifying) connections_[inbound].stage = Stage::open;
  }
  peers_.update_link(now, peer);
  for (const ConnectionSlot inbound : peer.inbound) {
    queue_.post(ConnectionOpened{.connection = inbound});
  }
}

void Reachability::on_place_free(Instant now, Peer& peer) {
  peer.awaits_place = false;
  if (checks_[peer.slot].reached && peer.has_outbound()) {
    known_.on_reached(now, connections_[peer.outbound], connections_.transport(peer.outbound),
                      peer.we_dialled ? cache::Evidence::dialled : evidence_of(checks_[peer.slot]));
  }
  peer.inbound.empty() ? peers_.update_link(now, peer) : finish(now, peer, Verdict::reachable);
}

// The peer gets the verdict, and may come again as a client.
void Reachability::reject_unreachable(Instant now, Peer& peer, Verdict verdict) {
  checks_[peer.slot].reached = false;
  checks_[peer.slot].open_at = {};
  if (verdict != Verdict::try_again_later && peers_.is_named(peer)) known_.on_failed(peer.id);
  for (const ConnectionSlot inbound : std::vector(peer.inbound)) {
    PeerConnection& connection = connections_[inbound];
    peers_.detach(connection);
    connection.owner = kNoSlot;
    queue_.post(StreamsLost{.connection = inbound});
    connections_.close_with_reason(now, connection, ErrorCode::unreachable, to_string(verdict));
  }
  peers_.close_directions(now, peer, ErrorCode::unreachable, to_string(verdict));
  peers_.take_down(peer, "it cannot be reached: " + std::string(to_string(verdict)), false);
  queue_.post(PeerUnused{.peer = peer.key()});
}

// --- time ----------------------------------------------------------------------------------------

void Reachability::set_recheck(const Peer& peer, Instant at) {
  checks_[peer.slot].recheck_at = at;
  rechecks_.set(peer.slot, at);
}

void Reachability::on_recheck(Instant now) {
  Peer& peer = peers_[rechecks_.top()];
  set_recheck(peer, kNever);
  start(now, peer, true);
}

bool Reachability::consistent() const {
  std::size_t admitted = 0;
  Instant earliest = kNever;
  for (const auto& [slot, check] : checks_) {
    earliest = std::min(earliest, check.recheck_at);
    admitted += check.admitted ? 1 : 0;
    if (!peers_.has(slot) || (check.admitted && !check.verifying)) return false;
    if (knocks_.is_under_way(peers_[slot]) && !check.awaits_knocks) return false;
    if (check.awaits_knocks && (!check.verifying || check.dial_back != kNoSlot)) return false;
    if (check.dial_back == kNoSlot) continue;
    const PeerConnection& connection = connections_[check.dial_back];
    if (!check.verifying || connection.has_ended() || connection.dial_back_for != slot) {
      return false;
    }
  }
  return admitted == limiter_.in_flight() + limiter_.queued() && earliest == rechecks_.earliest();
}

}  // namespace qpeer::p2p
