// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Connections of a Node: dialled, accepted, ended.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

using Kind = transport::CloseReason::Kind;

std::uint64_t key_of(bool probe, transport::ConnectionHandle handle) {
  return handle.value * 2 + (probe ? 1 : 0);
}

// Whether it makes sense to dial again after a link ended so.
bool may_retry(const transport::CloseReason& reason) {
  switch (reason.kind) {
    case Kind::idle_timeout:
    case Kind::handshake_timeout:
    case Kind::stateless_reset:
      return true;
    default:
      return false;
  }
}

std::string why(const transport::CloseReason& reason) {
  if (reason.kind != Kind::peer_application) return to_string(reason);
  const auto code = static_cast<ErrorCode>(reason.code);
  const std::string said = to_string(reason);
  return std::string(to_string(code)) + (reason.reason.empty() ? "" : " (" + said + ")");
}

/// A hole in a firewall lasts about so long after the last packet.
constexpr Duration kVisitorTime = 5min;
constexpr std::size_t kMaxVisitors = 4'096;

}  // namespace

// --- names ---------------------------------------------------------------------------------------

Node::Implementation::Slot Node::Implementation::add_link(Port port,
                                                          transport::ConnectionHandle handle) {
  const Slot slot = links.emplace();
  Link& link = links[slot];
  link.slot = slot;
  link.port = port;
  link.handle = handle;
  link.serial = ++last_serial;
  link.began = now;
  by_handle.emplace(key_of(port == Port::probe, handle), slot);
  return slot;
}

Node::Implementation::Slot Node::Implementation::find_link(
    Port port, transport::ConnectionHandle handle) const {
  const auto at = by_handle.find(key_of(port == Port::probe, handle));
  return at == by_handle.end() ? kNone : at->second;
}

void Node::Implementation::set_deadline(Link& link, Instant deadline) {
  link.deadline = deadline;
  deadlines.set(link.slot * 2, deadline);
}

// --- dialling ------------------------------------------------------------------------------------

bool Node::Implementation::is_ourselves(const SocketAddress& address) const {
  if (config.role != Role::node) return false;
  for (const SocketAddress& own : own_address.addresses()) {
    if (own == address) return true;
  }
  return std::ranges::find(config.advertised, address) != config.advertised.end();
}

std::expected<Node::Implementation::Slot, std::string> Node::Implementation::dial(
    const Candidate& candidate, Purpose purpose, Port port) {
  if (shutting_down) return std::unexpected("we are shutting down");
  if (candidate.id == tls.id || is_ourselves(candidate.address)) {
    return std::unexpected("that is ourselves");
  }
  if (!candidate.id && tls.needs_expected_id()) {
    return std::unexpected("its peer id is not known, which this trust mode needs");
  }
  if (port == Port::probe && !probe) port = Port::first;
  transport::ConnectOptions options;
  options.tls = tls.client;
  options.connection = config.connection;
  // We take no streams of whoever we dialled; one of each shows who tries.
  options.connection.streams.max_streams_bidi = 1;
  options.connection.streams.max_streams_uni = 1;
  if (!candidate.id && tls.checks_names()) options.server_name = candidate.server_name;
  // A dial-back has to prove the key itself.
  const bool resumes = candidate.id && purpose == Purpose::link && port == Port::first;
  if (resumes) {
    // RFC 9001 §4.5 [rfc9001-4.5-1], RFC 9000 §8.1.3 [rfc9000-8.1.3-13]: once, so that nobody can
    // tell that we are the same.
    cache::Resumption kept = cache.take_resumption(*candidate.id);
    options.session_ticket = std::move(kept.ticket);
    options.address_token = std::move(kept.address_token);
    options.early_data = transport::EarlyDataPolicy::resend;
  }
  const auto handle = endpoint(port).connect(now, candidate.address, options);
  if (!handle) return std::unexpected(std::string(to_string(handle.error())));
  const Slot slot = add_link(port, *handle);
  Link& link = links[slot];
  link.dialled = true;
  link.purpose = purpose;
  link.candidate = candidate;
  link.remote = candidate.address;
  introduce_early(link);
  return slot;
}

