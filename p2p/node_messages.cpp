// Messages and requests of a Node, whole or not at all.
//
//   message   unidirectional stream, node to node:        u8 0 | data | FIN
//   request   bidirectional stream, client to node:       u8 0 | data | FIN,  answer: data | FIN
//   raw       either, by the role of who opens it:        u8 1 | whatever the application writes
//
// What arrives is gathered until its end. The inbox is bounded for each peer and for all: a stream
// that finds no room is not read, so that flow control holds its sender back; only the oldest of
// a peer may always go on, so that something gets whole. Who stands still for message_timeout is
// interrupted.
#include <algorithm>
#include <utility>

#include "p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

using transport::StreamError;
using transport::StreamEvent;

constexpr std::array<u8, 1> kMessagePrefix{0};
constexpr std::array<u8, 1> kRawPrefix{1};

}  // namespace

// --- operations ----------------------------------------------------------------------------------

Node::Implementation::Operation& Node::Implementation::add_operation(Operation::Kind kind,
                                                                     const PeerId& peer) {
  const OperationId id{++last_operation};
  Operation& out = operations[id];
  out.id = id;
  out.kind = kind;
  out.peer = peer;
  out.progress_at = now;
  if (sweep_at == kNever) sweep_at = now + config.message_timeout / 8;
  return out;
}

Node::Implementation::Operation* Node::Implementation::find_operation(OperationId id) {
  const auto at = operations.find(id);
  return at == operations.end() ? nullptr : &at->second;
}

// Queues a message or a request.
std::expected<OperationId, PeerError> Node::Implementation::queue(Operation::Kind kind,
                                                                  const PeerId& to,
                                                                  std::vector<u8> data) {
  if (shutting_down) return std::unexpected(PeerError::shut_down);
  const Role ours = kind == Operation::Kind::message_out ? Role::node : Role::client;
  if (config.role != ours) return std::unexpected(PeerError::wrong_role);
  if (data.size() > config.max_message_size) return std::unexpected(PeerError::too_large);
  Peer* peer = find_peer(to);
  if (peer == nullptr) return std::unexpected(PeerError::not_linked);
  if (peer->role != Role::node) return std::unexpected(PeerError::wrong_role);
  if (peer->queued_bytes + data.size() > config.max_queued_bytes ||
      peer->sending.size() >= config.max_queued_messages) {
    peer->was_full = true;
    return std::unexpected(PeerError::queue_full);
  }
  Operation& operation = add_operation(kind, to);
  operation.out = std::move(data);
  operation.sending = true;
  peer->queued_bytes += operation.out.size();
  peer->sending.insert(operation.id);
  peer->waiting.push_back(operation.id);
  const OperationId id = operation.id;
  write_waiting(*peer);
  return id;
}

void Node::Implementation::erase_operation(OperationId id) {
  const auto at = operations.find(id);
  if (at == operations.end()) return;
  const Operation& operation = at->second;
  if (links.contains(operation.link) && operation.stream) {
    links[operation.link].streams.erase(*operation.stream);
  }
  inbox_total -= operation.in.size();
  if (Peer* peer = find_peer(operation.peer)) {
    peer->inbox_bytes -= operation.in.size();
    peer->receiving.erase(id);
    if (peer->sending.erase(id) > 0) {
      peer->queued_bytes -= operation.out.size();
      if (!operation.stream) std::erase(peer->waiting, id);
      if (peer->was_full && peer->queued_bytes <= config.max_queued_bytes / 2) {
        peer->was_full = false;
        tell(Writable{.peer = peer->id});
      }
    }
  }
  operations.erase(at);
}

void Node::Implementation::fail_operation(OperationId id, PeerError error) {
  erase_operation(id);
  tell(Failed{.id = id, .error = error});
}

void Node::Implementation::fail_waiting(Peer& peer, PeerError error) {
  for (const OperationId id : std::vector(peer.waiting.begin(), peer.waiting.end())) {
    fail_operation(id, error);
  }
}

// The connection is going: nothing on it will be whole any more.
void Node::Implementation::lose_streams(Link& link) {
  for (const auto& [stream, id] : std::exchange(link.streams, {})) {
    const Operation* operation = find_operation(id);
    if (operation == nullptr) continue;
    switch (operation->kind) {
      case Operation::Kind::message_out:
      case Operation::Kind::request_out:
        fail_operation(id, PeerError::link_lost);
        break;
      case Operation::Kind::request_in:
        // Whole, and perhaps with the application; when it answers it is told.
        if (operation->sending) {
          fail_operation(id, PeerError::link_lost);
        } else if (!operation->in.empty() || std::ranges::find(requests, id) != requests.end()) {
          interrupt(id, "the link was lost");
        } else {
          erase_operation(id);
        }
        break;
      case Operation::Kind::raw:
        tell(StreamActivity{.id = id, .kind = StreamActivity::Kind::lost});
        erase_operation(id);
        break;
      case Operation::Kind::incoming:
      case Operation::Kind::message_in:
        interrupt(id, "the link was lost");
        break;
    }
  }
}

