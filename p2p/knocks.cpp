// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/knocks.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

void Knocks::begin(Instant now, const Peer& peer, const SocketAddress& target) {
  rounds_[peer.slot] = {.target = target, .end = now + kRoundTime};
  ask_next(now, peer.slot);
}

bool Knocks::admit_client(Instant now, const Peer& client, const SocketAddress& target) {
  std::erase_if(client_rounds_,
                [now](const ClientRound& one) { return one.at + kClientInterval <= now; });
  if (!is_global(target) || rounds_.contains(client.slot)) return false;
  if (client_rounds_.size() >= kMaxClientRounds) return false;
  const SocketAddress site = site_of(target);
  if (std::ranges::find(client_rounds_, site, &ClientRound::site) != client_rounds_.end()) {
    return false;
  }
  client_rounds_.push_back({.site = site, .at = now});
  return true;
}

void Knocks::begin_for_client(Instant now, const Peer& client, const SocketAddress& target) {
  rounds_[client.slot] = {.target = target, .end = now + kRoundTime, .for_client = true};
  ask_next(now, client.slot);
}

void Knocks::cancel(const Peer& peer) {
  if (rounds_.erase(peer.slot) != 0) deadlines_.set(peer.slot, kNever);
}

void Knocks::end(PeerSlot slot, KnockOutcome outcome) {
  const Round round = std::move(rounds_.at(slot));
  rounds_.erase(slot);
  deadlines_.set(slot, kNever);
  if (round.for_client) {
    if (round.sent == 0 && outcome == KnockOutcome::no_helper) {
      tell_client(slot, {.token = {}, .status = KnockStatus::busy});
    }
    return;
  }
  queue_.post(KnocksEnded{.peer = peers_[slot].key(), .outcome = outcome});
}

void Knocks::tell_client(PeerSlot slot, const KnockSent& message) {
  const ConnectionSlot connection = peers_.best_connection(peers_[slot]);
  if (connection == kNoSlot) return;
  connections_[connection].control.send(connections_.transport(connection), message);
}

// --- asking --------------------------------------------------------------------------------------

void Knocks::ask_next(Instant now, PeerSlot slot) {
  Round& round = rounds_.at(slot);
  if (round.sent >= kMaxSent) return end(slot, KnockOutcome::silent);
  const Peer* helper = nullptr;
  if (round.asked.size() < kMaxAsked && now < round.end) {
    helper = choose_helper(peers_[slot], round);
  }
  // One knock that did not arrive may have been lost: no verdict.
  helper != nullptr ? ask(now, slot, *helper) : end(slot, KnockOutcome::no_helper);
}

void Knocks::ask(Instant now, PeerSlot slot, const Peer& helper) {
  Round& round = rounds_.at(slot);
  Asked asked{.helper = helper.key(), .token = {}, .at = now};
  random_.fill_private(asked.token);
  round.asked.push_back(asked);
  deadlines_.set(slot, std::min(now + kAskTime, round.end));
  PeerConnection& connection = connections_[control_of(helper)];
  connection.control.send(connections_.transport(connection),
                          Knock{.token = asked.token, .address = round.target});
}

// One that was not asked yet; else, for the second knock, the one that sent the first.
const Peer* Knocks::choose_helper(const Peer& peer, const Round& round) const {
  std::vector<const Peer*> fresh;
  const Peer* again = nullptr;
  peers_.for_each([&](const Peer& helper) {
    if (!is_stranger(helper, peer, round)) return;
    const auto before = std::ranges::find(round.asked, helper.key(), &Asked::helper);
    if (before == round.asked.end()) {
      fresh.push_back(&helper);
    } else if (before->sent) {
      again = &helper;
    }
  });
  if (fresh.empty()) return again;
  return fresh[random_.uniform(fresh.size())];
}

// A NAT may let in hosts of one network alike, and our own host is known to the peer.
bool Knocks::is_stranger(const Peer& helper, const Peer& peer, const Round& round) const {
  if (!helper.up || helper.role != Role::node || helper.id == peer.id) return false;
  const SocketAddress& address = helper.address;
  if (!is_global(address) || address.is_ipv4() != round.target.is_ipv4()) return false;
  if (site_of(address) == site_of(round.target)) return false;
  const auto own = own_address_.addresses();
  if (std::ranges::any_of(own, [&](const auto& ours) { return ours.same_host(address); })) {
    return false;
  }
  return control_of(helper) != kNoSlot;
}

// A connection on which the node understands what is asked.
ConnectionSlot Knocks::control_of(const Peer& helper) const {
  const ConnectionSlot slot = peers_.best_connection(helper);
  if (slot == kNoSlot) return kNoSlot;
  const auto& introduction = connections_[slot].control.peer_introduction();
  return introduction && introduction->has_knocks() ? slot : kNoSlot;
}

// --- answers -------------------------------------------------------------------------------------

void Knocks::on_knock_sent(Instant now, const PeerConnection& connection,
                           const KnockSent& message) {
  const auto at = std::ranges::find_if(rounds_, [&](const auto& each) {
    const Asked& newest = each.second.asked.back();
    return newest.token == message.token && newest.helper == connection.key() && !newest.sent;
  });
  if (at == rounds_.end()) return;
  Round& round = at->second;
  if (message.status != KnockStatus::sent) return ask_next(now, at->first);
  round.asked.back().sent = true;
  ++round.sent;
  deadlines_.set(at->first, now + kAnswerTime);
  if (round.for_client) tell_client(at->first, message);
}

// The token may be faster than the answer of the node that sent it.
void Knocks::on_knocked(Instant now, const PeerConnection& connection, const Knocked& message) {
  const auto at = connection.owner == kNoSlot || connection.dialled
                      ? rounds_.end()
                      : rounds_.find(connection.owner);
  if (at == rounds_.end()) return;
  const auto asked = std::ranges::find_if(at->second.asked, [&](const Asked& one) {
    return one.token == message.token && now < one.at + kTokenLife;
  });
  if (asked == at->second.asked.end()) return;
  // Only a token that we named counts for the client.
  if (at->second.for_client && !asked->sent) tell_client(at->first, {.token = asked->token});
  end(at->first, KnockOutcome::heard);
}

void Knocks::on_deadline(Instant now) { ask_next(now, deadlines_.top()); }

bool Knocks::consistent() const {
  if (client_rounds_.size() > kMaxClientRounds) return false;
  return std::ranges::all_of(rounds_, [this](const auto& each) {
    const auto& [slot, round] = each;
    const auto sent = std::ranges::count(round.asked, true, &Asked::sent);
    return peers_.has(slot) && !round.asked.empty() && round.asked.size() <= kMaxAsked &&
           round.sent < kMaxSent + 1 && std::cmp_equal(sent, round.sent);
  });
}

}  // namespace qpeer::p2p
