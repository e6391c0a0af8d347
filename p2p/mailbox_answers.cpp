// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Requests that the application takes, and its answers to them: what a client that does not read them
// can make us keep.
#include <utility>

#include "qpeer/p2p/mailbox.hpp"

namespace qpeer::p2p {

// The oldest of a client whose answers have room.
std::optional<Request> Mailbox::next_request(Instant now) {
  while (!requests_.empty()) {
    const OperationId id = requests_.front();
    requests_.pop_front();
    Transfer& transfer = *find(id);
    if (outbox_.is_full(transfer.account())) {
      wait_for_outbox(transfer.peer).withheld.push_back(id);
      continue;
    }
    discharge(transfer);
    charge_out(transfer, kTransferCost);
    transfer.taken = true;
    transfer.progress_at = now;
    room_was_made_ = true;
    return Request{.id = id, .from = transfer.peer, .data = std::exchange(transfer.in, {})};
  }
  return std::nullopt;
}

std::expected<void, PeerError> Mailbox::reply(Instant now, OperationId id, std::vector<u8>&& data) {
  if (data.size() > config_.max_message_size) return std::unexpected(PeerError::too_large);
  Transfer* transfer = find(id);
  const bool waits_for_us = transfer != nullptr && transfer->taken && !transfer->sending;
  if (!waits_for_us) return std::unexpected(PeerError::unknown);
  if (transfer->connection != kNoSlot &&
      !connections_[transfer->connection].control.accepts_size(data.size())) {
    return std::unexpected(PeerError::too_large);
  }
  // What the request itself is charged does not count: who was given it while there was room, and
  // answers at once, may do so.
  const auto is_full = [&](std::size_t charged, std::size_t limit) {
    return charged - transfer->out_charged >= limit;
  };
  const bool full = is_full(outbox_.charged_to(transfer->peer), config_.max_queued_bytes) ||
                    is_full(outbox_.charged_to(transfer->network), config_.max_queued_network) ||
                    is_full(outbox_.total(), config_.max_queued_total);
  if (full && !transfer->stopped) {
    wait_for_outbox(transfer->peer).was_full = true;
    return std::unexpected(PeerError::queue_full);
  }
  transfer->out = std::move(data);
  charge_out(*transfer, transfer->out.size());
  transfer->sending = true;
  transfer->progress_at = now;
  begin_to_move(now, *transfer);
  if (transfer->stopped) {
    fail(id, *transfer->stopped);
    return {};
  }
  write(now, *transfer);
  return {};
}

void Mailbox::charge_out(Transfer& transfer, std::size_t size) {
  transfer.out_charged += size;
  outbox_.charge(transfer.account(), size);
}

Mailbox::PeerQueue& Mailbox::wait_for_outbox(const PeerId& peer) {
  short_of_outbox_.insert(peer);
  return queues_[peer];
}

// It waits for others of its kind, and is not to be the one that may go on in a full inbox.
void Mailbox::leave_unread(Transfer& transfer) {
  PeerQueue& queue = wait_for_outbox(transfer.peer);
  if (queue.receiving.erase(transfer.id) > 0) room_was_made_ = true;  // Another is the oldest now.
  queue.unread.insert(transfer.id);
  transfer.blocked = true;
}

// A peer has all of an answer or a message, or is gone: who waits for the room goes on.
void Mailbox::resume_outbox(Instant now) {
  for (const PeerId& peer : in_turn(std::exchange(short_of_outbox_, {}), outbox_)) {
    PeerQueue& queue = queues_.at(peer);
    if (outbox_.is_full({.peer = peer, .network = queue.network})) {
      short_of_outbox_.insert(peer);
      continue;
    }
    emit_writable(peer, queue);
    // The application got the event of these, and not the requests.
    for (const OperationId id : std::exchange(queue.withheld, {})) {
      requests_.push_back(id);
      queue_.emit(Incoming{.kind = Incoming::Kind::request, .from = peer});
    }
    const auto unread = std::exchange(queue.unread, {});
    for (const OperationId id : unread) {
      find(id)->blocked = false;
      queue.receiving.insert(id);
    }
    for (const OperationId id : unread) read(now, id);
  }
}

}  // namespace qpeer::p2p