// --- sending -------------------------------------------------------------------------------------

// Opens streams for what waits, as far as the peer allows.
void Node::Implementation::write_waiting(Peer& peer) {
  if (!is_open(peer.out) || !peer.up) return;
  Link& link = links[peer.out];
  transport::Connection* connection = transport_of(link);
  if (connection == nullptr) return;
  while (!peer.waiting.empty()) {
    const auto stream = connection->open_stream(config.role == Role::client);
    if (!stream) return;  // `can_open` follows.
    Operation& operation = operations[peer.waiting.front()];
    peer.waiting.pop_front();
    operation.link = link.slot;
    operation.stream = *stream;
    link.streams.emplace(*stream, operation.id);
    write_operation(operation.id);
  }
}

void Node::Implementation::write_operation(OperationId id) {
  Operation* operation = find_operation(id);
  if (operation == nullptr || !operation->sending || operation->finished) return;
  transport::Connection* connection = transport_of(links[operation->link]);
  if (connection == nullptr) return;
  const bool answer = operation->kind == Operation::Kind::request_in;
  if (!answer && !operation->prefix_written) {
    const auto written = connection->write(*operation->stream, kMessagePrefix);
    if (!written || *written == 0) return;
    operation->prefix_written = true;
  }
  while (operation->written < operation->out.size()) {
    const auto written =
        connection->write(*operation->stream, Bytes(operation->out).subspan(operation->written));
    if (!written || *written == 0) return;  // `writable`, or `stopped`, follows.
    operation->written += *written;
    operation->progress_at = now;
  }
  (void)connection->finish(*operation->stream);
  operation->finished = true;
}

// All of it is acknowledged.
void Node::Implementation::finish_operation(OperationId id) {
  Operation* operation = find_operation(id);
  switch (operation->kind) {
    case Operation::Kind::message_out:
    case Operation::Kind::request_in:
      erase_operation(id);
      return tell(Sent{.id = id});
    case Operation::Kind::raw:
      return tell(StreamActivity{.id = id, .kind = StreamActivity::Kind::finished});
    default:
      return;  // A request waits for its answer.
  }
}

std::expected<OperationId, PeerError> Node::send(Instant now, const PeerId& peer,
                                                 std::vector<u8> data) {
  impl_->now = now;
  return impl_->queue(Implementation::Operation::Kind::message_out, peer, std::move(data));
}

std::expected<OperationId, PeerError> Node::request(Instant now, const PeerId& peer,
                                                    std::vector<u8> data) {
  impl_->now = now;
  return impl_->queue(Implementation::Operation::Kind::request_out, peer, std::move(data));
}

std::expected<void, PeerError> Node::reply(Instant now, OperationId id, std::vector<u8> data) {
  Implementation& node = *impl_;
  node.now = now;
  if (data.size() > node.config.max_message_size) return std::unexpected(PeerError::too_large);
  auto* operation = node.find_operation(id);
  if (operation == nullptr || operation->kind != Implementation::Operation::Kind::request_in ||
      operation->sending) {
    return std::unexpected(PeerError::unknown);
  }
  operation->out = std::move(data);
  operation->sending = true;
  operation->progress_at = now;
  node.write_operation(id);
  return {};
}

void Node::cancel(Instant now, OperationId id) {
  Implementation& node = *impl_;
  node.now = now;
  const auto* operation = node.find_operation(id);
  if (operation == nullptr) return;
  if (operation->stream && node.links.contains(operation->link)) {
    if (auto* connection = node.transport_of(node.links[operation->link])) {
      const auto code = std::to_underlying(ErrorCode::not_allowed);
      (void)connection->reset(*operation->stream, code);
      (void)connection->stop_sending(*operation->stream, code);
    }
  }
  std::erase(node.requests, id);
  std::erase(node.messages, id);
  node.erase_operation(id);
  node.resume_paused();
}

// --- receiving -----------------------------------------------------------------------------------

void Node::Implementation::on_stream_event(Slot slot, const StreamEvent& event) {
  Link& link = links[slot];
  using Kind = StreamEvent::Kind;
  if (event.kind == Kind::opened) return on_stream_opened(slot, event.stream_id);
  if (event.kind == Kind::can_open) {
    if (link.owner != kNone) write_waiting(peers[link.owner]);
    return;
  }
  if (link.control == event.stream_id) {
    if (event.kind == Kind::readable) return read_control(slot);
    if (event.kind == Kind::writable) return write_control(link);
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
      return raw ? tell(StreamActivity{.id = id,
                                       .kind = StreamActivity::Kind::stopped,
                                       .error_code = event.error_code})
                 : on_stopped(id, event.error_code);
    case Kind::opened:
    case Kind::can_open:
      return;
  }
}

