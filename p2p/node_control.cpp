// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What follows from the control messages of a connection. See control_channel.hpp.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

/// For the peer to take in why it has to go.
constexpr Duration kLeaveTime = 1s;

}  // namespace

// --- writing -------------------------------------------------------------------------------------

void Node::Implementation::send_introduction(Link& link) {
  Introduction message{.role = config.role,
                       .purpose = link.purpose,
                       .nonce = {},
                       .max_message_size = config.max_message_size,
                       .advertised = {}};
  if (config.role == Role::node) {
    for (const SocketAddress& address : config.advertised) message.advertised.push_back(address);
    if (config.advertised.empty() && config.listen_port != 0) {
      message.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, config.listen_port));
    }
  }
  link.control.introduce(transport_of(link), message, random);
}

void Node::Implementation::leave(Slot slot, ErrorCode code, std::string_view reason) {
  Link& link = links[slot];
  link.stage = Link::Stage::leaving;
  link.leave_code = code;
  link.leave_reason = reason;
  if (!link.dialled && !std::exchange(link.counted, true)) ++unintroduced;
  set_deadline(link, now + kLeaveTime);
  link.control.finish(transport_of(link));
}

// --- reading -------------------------------------------------------------------------------------

void Node::Implementation::read_control(Slot slot) {
  if (!links[slot].control.is_open()) return;
  const std::uint64_t serial = links[slot].serial;
  links[slot].control.begin_turn();
  while (is_still(slot, serial)) {
    Link& link = links[slot];
    transport::Connection* connection = transport_of(link);
    if (connection == nullptr) return;
    const ControlChannel::Received received = link.control.receive(*connection);
    if (std::holds_alternative<std::monostate>(received)) return;
    if (std::holds_alternative<ControlChannel::TurnOver>(received)) {
      return unread.push_back({slot, serial});
    }
    if (const auto* fault = std::get_if<ControlChannel::Fault>(&received)) {
      if (fault->is_violation()) ++stats.violations;
      return end(slot, fault->code, fault->reason, fault->why);
    }
    on_control(slot, std::get<ControlMessage>(received));
  }
}

void Node::Implementation::on_control(Slot slot, const ControlMessage& message) {
  if (const auto* introduction = std::get_if<Introduction>(&message)) {
    return on_introduction(slot, *introduction);
  }
  if (const auto* proof = std::get_if<Proof>(&message)) return on_proof(slot, *proof);
  if (const auto* verdict = std::get_if<VerdictMessage>(&message)) {
    return on_verdict(slot, *verdict);
  }
  if (const auto* asks = std::get_if<PeersRequest>(&message)) {
    return on_peers_request(slot, *asks);
  }
  if (const auto* told = std::get_if<Peers>(&message)) return on_peers(slot, *told);
}

// --- introductions -------------------------------------------------------------------------------

void Node::Implementation::on_introduction(Slot slot, const Introduction& message) {
  Link& link = links[slot];
  if (link.counted && message.purpose == Purpose::link) {
    link.counted = false;
    --unintroduced;
  }
  set_deadline(link, kNever);
  link.dialled ? on_introduced_by_acceptor(slot) : on_introduced_by_dialler(slot);
}

void Node::Implementation::on_introduced_by_acceptor(Slot slot) {
  Link& link = links[slot];
  if (link.control.peer_introduction()->role != Role::node) {
    return violate(slot, ErrorCode::role_violation, "only nodes accept connections");
  }
  if (link.judges != kNone) {
    link.stage = Link::Stage::awaiting_verdict;
    return set_deadline(link, peers[link.judges].dial_back_deadline);
  }
  const Peer* known = find_peer(link.peer);
  // What the peer itself has opened on its way to us proves nothing.
  const bool helped =
      (known != nullptr && !known->ins.empty()) || came_before(link.remote, link.began);
  if (!helped) on_reached(link, cache::Evidence::dialled);
  if (link.purpose == Purpose::probe || (known != nullptr && known->out != kNone)) {
    return end(slot, ErrorCode::not_needed, "that is all", "there is a link already");
  }
  const Slot owner = peer_for(link.peer, Role::node);
  if (owner == kNone) {
    return end(slot, ErrorCode::too_many_links, "too many links", "we have too many links");
  }
  Peer& peer = peers[owner];
  peer.reached |= !helped;
  peer.address = link.candidate.address;
  peer.we_dialled = true;
  adopt_out(owner, slot);
}

