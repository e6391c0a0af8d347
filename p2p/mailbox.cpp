// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/mailbox.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "qpeer/p2p/stream_prefix.hpp"
#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

// --- transfers -----------------------------------------------------------------------------------

Mailbox::Transfer& Mailbox::add(Instant now, Transfer::Kind kind, const PeerId& peer) {
  const OperationId id = index_.new_id();
  Transfer& out = transfers_[id];
  out.id = id;
  out.kind = kind;
  out.peer = peer;
  out.progress_at = now;
  if (sweep_at_ == kNever) sweep_at_ = now + sweep_interval();
  return out;
}

Mailbox::Transfer* Mailbox::find(OperationId id) {
  const auto at = transfers_.find(id);
  return at == transfers_.end() ? nullptr : &at->second;
}

transport::Connection* Mailbox::transport_of(const Transfer& transfer) {
  return transfer.connection == kNoSlot ? nullptr : connections_.transport(transfer.connection);
}

void Mailbox::erase(OperationId id) {
  const auto at = transfers_.find(id);
  if (at == transfers_.end()) return;
  Transfer& transfer = at->second;
  discharge(transfer);
  outbox_.discharge(transfer.account(), std::exchange(transfer.out_charged, 0));
  if (transfer.connection != kNoSlot) index_.remove(transfer.connection, *transfer.stream);
  if (const auto of = unconfirmable_.find(transfer.connection); of != unconfirmable_.end()) {
    of->second.erase(id);
    if (of->second.empty()) unconfirmable_.erase(of);
  }
  if (const auto of = queues_.find(transfer.peer); of != queues_.end()) {
    PeerQueue& queue = of->second;
    queue.receiving.erase(id);
    queue.unread.erase(id);
    std::erase(queue.withheld, id);
    if (queue.sending.erase(id) > 0) {
      queue.queued_bytes -= transfer.out.size();
      if (!transfer.stream) std::erase(queue.waiting, id);
      emit_writable(transfer.peer, queue);
    }
  }
  transfers_.erase(at);
}

// From now on the transfer has the stream.
void Mailbox::join(Instant now, Transfer& transfer, const PeerConnection& connection,
                   StreamId stream) {
  PeerQueue& queue = queues_[transfer.peer];
  if (!queue.network.valid()) queue.network = site_of(connection.remote);
  if (transfer.network != queue.network) {  // Queued before it was known where the peer is.
    const std::size_t charged = std::exchange(transfer.out_charged, 0);
    outbox_.discharge(transfer.account(), charged);
    transfer.network = queue.network;
    charge_out(transfer, charged);
  }
  transfer.connection = connection.slot;
  transfer.stream = stream;
  index_.add(connection.slot, stream, transfer.id);
  begin_to_move(now, transfer);
}

void Mailbox::fail(OperationId id, PeerError error) {
  erase(id);
  queue_.emit(Failed{.id = id, .error = error});
  room_was_made_ = true;
}

void Mailbox::fail_waiting(const PeerId& peer, PeerError error) {
  const auto at = queues_.find(peer);
  if (at == queues_.end()) return;
  for (const OperationId id : std::deque(at->second.waiting)) fail(id, error);
}

void Mailbox::on_node_gone(const PeerId& peer) {
  fail_waiting(peer, PeerError::link_lost);
  const auto at = queues_.find(peer);
  // No LinkDown comes for a link that was never up: the next call of those who wait says why.
  if (at != queues_.end() && std::exchange(at->second.was_full, false)) {
    queue_.emit(Writable{.peer = peer});
  }
}

void Mailbox::on_peer_erased(const PeerId& peer) {
  on_node_gone(peer);
  queues_.erase(peer);
  paused_.erase(peer);
  short_of_outbox_.erase(peer);
}

void Mailbox::shut_down() {
  std::vector<OperationId> late;
  for (const auto& [id, transfer] : transfers_) {
    if (transfer.sending) late.push_back(id);
  }
  for (const OperationId id : late) fail(id, PeerError::shut_down);
}

bool Mailbox::is_sending() const {
  return std::ranges::any_of(transfers_, [&](const auto& one) {
    const Transfer& transfer = one.second;
    if (!transfer.sending) return false;
    if (transfer.connection != kNoSlot) {  // Perhaps of another process than the id names.
      const PeerSlot owner = connections_[transfer.connection].owner;
      return owner != kNoSlot && peers_.has(owner) && peers_[owner].up;
    }
    const Peer* peer = std::as_const(peers_).find(transfer.peer);
    return peer != nullptr && peer->up;
  });
}

