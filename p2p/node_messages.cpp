// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an application does with a Node's messages, raw streams and datagrams.
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {

// --- messages and requests -----------------------------------------------------------------------

std::expected<OperationId, PeerError> Node::send(Instant now, const PeerId& peer,
                                                 std::vector<u8>&& data) {
  impl_->now = now;
  if (impl_->shutting_down) return std::unexpected(PeerError::shut_down);
  const auto id = impl_->mailbox.send(now, peer, std::move(data));
  impl_->work_off();
  return id;
}

std::expected<OperationId, PeerError> Node::request(Instant now, const PeerId& peer,
                                                    std::vector<u8>&& data) {
  impl_->now = now;
  if (impl_->shutting_down) return std::unexpected(PeerError::shut_down);
  const auto id = impl_->mailbox.request(now, peer, std::move(data));
  impl_->work_off();
  return id;
}

std::expected<void, PeerError> Node::reply(Instant now, OperationId id, std::vector<u8>&& data) {
  impl_->now = now;
  auto out = impl_->mailbox.reply(now, id, std::move(data));
  impl_->work_off();
  return out;
}

void Node::cancel(Instant now, OperationId id) {
  impl_->now = now;
  impl_->mailbox.cancel(id);
  impl_->work_off();
}

std::optional<Message> Node::next_message(Instant now) {
  impl_->now = now;
  auto out = impl_->mailbox.next_message();
  impl_->work_off();
  return out;
}

std::optional<Request> Node::next_request(Instant now) {
  impl_->now = now;
  auto out = impl_->mailbox.next_request(now);
  impl_->work_off();
  return out;
}

// --- raw streams and datagrams -------------------------------------------------------------------

std::expected<OperationId, PeerError> Node::open_stream(Instant now, const PeerId& id) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.shutting_down) return std::unexpected(PeerError::shut_down);
  const Peer* peer = node.peers.find(id);
  if (peer == nullptr || !peer->up) return std::unexpected(PeerError::not_linked);
  if (peer->role != Role::node) return std::unexpected(PeerError::wrong_role);
  if (!node.connections.is_open(peer->outbound) ||
      node.connections.transport(peer->outbound) == nullptr) {
    return std::unexpected(PeerError::not_linked);
  }
  const auto stream =
      node.raw_streams.open(node.connections[peer->outbound], node.config.role == Role::client);
  if (stream) return *stream;
  node.mailbox.want_writable(id);
  return std::unexpected(PeerError::queue_full);
}

std::optional<IncomingStream> Node::next_stream(Instant now) {
  impl_->now = now;
  auto out = impl_->raw_streams.next();
  impl_->work_off();
  return out;
}

std::expected<std::size_t, transport::StreamError> Node::write(Instant now, OperationId stream,
                                                               Bytes data) {
  impl_->now = now;
  return impl_->raw_streams.write(stream, data);
}

std::expected<void, transport::StreamError> Node::finish(Instant now, OperationId stream) {
  impl_->now = now;
  return impl_->raw_streams.finish(stream);
}

std::expected<void, transport::StreamError> Node::reset(Instant now, OperationId stream,
                                                        std::uint64_t error_code) {
  impl_->now = now;
  auto out = impl_->raw_streams.reset(stream, error_code);
  impl_->work_off();
  return out;
}

std::expected<void, transport::StreamError> Node::stop_sending(Instant now, OperationId stream,
                                                               std::uint64_t error_code) {
  impl_->now = now;
  auto out = impl_->raw_streams.stop_sending(stream, error_code);
  impl_->work_off();
  return out;
}

std::expected<transport::ReadView, transport::StreamError> Node::peek(OperationId stream) {
  auto out = impl_->raw_streams.peek(stream);
  impl_->work_off();  // Only after an error: a view is not touched.
  return out;
}

void Node::consume(Instant now, OperationId stream, std::size_t size) {
  impl_->now = now;
  impl_->raw_streams.consume(stream, size);
  impl_->work_off();
}

std::uint64_t Node::reset_code(OperationId stream) const {
  return impl_->raw_streams.reset_code(stream);
}

std::expected<void, PeerError> Node::send_datagram(Instant now, const PeerId& peer, Bytes data) {
  impl_->now = now;
  return impl_->mailbox.send_datagram(peer, data);
}

std::optional<Datagram> Node::next_datagram(Instant now) {
  impl_->now = now;
  return impl_->mailbox.next_datagram();
}

// --- pings ---------------------------------------------------------------------------------------

std::expected<void, PeerError> Node::ping(Instant now, const PeerId& peer) {
  impl_->now = now;
  return impl_->ping(peer);
}

std::expected<void, PeerError> Node::Implementation::ping(const PeerId& peer) {
  const ConnectionSlot slot = peers.best_connection(peer);
  if (slot == kNoSlot) return std::unexpected(PeerError::not_linked);
  PeerConnection& connection = connections[slot];
  if (connection.pings.size() >= kMaxPings) return std::unexpected(PeerError::queue_full);
  transport::Connection* const transport = connections.transport(connection);
  if (transport == nullptr) return std::unexpected(PeerError::not_linked);
  transport->ping();
  connection.pings.push_back(now);
  return {};
}

// What waits for an answer on a connection that ended waits for one on that which is left. It was
// counted when it was asked for.
void Node::Implementation::move_pings(const PeerConnection& from) {
  const Peer* const peer = from.pings.empty() ? nullptr : peers.find(from.key());
  const ConnectionSlot slot = peer == nullptr ? kNoSlot : peers.best_connection(*peer);
  transport::Connection* const transport = slot == kNoSlot ? nullptr : connections.transport(slot);
  if (transport == nullptr) return;
  for (const Instant asked_at : from.pings) {
    transport->ping();
    connections[slot].pings.push_back(asked_at);
  }
}

}  // namespace qpeer::p2p