/// In the first flight, where the node that we dial gave us a ticket. A refusal costs nothing: then
/// the transport says it again with the end of the handshake.
void Node::Implementation::introduce_early(Link& link) {
  transport::Connection* connection = transport_of(link);
  if (connection == nullptr || connection->early_data() != crypto::EarlyData::offered) return;
  const auto control = connection->open_early_stream(true);
  if (!control) return;
  link.control = *control;
  say_introduction(link);
}

// --- the end of the handshake --------------------------------------------------------------------

void Node::Implementation::on_connected(Port port, transport::ConnectionHandle handle,
                                        bool incoming) {
  const transport::Connection* connection = endpoint(port).find(handle);
  Slot slot = find_link(port, handle);
  if (connection == nullptr || (slot == kNone && !incoming)) return;
  if (slot == kNone) slot = add_link(port, handle);
  Link& link = links[slot];
  link.peer = PeerId{connection->peer_certificate().spki_sha256};
  link.remote = connection->path().remote;
  link.stage = Link::Stage::introducing;
  if (!incoming) return on_dialled(link);
  const std::uint64_t serial = link.serial;
  on_accepted(link);
  if (is_still(slot, serial)) read_early(slot);
}

/// What came before the end of the handshake waits for it: a copy of the client's first flight, as
/// anybody can send one, never has that, so that a replay has no effect. RFC 9001 §9.2.
void Node::Implementation::read_early(Slot slot) {
  const std::uint64_t serial = links[slot].serial;
  for (const bool bidirectional : {true, false}) {
    on_stream_opened(slot, StreamId::make(Side::client, bidirectional, 0));
    if (!is_still(slot, serial)) return;
  }
}

void Node::Implementation::on_dialled(Link& link) {
  if (link.peer == tls.id) {
    return end(link.slot, ErrorCode::self, "we dialled ourselves", "that is ourselves");
  }
  if (link.candidate.id && link.peer != *link.candidate.id) {
    return end(link.slot, ErrorCode::wrong_peer, "another peer was expected",
               "another peer answered: " + link.peer.to_string());
  }
  const bool introduced = link.control.has_value();
  if (!introduced) {
    const auto control = transport_of(link)->open_stream(true);
    if (!control) {
      return end(link.slot, ErrorCode::malformed, "no stream can be opened",
                 "it allows no control stream");
    }
    link.control = *control;
  }
  if (plan && link.plan_index) plan->on_answer(*link.plan_index);
  if (link.judges == kNone) set_deadline(link, now + config.introduction_timeout);
  if (!introduced) say_introduction(link);
}

void Node::Implementation::on_session_ticket(Link& link, std::vector<u8> ticket) {
  if (!link.dialled) return;
  if (cache.find(link.peer) != nullptr) return cache.add_ticket(link.peer, std::move(ticket));
  if (!link.ticket.empty()) link.spare_ticket = std::move(link.ticket);
  link.ticket = std::move(ticket);
}

void Node::Implementation::on_new_token(Link& link, std::vector<u8> address_token) {
  if (cache.find(link.peer) != nullptr) {
    return cache.set_address_token(link.peer, std::move(address_token));
  }
  link.address_token = std::move(address_token);
}

void Node::Implementation::on_accepted(Link& link) {
  if (link.peer == tls.id) return end(link.slot, ErrorCode::self, "you dialled yourself");
  if (unintroduced >= config.max_unintroduced) {
    return end(link.slot, ErrorCode::too_many_links, "too many newcomers");
  }
  if (visitors.size() >= kMaxVisitors) {
    std::erase_if(visitors, [&](const auto& one) { return one.second.last + kVisitorTime <= now; });
    if (visitors.size() >= kMaxVisitors) visitors.erase(visitors.begin());
  }
  Visit& visit = visitors[link.remote];
  if (visit.last == Instant::min() || visit.last + kVisitorTime <= now) visit.first = now;
  visit.last = now;
  ++unintroduced;
  link.counted = true;
  set_deadline(link, now + config.introduction_timeout);
}

// --- the end of a connection ---------------------------------------------------------------------

void Node::Implementation::end(Slot slot, ErrorCode code, std::string_view reason,
                               const std::string& why_ended) {
  links[slot].ended_by_us = code;
  if (transport::Connection* connection = transport_of(links[slot])) {
    connection->close(now, std::to_underlying(code), reason);
  }
  on_gone(slot, why_ended, false);
}

void Node::Implementation::violate(Slot slot, ErrorCode code, std::string_view reason) {
  ++stats.violations;
  end(slot, code, reason);
}