void Node::Implementation::on_stopped(OperationId id, std::uint64_t code) {
  const bool too_large = code == std::to_underlying(ErrorCode::message_too_large);
  if (operations[id].sending) {
    fail_operation(id, too_large ? PeerError::too_large : PeerError::refused);
  }
}

// The peer opened a stream: its control stream, or one that its role allows.
void Node::Implementation::on_stream_opened(Slot slot, StreamId opened) {
  const transport::ConnectionHandle handle = links[slot].handle;
  transport::Connection* connection = transport_of(links[slot]);
  if (connection == nullptr) return;
  while (const auto stream = connection->accept_stream(opened.is_bidirectional())) {
    Link& link = links[slot];
    if (link.dialled) {
      return violate(slot, ErrorCode::role_violation, "streams are for whoever dialled");
    }
    if (stream->is_bidirectional() && !link.control) {
      link.control = *stream;
      read_control(slot);
    } else if (link.theirs) {
      take_stream(slot, *stream);
    } else {
      link.held.push_back(*stream);
    }
    if (!links.contains(slot) || links[slot].handle != handle) return;
  }
}

void Node::Implementation::take_stream(Slot slot, StreamId stream) {
  Link& link = links[slot];
  const bool client = link.theirs->role == Role::client;
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
  const transport::ConnectionHandle handle = links[slot].handle;
  for (const StreamId stream : std::exchange(links[slot].held, {})) {
    take_stream(slot, stream);
    if (!links.contains(slot) || links[slot].handle != handle) return;
  }
}

std::size_t Node::Implementation::inbox_room(const Peer& peer, const Operation& operation) const {
  if (inbox_total >= config.max_inbox_total) return 0;
  const std::size_t total = config.max_inbox_total - inbox_total;
  if (peer.inbox_bytes < config.max_inbox_bytes) {
    return std::min(total, config.max_inbox_bytes - peer.inbox_bytes);
  }
  const bool first = !peer.receiving.empty() && *peer.receiving.begin() == operation.id;
  return first && peer.inbox_bytes < config.max_inbox_bytes + config.max_message_size ? total : 0;
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
      if (!take_prefix(*operation, *view)) return;
      continue;
    }
    const std::size_t size = std::min(view->data.size(), inbox_room(*peer, *operation));
    if (operation->in.size() + size > config.max_message_size) {
      return refuse_incoming(*operation, ErrorCode::message_too_large, "the message is too large");
    }
    if (size == 0 && !view->data.empty()) {
      paused.insert(peer->id);
      return;
    }
    operation->in.insert(operation->in.end(), view->data.begin(),
                         view->data.begin() + static_cast<std::ptrdiff_t>(size));
    peer->inbox_bytes += size;
    inbox_total += size;
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
  if (first_byte == kMessagePrefix[0]) {
    connection->consume(*operation.stream, 1);
    operation.kind = bidirectional ? Operation::Kind::request_in : Operation::Kind::message_in;
    return true;
  }
  if (first_byte == kRawPrefix[0]) {
    connection->consume(*operation.stream, 1);
    operation.kind = Operation::Kind::raw;
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
    return tell(response);
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
  std::vector<u8> out = std::exchange(operation.in, {});
  inbox_total -= out.size();
  if (Peer* peer = find_peer(operation.peer)) peer->inbox_bytes -= out.size();
  operation.progress_at = now;
  return out;
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

void Node::Implementation::resume_paused() {
  if (paused.empty() || inbox_total >= config.max_inbox_total) return;
  for (const PeerId& id : std::exchange(paused, {})) {
    const Peer* peer = find_peer(id);
    if (peer == nullptr) continue;
    for (const OperationId operation :
         std::vector(peer->receiving.begin(), peer->receiving.end())) {
      read_operation(operation);
    }
  }
}

void Node::Implementation::sweep_operations() {
  sweep_at = kNever;
  std::vector<OperationId> late;
  for (const auto& [id, operation] : operations) {
    const bool waits_for_us = paused.contains(operation.peer) || operation.whole;
    const bool unfinished =
        operation.kind != Operation::Kind::raw && (operation.sending || !waits_for_us);
    if (unfinished && now >= operation.progress_at + config.message_timeout) late.push_back(id);
  }
  for (const OperationId id : late) {
    Operation* operation = find_operation(id);
    if (operation == nullptr) continue;
    if (!operation->sending) {
      refuse_incoming(*operation, ErrorCode::timed_out, "it stood still for too long");
      continue;
    }
    if (operation->stream && links.contains(operation->link)) {
      if (transport::Connection* connection = transport_of(links[operation->link])) {
        (void)connection->reset(*operation->stream, std::to_underlying(ErrorCode::timed_out));
        (void)connection->stop_sending(*operation->stream,
                                       std::to_underlying(ErrorCode::timed_out));
      }
    }
    fail_operation(id, PeerError::timed_out);
  }
  if (!operations.empty()) sweep_at = now + config.message_timeout / 8;
}

}  // namespace qpeer::p2p