void Mailbox::on_streams_lost(ConnectionSlot connection) {
  held_.erase(connection);
  std::erase(owing_, connection);
  for (const auto& [stream, id] : index_.take_all(connection)) {
    if (raw_.contains(id)) {
      raw_.on_lost(id);
      continue;
    }
    const Transfer& transfer = *find(id);
    switch (transfer.kind) {
      case Transfer::Kind::message_out:
      case Transfer::Kind::request_out:
        fail(id, PeerError::link_lost);
        break;
      case Transfer::Kind::request_in:
        // Whole, and perhaps with the application: its reply() returns PeerError::unknown.
        if (transfer.sending) {
          fail(id, PeerError::link_lost);
        } else if (!transfer.taken) {
          interrupt(id, "the link was lost");
        } else {
          erase(id);
        }
        break;
      case Transfer::Kind::incoming:
      case Transfer::Kind::message_in:
        interrupt(id, "the link was lost");
        break;
    }
  }
}

void Mailbox::on_stream_event(Instant now, OperationId id, const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  Transfer& transfer = *find(id);
  switch (event.kind) {
    case Kind::readable:
      return read(now, id);
    case Kind::writable:
      return write(now, transfer);
    case Kind::finished:
      return on_finished(transfer);
    case Kind::stopped:
      return on_stopped(transfer, event.error_code);
    case Kind::opened:
    case Kind::can_open:
      return;
  }
}

// --- sending -------------------------------------------------------------------------------------

std::expected<OperationId, PeerError> Mailbox::send(Instant now, const PeerId& to,
                                                    std::vector<u8>&& data) {
  if (config_.role != Role::node) return std::unexpected(PeerError::wrong_role);
  return queue(now, Transfer::Kind::message_out, to, std::move(data));
}

std::expected<OperationId, PeerError> Mailbox::request(Instant now, const PeerId& to,
                                                       std::vector<u8>&& data) {
  if (config_.role != Role::client) return std::unexpected(PeerError::wrong_role);
  return queue(now, Transfer::Kind::request_out, to, std::move(data));
}

std::expected<OperationId, PeerError> Mailbox::queue(Instant now, Transfer::Kind kind,
                                                     const PeerId& to, std::vector<u8>&& data) {
  if (data.size() > config_.max_message_size) return std::unexpected(PeerError::too_large);
  const Peer* peer = peers_.find(to);
  if (peer == nullptr) return std::unexpected(PeerError::not_linked);
  if (peer->role != Role::node) return std::unexpected(PeerError::wrong_role);
  if (connections_.is_open(peer->outbound) &&
      !connections_[peer->outbound].control.accepts_size(data.size())) {
    return std::unexpected(PeerError::too_large);
  }
  PeerQueue& queue = queues_[to];
  if (!queue.network.valid()) queue.network = site_of(peer->address);
  if (outbox_.is_full() || outbox_.is_full(queue.network)) {
    wait_for_outbox(to).was_full = true;
    return std::unexpected(PeerError::queue_full);
  }
  if (queue.queued_bytes + data.size() > config_.max_queued_bytes ||
      queue.sending.size() >= config_.max_queued_messages) {
    queue.was_full = true;
    return std::unexpected(PeerError::queue_full);
  }
  Transfer& transfer = add(now, kind, to);
  transfer.network = queue.network;
  transfer.out = std::move(data);
  charge_out(transfer, kTransferCost + transfer.out.size());
  transfer.sending = true;
  queue.queued_bytes += transfer.out.size();
  queue.sending.insert(transfer.id);
  queue.waiting.push_back(transfer.id);
  const OperationId id = transfer.id;
  write_waiting(now, *peer);
  return id;
}

// Opens streams for what waits, as far as the peer allows.
void Mailbox::write_waiting(Instant now, const Peer& peer) {
  if (!connections_.is_open(peer.outbound) || !peer.up) return;
  const auto of = queues_.find(peer.id);
  transport::Connection* connection = connections_.transport(peer.outbound);
  if (of == queues_.end() || connection == nullptr) return;
  PeerQueue& queue = of->second;
  while (!queue.waiting.empty()) {
    Transfer& transfer = *find(queue.waiting.front());
    // It was queued when we did not know what the peer takes.
    if (!connections_[peer.outbound].control.accepts_size(transfer.out.size())) {
      fail(transfer.id, PeerError::too_large);
      continue;
    }
    const auto stream = connection->open_stream(config_.role == Role::client);
    if (!stream) return;  // `can_open` follows.
    queue.waiting.pop_front();
    join(now, transfer, connections_[peer.outbound], *stream);
    write(now, transfer);
  }
}

