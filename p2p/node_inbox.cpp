// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What arrives at a Node, until it is whole and taken: see node_messages.cpp for the forms.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

/// What a message costs beside its bytes, so that empty ones fill an inbox too.
constexpr std::size_t kOperationCost = 256;

}  // namespace

using transport::StreamError;
using transport::StreamEvent;

void Node::Implementation::on_stream_event(Slot slot, const StreamEvent& event) {
  Link& link = links[slot];
  using Kind = StreamEvent::Kind;
  if (event.kind == Kind::opened) return on_stream_opened(slot, event.stream_id);
  if (event.kind == Kind::can_open) {
    if (link.owner == kNone) return;
    write_waiting(peers[link.owner]);
    return tell_writable(peers[link.owner]);
  }
  if (link.control.is(event.stream_id)) {
    if (event.kind == Kind::readable) return read_control(slot);
    if (event.kind == Kind::writable) return link.control.write(transport_of(link));
    if (event.kind == Kind::finished && link.stage == Link::Stage::leaving) {
      end(slot, link.leave_code, link.leave_reason);
    }
    return;
  }
  const auto at = link.streams.find(event.stream_id);
  if (at == link.streams.end()) return;
  const OperationId id = at->second;
  const bool raw = operations[id].kind == Operation::Kind::raw;
  switch (event.kind) {
    case Kind::readable:
      return raw ? tell(StreamActivity{.id = id}) : read_operation(id);
    case Kind::writable:
      return raw ? tell(StreamActivity{.id = id, .kind = StreamActivity::Kind::writable})
                 : write_operation(id);
    case Kind::finished:
      return finish_operation(id);
    case Kind::stopped:
      return on_stopped(id, event.error_code);
    case Kind::opened:
    case Kind::can_open:
      return;
  }
}

// The peer wants no more of it.
void Node::Implementation::on_stopped(OperationId id, std::uint64_t code) {
  Operation& operation = operations[id];
  if (operation.kind == Operation::Kind::raw) {
    tell(StreamActivity{.id = id, .kind = StreamActivity::Kind::stopped, .error_code = code});
    return on_raw_over(operation, true);
  }
  const bool too_large = code == std::to_underlying(ErrorCode::message_too_large);
  if (operation.sending) fail_operation(id, too_large ? PeerError::too_large : PeerError::refused);
}

// The peer opened a stream: its control stream, or one that its role allows.
void Node::Implementation::on_stream_opened(Slot slot, StreamId opened) {
  const std::uint64_t serial = links[slot].serial;
  transport::Connection* connection = transport_of(links[slot]);
  if (connection == nullptr) return;
  while (const auto stream = connection->accept_stream(opened.is_bidirectional())) {
    Link& link = links[slot];
    if (link.dialled) {
      return violate(slot, ErrorCode::role_violation, "streams are for whoever dialled");
    }
    if (stream->is_bidirectional() && !link.control.is_open()) {
      link.control.open(*stream);
      read_control(slot);
    } else if (link.control.peer_introduction()) {
      take_stream(slot, *stream);
    } else {
      link.held.push_back(*stream);
    }
    if (!is_still(slot, serial)) return;
  }
}

void Node::Implementation::take_stream(Slot slot, StreamId stream) {
  Link& link = links[slot];
  const bool client = link.control.peer_introduction()->role == Role::client;
  if (stream.is_bidirectional() != client) {
    return violate(slot, ErrorCode::role_violation,
                   client ? "a client opens bidirectional streams only"
                          : "a node opens unidirectional streams only");
  }
  if (link.stage != Link::Stage::open) return link.held.push_back(stream);
  Operation& operation = add_operation(Operation::Kind::incoming, link.peer);
  operation.link = slot;
  operation.stream = stream;
  link.streams.emplace(stream, operation.id);
  peers[link.owner].receiving.insert(operation.id);
  read_operation(operation.id);
}

void Node::Implementation::release_held(Slot slot) {
  if (!links.contains(slot) || !is_open(slot)) return;
  const std::uint64_t serial = links[slot].serial;
  for (const StreamId stream : std::exchange(links[slot].held, {})) {
    take_stream(slot, stream);
    if (!is_still(slot, serial)) return;
  }
}