void Node::Implementation::on_closed(Slot slot, const transport::CloseReason& reason) {
  const std::uint64_t serial = links[slot].serial;
  read_control(slot);  // A verdict may lie there unread.
  if (!is_still(slot, serial)) return;
  Link& link = links[slot];
  link.refused = link.stage == Link::Stage::handshake && reason.kind != Kind::handshake_timeout;
  if (reason.kind == Kind::peer_application && link.owner != kNone &&
      reason.code == std::to_underlying(ErrorCode::shutting_down)) {
    end_others(slot);
  }
  on_gone(slot, why(reason), may_retry(reason));
}

// The peer goes: its other connections are about to end as well, and none of them is missed.
void Node::Implementation::end_others(Slot slot) {
  Peer& peer = peers[links[slot].owner];
  std::vector<Slot> others = std::exchange(peer.ins, {});
  if (peer.out != kNone) others.push_back(std::exchange(peer.out, kNone));
  for (const Slot other : others) {
    if (other != slot) end(other, ErrorCode::not_needed, "you are shutting down");
  }
  if (links[slot].dialled) {
    peer.out = slot;
  } else {
    peer.ins = {slot};
  }
}

// Whether a firewall in front of `address` may be open to us because somebody came from there.
bool Node::Implementation::came_before(const SocketAddress& address, Instant when) const {
  const auto at = visitors.find(address);
  return at != visitors.end() && at->second.first <= when && now < at->second.last + kVisitorTime;
}

// Tells whoever waits for the connection, and forgets it.
void Node::Implementation::on_gone(Slot slot, const std::string& why_gone, bool may_retry_it) {
  Link& link = links[slot];
  by_handle.erase(key_of(link.port == Port::probe, link.handle));
  deadlines.set(slot * 2, kNever);
  if (link.counted) --unintroduced;
  lose_streams(link);
  const Link gone = std::move(link);
  links.erase(slot);

  if (gone.plan_index && plan) {
    plan_links[*gone.plan_index] = kNone;
    plan->on_failed(now, *gone.plan_index, why_gone);
  }
  if (gone.asked) {
    tell(LinkFailed{.candidate = {.candidate = gone.candidate, .why = why_gone}});
  }
  if (gone.judges != kNone) return on_dial_back_gone(gone);
  if (gone.owner == kNone || !peers.contains(gone.owner)) {
    if (gone.dialled && gone.candidate.id && !shutting_down) on_dial_failed(gone, why_gone);
    return;
  }
  Peer& peer = peers[gone.owner];
  if (peer.out == slot) {
    peer.out = kNone;
  } else if (std::erase(peer.ins, slot) == 0) {
    return;
  }
  const PeerId id = peer.id;
  on_direction_lost(gone.owner, why_gone, may_retry_it);
  for (std::size_t left = gone.pings.size(); left > 0; --left) ping(id);
}

// One that was no link yet, to a peer that we know by name. What we had no use for did not fail:
// above all, whoever is being forgotten is not dialled again for its dial-back.
void Node::Implementation::on_dial_failed(const Link& gone, const std::string& why_gone) {
  if (gone.ended_by_us == ErrorCode::not_needed) return;
  cache.on_failed(*gone.candidate.id);
  const Peer* peer = find_peer(*gone.candidate.id);
  if (peer != nullptr && peer->out == kNone) on_retry_failed(peer->slot, why_gone);
}

void Node::Implementation::on_link_deadline(Slot slot) {
  Link& link = links[slot];
  if (link.judges != kNone) {
    return end(slot, ErrorCode::timed_out, "no proof in time");
  }
  switch (link.stage) {
    case Link::Stage::leaving:
      return end(slot, link.leave_code, link.leave_reason);
    case Link::Stage::introducing:
      return end(slot, ErrorCode::introduction_timeout, "no introduction in time");
    case Link::Stage::awaiting_verdict:
      return end(slot, ErrorCode::timed_out, "no verdict in time");
    case Link::Stage::open:
      if (link.doubted) end(slot, ErrorCode::replaced, "no answer on an older connection");
      return;
    default:
      if (link.purpose == Purpose::probe) end(slot, ErrorCode::timed_out, "it has its proof");
      return;
  }
}

}  // namespace qpeer::p2p