void Mailbox::on_can_open(Instant now, const Peer& peer) {
  write_waiting(now, peer);
  if (const auto at = queues_.find(peer.id); at != queues_.end()) {
    emit_writable(peer.id, at->second);
  }
}

void Mailbox::emit_writable(const PeerId& peer, PeerQueue& queue) {
  if (!queue.was_full || queue.queued_bytes > config_.max_queued_bytes / 2) return;
  if (outbox_.is_full({.peer = peer, .network = queue.network})) {
    short_of_outbox_.insert(peer);  // Writable comes with the room.
    return;
  }
  queue.was_full = false;
  queue_.emit(Writable{.peer = peer});
}

void Mailbox::write(Instant now, Transfer& transfer) {
  if (!transfer.sending || transfer.finished) return;
  transport::Connection* connection = transport_of(transfer);
  if (connection == nullptr) return;
  const bool answer = transfer.kind == Transfer::Kind::request_in;
  if (!answer && !transfer.prefix_written) {
    constexpr std::array<u8, 1> kPrefix{kMessageStream};
    const auto written = connection->write(*transfer.stream, kPrefix);
    if (!written || *written == 0) return;
    transfer.prefix_written = true;
  }
  while (transfer.written < transfer.out.size()) {
    const auto written =
        connection->write(*transfer.stream, Bytes(transfer.out).subspan(transfer.written));
    if (!written || *written == 0) return;  // `writable`, or `stopped`, follows.
    transfer.written += *written;
    transfer.progress_at = now;
    queues_[transfer.peer].moved_bytes += *written;
  }
  (void)connection->finish(*transfer.stream);
  transfer.finished = true;
  if (answer) transfer.out = {};  // The transport has it. It stays charged until the client has.
}

// All of it is acknowledged. That is all that we learn from a peer without receipts.
void Mailbox::on_finished(const Transfer& transfer) {
  if (is_confirmed_by_peer(transfer) && !awaits_receipt(transfer)) on_confirmed(transfer.id);
}

// The peer wants no more of it.
void Mailbox::on_stopped(Transfer& transfer, std::uint64_t code) {
  const bool too_large = code == std::to_underlying(ErrorCode::message_too_large);
  const PeerError error = too_large ? PeerError::too_large : PeerError::refused;
  if (transfer.sending) return fail(transfer.id, error);
  transfer.stopped = error;  // For reply().
}

void Mailbox::cancel(OperationId id) {
  if (raw_.contains(id)) return raw_.cancel(id);
  const Transfer* transfer = find(id);
  if (transfer == nullptr) return;
  break_off(*transfer, ErrorCode::not_allowed);
  std::erase(requests_, id);
  std::erase(messages_, id);
  erase(id);
  room_was_made_ = true;
}

void Mailbox::break_off(const Transfer& transfer, ErrorCode code) {
  transport::Connection* connection = transport_of(transfer);
  if (connection == nullptr) return;
  if (awaits_receipt(transfer)) {
    connections_[transfer.connection].control.receipts().give_up(*transfer.stream);
  }
  (void)connection->reset(*transfer.stream, std::to_underlying(code));
  (void)connection->stop_sending(*transfer.stream, std::to_underlying(code));
}

// --- datagrams -----------------------------------------------------------------------------------

std::expected<void, PeerError> Mailbox::send_datagram(const PeerId& to, Bytes data) {
  const ConnectionSlot slot = peers_.best_connection(to);
  transport::Connection* connection = slot == kNoSlot ? nullptr : connections_.transport(slot);
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

void Mailbox::on_datagrams(const PeerConnection& connection) {
  transport::Connection* transport = connections_.transport(connection);
  if (transport == nullptr) return;
  while (const auto data = transport->next_datagram()) {
    if (!carries_data(connection)) continue;
    datagrams_.push(site_of(connection.remote),
                    {.from = connection.peer, .data = {data->begin(), data->end()}});
    queue_.emit(Incoming{.kind = Incoming::Kind::datagram, .from = connection.peer});
  }
}

}  // namespace qpeer::p2p