std::size_t Node::Implementation::inbox_room(const Operation& operation) const {
  const bool full = inbox_total >= config.max_inbox_total;
  if (full && !may_overfill(operation)) return 0;
  const std::size_t total = full ? config.max_message_size : config.max_inbox_total - inbox_total;
  const auto at = inbox_bytes.find(operation.peer);
  const std::size_t held = at == inbox_bytes.end() ? 0 : at->second;
  if (held < config.max_inbox_bytes) return std::min(total, config.max_inbox_bytes - held);
  const Peer* peer = find_peer(operation.peer);
  const bool first =
      peer != nullptr && !peer->receiving.empty() && *peer->receiving.begin() == operation.id;
  return first && held < config.max_inbox_bytes + config.max_message_size ? total : 0;
}

// Of all peers' the oldest may go on when the inbox is full, or halves would wait for each other.
bool Node::Implementation::may_overfill(const Operation& operation) const {
  if (inbox_total >= config.max_inbox_total + config.max_message_size) return false;
  return oldest_receiving() == operation.id;
}

OperationId Node::Implementation::oldest_receiving() const {
  OperationId out{};
  for (const auto& [id, slot] : by_id) {
    const std::set<OperationId>& of_peer = peers[slot].receiving;
    if (of_peer.empty()) continue;
    if (out.value == 0 || *of_peer.begin() < out) out = *of_peer.begin();
  }
  return out;
}

void Node::Implementation::read_operation(OperationId id) {
  for (;;) {
    Operation* operation = find_operation(id);
    if (operation == nullptr || operation->whole) return;
    transport::Connection* connection = transport_of(links[operation->link]);
    Peer* peer = find_peer(operation->peer);
    if (connection == nullptr || peer == nullptr) return;
    const auto view = connection->peek(*operation->stream);
    if (!view) return on_unreadable(*operation, view.error());
    if (operation->kind == Operation::Kind::incoming) {
      if (view->data.empty() && !view->fin) return;
      if (inbox_room(*operation) == 0) return pause(*operation);
      charge(*operation, kOperationCost);
      // With its only byte the stream is gone, and gives no end any more.
      const bool empty = view->fin && view->data.size() == 1;
      if (!take_prefix(*operation, *view)) return;
      if (empty) return complete(*operation);
      continue;
    }
    // An answer is like a message of the peer from its first byte on.
    if (!view->data.empty()) peer->receiving.insert(id);
    const std::size_t size = std::min(view->data.size(), inbox_room(*operation));
    if (operation->in.size() + size > config.max_message_size) {
      return refuse_incoming(*operation, ErrorCode::message_too_large, "the message is too large");
    }
    if (size == 0 && !view->data.empty()) return pause(*operation);
    operation->blocked = false;
    operation->in.insert(operation->in.end(), view->data.begin(),
                         view->data.begin() + static_cast<std::ptrdiff_t>(size));
    charge(*operation, size);
    if (size > 0) operation->progress_at = now;
    const bool whole = view->fin && size == view->data.size();
    const bool empty = view->data.empty();
    connection->consume(*operation->stream, size);
    if (whole) return complete(*operation);
    if (empty) return;
  }
}

// The first byte says what the stream is. Whether it was there and good.
bool Node::Implementation::take_prefix(Operation& operation, const transport::ReadView& view) {
  transport::Connection* connection = transport_of(links[operation.link]);
  const u8 first_byte = view.data.empty() ? u8{255} : view.data[0];
  const bool bidirectional = operation.stream->is_bidirectional();
  if (first_byte == kMessageStream) {
    connection->consume(*operation.stream, 1);
    operation.kind = bidirectional ? Operation::Kind::request_in : Operation::Kind::message_in;
    return true;
  }
  if (first_byte == kRawStream) {
    operation.whole = view.fin && view.data.size() == 1;
    connection->consume(*operation.stream, 1);
    operation.kind = Operation::Kind::raw;
    operation.receives = true;
    operation.sends = bidirectional;
    discharge(operation);
    if (Peer* peer = find_peer(operation.peer)) peer->receiving.erase(operation.id);
    streams.push_back(operation.id);
    tell_incoming(Incoming::Kind::stream, operation.peer);
    return false;
  }
  refuse_incoming(operation, ErrorCode::malformed, "a stream of unknown kind");
  return false;
}