void Node::Implementation::on_introduced_by_dialler(Slot slot) {
  Link& link = links[slot];
  link.purpose = link.control.peer_introduction()->purpose;
  send_introduction(link);
  if (shutting_down) return end(slot, ErrorCode::shutting_down, "shutting down");
  if (link.purpose == Purpose::probe) {
    link.stage = Link::Stage::handshake;  // It carries nothing, and goes by itself.
    if (const Peer* peer = find_peer(link.peer)) prove(*peer);
    return set_deadline(link, now + config.dial_back_timeout);
  }
  const Slot owner = peer_for(link.peer, link.control.peer_introduction()->role);
  if (owner == kNone) {
    on_peers_request(slot, {.max = kMaxPeers});  // Somebody else may have room.
    return leave(slot, ErrorCode::too_many_links, "too many links");
  }
  adopt_in(owner, slot);
}

// --- proofs and verdicts -------------------------------------------------------------------------

void Node::Implementation::on_proof(Slot slot, const Proof& message) {
  Link& link = links[slot];
  if (link.judges == kNone) return;  // Of no use to us.
  const Slot owner = link.judges;
  Peer& peer = peers[owner];
  const bool ours = std::ranges::any_of(
      peer.ins, [&](Slot in) { return links[in].control.nonce() == message.nonce; });
  if (!ours) return;
  link.judges = kNone;
  peer.dial_back = kNone;
  set_deadline(link, kNever);
  on_reached(link, cache::Evidence::dialled_back);
  peer.reached = true;
  peer.address = link.remote;
  // Kept as the way to the peer, when there is no other.
  const bool needed = peer.out == kNone && link.purpose == Purpose::link && !link.unwanted;
  if (needed) {
    adopt_out(owner, slot);
  } else {
    end(slot, ErrorCode::not_needed, "proved");
  }
  conclude(owner, Verdict::reachable);
}

void Node::Implementation::on_verdict(Slot slot, const VerdictMessage& message) {
  Link& link = links[slot];
  if (!link.dialled || config.role != Role::node) {
    return violate(slot, ErrorCode::role_violation, "nobody asked for a verdict");
  }
  tell(WeWereJudged{.by = link.peer,
                    .verdict = message.verdict,
                    .address = message.address.value_or(SocketAddress{})});
  if (message.verdict != Verdict::reachable) {
    link.unwanted = true;
    if (link.judges != kNone) return;  // What it thinks of us is no proof against it.
    return end(slot, ErrorCode::none, "",
               "it does not take us as a node: " + std::string(to_string(message.verdict)));
  }
  if (std::exchange(link.verdict, true)) return;         // Again, after some time.
  if (link.owner != kNone) adopt_out(link.owner, slot);  // Else a dial-back without proof so far.
}

// --- others --------------------------------------------------------------------------------------

void Node::Implementation::on_peers_request(Slot slot, const PeersRequest& message) {
  Link& link = links[slot];
  if (!config.exchange_peers || config.role != Role::node) return;
  if (!link.control.admit_peers_request(now)) return;
  // From a random place on, so that not everybody is sent to the same few.
  std::vector<const cache::CacheEntry*> known = cache.candidates();
  std::erase_if(known, [&](const cache::CacheEntry* entry) {
    return entry->failures > 0 || entry->id == link.peer;
  });
  Peers answer;
  const std::size_t count =
      std::min({known.size(), static_cast<std::size_t>(message.max), kMaxPeers});
  const std::size_t start = known.empty() ? 0 : random.uniform(known.size());
  for (std::size_t i = 0; i < count; ++i) {
    const cache::CacheEntry& entry = *known[(start + i) % known.size()];
    answer.peers.push_back({.id = entry.id, .address = entry.address});
  }
  send_control(link, answer);
}

void Node::Implementation::on_peers(Slot slot, const Peers& message) {
  const Link& link = links[slot];
  if (!link.dialled || !config.exchange_peers) return;
  for (const KnownPeer& known : message.peers) {
    if (known.id == tls.id || is_ourselves(known.address)) continue;
    if (!may_be_told_of(known.address, link.remote)) continue;
    if (cache.find(known.id) != nullptr || by_id.contains(known.id)) continue;
    const auto same = [&](const Candidate& other) { return other.address == known.address; };
    if (std::ranges::any_of(learned, same)) continue;
    if (learned.size() >= kMaxLearned) learned.pop_front();
    learned.push_back({.address = known.address, .id = known.id, .server_name = {}});
  }
}

}  // namespace qpeer::p2p
