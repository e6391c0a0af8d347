// SPDX-License-Identifier: MIT OR BSD-3-Clause
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

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

constexpr std::array<u8, 1> kMessagePrefix{kMessageStream};

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
  if (is_open(peer->out) && !links[peer->out].control.accepts_size(data.size())) {
    return std::unexpected(PeerError::too_large);
  }
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
  Operation& operation = at->second;
  discharge(operation);
  if (links.contains(operation.link) && operation.stream) {
    links[operation.link].streams.erase(*operation.stream);
  }
  if (Peer* peer = find_peer(operation.peer)) {
    peer->receiving.erase(id);
    if (peer->sending.erase(id) > 0) {
      peer->queued_bytes -= operation.out.size();
      if (!operation.stream) std::erase(peer->waiting, id);
      tell_writable(*peer);
    }
  }
  operations.erase(at);
}

// To whom it was refused before.
void Node::Implementation::tell_writable(Peer& peer) {
  if (!peer.was_full || peer.queued_bytes > config.max_queued_bytes / 2) return;
  peer.was_full = false;
  tell(Writable{.peer = peer.id});
}

void Node::Implementation::fail_operation(OperationId id, PeerError error) {
  erase_operation(id);
  tell(Failed{.id = id, .error = error});
  resume_paused();
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
    const OperationId first = peer.waiting.front();
    if (!link.control.accepts_size(
            operations[first].out.size())) {  // It was queued when we did not know.
      fail_operation(first, PeerError::too_large);
      continue;
    }
    const auto stream = connection->open_stream(config.role == Role::client);
    if (!stream) return;  // `can_open` follows.
    Operation& operation = operations[first];
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
      tell(StreamActivity{.id = id, .kind = StreamActivity::Kind::finished});
      return on_raw_over(*operation, true);
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
  if (node.links.contains(operation->link) &&
      !node.links[operation->link].control.accepts_size(data.size())) {
    return std::unexpected(PeerError::too_large);
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

// --- time ----------------------------------------------------------------------------------------

void Node::Implementation::sweep_operations() {
  sweep_at = kNever;
  std::vector<OperationId> late;
  for (const auto& [id, operation] : operations) {
    const bool waits_for_us = operation.blocked || operation.whole;
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