void Node::Implementation::refuse_incoming(Operation& operation, ErrorCode code,
                                           std::string_view why) {
  transport::Connection* connection = transport_of(links[operation.link]);
  const StreamId stream = *operation.stream;
  if (connection != nullptr) {
    (void)connection->stop_sending(stream, std::to_underlying(code));
    if (stream.is_bidirectional()) (void)connection->reset(stream, std::to_underlying(code));
  }
  if (operation.kind == Operation::Kind::request_out) {
    return fail_operation(operation.id, PeerError::too_large);
  }
  interrupt(operation.id, why);
}

// The peer reset the stream.
void Node::Implementation::on_unreadable(const Operation& operation, StreamError error) {
  if (error != StreamError::reset) return;
  if (operation.kind == Operation::Kind::request_out) {
    return fail_operation(operation.id, PeerError::refused);
  }
  if (transport::Connection* connection = transport_of(links[operation.link]);
      connection != nullptr && operation.stream->is_bidirectional()) {
    (void)connection->reset(*operation.stream, std::to_underlying(ErrorCode::interrupted));
  }
  interrupt(operation.id, "the sender broke it off");
}

void Node::Implementation::interrupt(OperationId id, std::string_view why) {
  const Operation& operation = *find_operation(id);
  tell(IncomingInterrupted{.from = operation.peer, .bytes = operation.in.size(), .why = why});
  std::erase(messages, id);
  std::erase(requests, id);
  erase_operation(id);
  resume_paused();
}

void Node::Implementation::complete(Operation& operation) {
  operation.whole = true;
  const OperationId id = operation.id;
  if (operation.kind == Operation::Kind::request_out) {
    const Response response{.id = id, .data = operation.in};
    erase_operation(id);
    tell(response);
    return resume_paused();
  }
  if (Peer* peer = find_peer(operation.peer)) peer->receiving.erase(id);
  const bool message = operation.kind == Operation::Kind::message_in;
  if (message && links.contains(operation.link)) {
    // Whole: the end of the connection does not touch it any more.
    links[operation.link].streams.erase(*operation.stream);
    operation.link = kNone;
  }
  (message ? messages : requests).push_back(id);
  tell_incoming(message ? Incoming::Kind::message : Incoming::Kind::request, operation.peer);
}

void Node::Implementation::tell_incoming(Incoming::Kind kind, const PeerId& from) {
  tell(Incoming{.kind = kind, .from = from});
}

std::vector<u8> Node::Implementation::take_in(Operation& operation) {
  discharge(operation);
  operation.progress_at = now;
  return std::exchange(operation.in, {});
}

void Node::Implementation::charge(Operation& operation, std::size_t size) {
  if (size == 0) return;
  operation.charged += size;
  inbox_bytes[operation.peer] += size;
  inbox_total += size;
}

void Node::Implementation::discharge(Operation& operation) {
  const std::size_t size = std::exchange(operation.charged, 0);
  inbox_total -= size;
  if (size == 0) return;
  const auto at = inbox_bytes.find(operation.peer);
  at->second -= size;
  if (at->second == 0) inbox_bytes.erase(at);
}

std::optional<Message> Node::next_message(Instant now) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.messages.empty()) return std::nullopt;
  const OperationId id = node.messages.front();
  node.messages.pop_front();
  auto& operation = node.operations[id];
  Message out{.from = operation.peer, .data = node.take_in(operation)};
  node.erase_operation(id);
  node.resume_paused();
  return out;
}

std::optional<Request> Node::next_request(Instant now) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.requests.empty()) return std::nullopt;
  const OperationId id = node.requests.front();
  node.requests.pop_front();
  auto& operation = node.operations[id];
  Request out{.id = id, .from = operation.peer, .data = node.take_in(operation)};
  node.resume_paused();
  return out;
}

// It goes on when somebody took something: see resume_paused().
void Node::Implementation::pause(Operation& operation) {
  operation.blocked = true;
  paused.insert(operation.peer);
}

void Node::Implementation::resume_paused() {
  if (paused.empty()) return;
  if (inbox_total >= config.max_inbox_total) return read_operation(oldest_receiving());
  for (const PeerId& id : std::exchange(paused, {})) {
    const Peer* peer = find_peer(id);
    if (peer == nullptr) continue;
    for (const OperationId operation :
         std::vector(peer->receiving.begin(), peer->receiving.end())) {
      read_operation(operation);
    }
  }
}

}  // namespace qpeer::p2p
