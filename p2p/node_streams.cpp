// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Raw streams and datagrams of a Node: the transport's, by the names of peers.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

using transport::StreamError;

/// Of what peers sent, not taken yet. Unreliable: the oldest make room.
constexpr std::size_t kMaxDatagrams = 256;

}  // namespace

std::expected<OperationId, PeerError> Node::open_stream(Instant now, const PeerId& id) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.shutting_down) return std::unexpected(PeerError::shut_down);
  Implementation::Peer* peer = node.find_peer(id);
  if (peer == nullptr || !peer->up) return std::unexpected(PeerError::not_linked);
  if (peer->role != Role::node) return std::unexpected(PeerError::wrong_role);
  if (!node.is_open(peer->out)) return std::unexpected(PeerError::not_linked);
  Implementation::Link& link = node.links[peer->out];
  transport::Connection* connection = node.transport_of(link);
  if (connection == nullptr) return std::unexpected(PeerError::not_linked);
  const auto stream = connection->open_stream(node.config.role == Role::client);
  if (!stream) {
    peer->was_full = true;
    return std::unexpected(PeerError::queue_full);
  }
  constexpr std::array<u8, 1> kRawPrefix{kRawStream};
  (void)connection->write(*stream, kRawPrefix);
  auto& operation = node.add_operation(Implementation::Operation::Kind::raw, id);
  operation.link = link.slot;
  operation.stream = *stream;
  operation.sends = true;
  operation.receives = node.config.role == Role::client;
  link.streams.emplace(*stream, operation.id);
  return operation.id;
}

std::optional<IncomingStream> Node::next_stream(Instant now) {
  Implementation& node = *impl_;
  node.now = now;
  while (!node.streams.empty()) {
    const OperationId id = node.streams.front();
    node.streams.pop_front();
    if (const auto* operation = node.find_operation(id)) {
      return IncomingStream{.id = id, .from = operation->peer};
    }
  }
  return std::nullopt;
}

Node::Implementation::RawStream Node::Implementation::find_raw(OperationId id) {
  Operation* operation = find_operation(id);
  if (operation == nullptr || operation->kind != Operation::Kind::raw) return {};
  return {.operation = operation, .connection = transport_of(links[operation->link])};
}

// One side of the stream is over; with both, nobody has a use for its name.
void Node::Implementation::on_raw_over(Operation& operation, bool sending) {
  (sending ? operation.sends : operation.receives) = false;
  if (!operation.sends && !operation.receives) erase_operation(operation.id);
}

std::expected<std::size_t, StreamError> Node::write(Instant now, OperationId stream, Bytes data) {
  impl_->now = now;
  const auto raw = impl_->find_raw(stream);
  if (raw.connection == nullptr) return std::unexpected(StreamError::closed);
  return raw.connection->write(*raw.operation->stream, data);
}

std::expected<void, StreamError> Node::finish(Instant now, OperationId stream) {
  impl_->now = now;
  const auto raw = impl_->find_raw(stream);
  if (raw.connection == nullptr) return std::unexpected(StreamError::closed);
  return raw.connection->finish(*raw.operation->stream);
}

std::expected<void, StreamError> Node::reset(Instant now, OperationId stream,
                                             std::uint64_t error_code) {
  impl_->now = now;
  const auto raw = impl_->find_raw(stream);
  if (raw.connection == nullptr) return std::unexpected(StreamError::closed);
  const auto done = raw.connection->reset(*raw.operation->stream, error_code);
  if (done) impl_->on_raw_over(*raw.operation, true);
  return done;
}

std::expected<void, StreamError> Node::stop_sending(Instant now, OperationId stream,
                                                    std::uint64_t error_code) {
  impl_->now = now;
  const auto raw = impl_->find_raw(stream);
  if (raw.connection == nullptr) return std::unexpected(StreamError::closed);
  const auto done = raw.connection->stop_sending(*raw.operation->stream, error_code);
  if (done) impl_->on_raw_over(*raw.operation, false);
  return done;
}

std::expected<transport::ReadView, StreamError> Node::peek(OperationId stream) {
  const auto raw = impl_->find_raw(stream);
  if (raw.connection == nullptr) return std::unexpected(StreamError::closed);
  if (raw.operation->whole) return transport::ReadView{.data = {}, .fin = true};
  const auto view = raw.connection->peek(*raw.operation->stream);
  if (!view && view.error() == StreamError::reset) impl_->on_raw_over(*raw.operation, false);
  return view;
}

void Node::consume(Instant now, OperationId stream, std::size_t size) {
  impl_->now = now;
  const auto raw = impl_->find_raw(stream);
  if (raw.connection == nullptr) return;
  if (raw.operation->whole) return impl_->on_raw_over(*raw.operation, false);
  const auto view = raw.connection->peek(*raw.operation->stream);
  const bool over = view && view->fin && view->data.size() == size;
  raw.connection->consume(*raw.operation->stream, size);
  if (over) impl_->on_raw_over(*raw.operation, false);
}

std::uint64_t Node::reset_code(OperationId stream) const {
  const auto raw = impl_->find_raw(stream);
  return raw.connection == nullptr ? 0 : raw.connection->reset_code(*raw.operation->stream);
}

std::expected<void, PeerError> Node::send_datagram(Instant now, const PeerId& peer, Bytes data) {
  Implementation& node = *impl_;
  node.now = now;
  const auto slot = node.find_link_to(peer);
  if (slot == Implementation::kNone) return std::unexpected(PeerError::not_linked);
  transport::Connection* connection = node.transport_of(node.links[slot]);
  if (connection == nullptr) return std::unexpected(PeerError::not_linked);
  const auto sent = connection->send_datagram(data);
  if (sent) return {};
  switch (sent.error()) {
    case transport::DatagramError::too_large:
      return std::unexpected(PeerError::too_large);
    case transport::DatagramError::queue_full:
      return std::unexpected(PeerError::queue_full);
    default:
      return std::unexpected(PeerError::refused);
  }
}

void Node::Implementation::on_datagram_event(Slot slot) {
  const Link& link = links[slot];
  transport::Connection* connection = transport_of(link);
  if (connection == nullptr) return;
  while (const auto data = connection->next_datagram()) {
    if (link.stage != Link::Stage::open) continue;
    if (datagrams.size() >= kMaxDatagrams) datagrams.pop_front();
    datagrams.push_back({.from = link.peer, .data = {data->begin(), data->end()}});
    tell_incoming(Incoming::Kind::datagram, link.peer);
  }
}

std::optional<Datagram> Node::next_datagram(Instant now) {
  impl_->now = now;
  if (impl_->datagrams.empty()) return std::nullopt;
  Datagram out = std::move(impl_->datagrams.front());
  impl_->datagrams.pop_front();
  return out;
}

}  // namespace qpeer::p2p
