// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether a Mailbox agrees with itself: see the invariant in mailbox.hpp.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/mailbox.hpp"

namespace qpeer::p2p {

bool Mailbox::consistent() const {
  return transfers_are_consistent() && queues_are_consistent() && inbox_is_consistent() &&
         outbox_is_consistent() && budget_.consistent() && outbox_.consistent() &&
         raw_.consistent() && datagrams_.consistent();
}

// Each has its stream, and its charge.
bool Mailbox::transfers_are_consistent() const {
  std::map<PeerId, std::size_t> charged = raw_.charged();
  std::size_t with_stream = 0;
  for (const auto& [id, transfer] : transfers_) {
    if (transfer.charged > 0) charged[transfer.peer] += transfer.charged;
    if (transfer.in.size() > transfer.charged) return false;
    if (transfer.connection == kNoSlot) continue;
    ++with_stream;
    if (index_.find(transfer.connection, *transfer.stream) != id) return false;
  }
  std::size_t total = 0;
  for (const auto& [peer, size] : charged) {
    if (budget_.charged_to(peer) != size) return false;
    total += size;
  }
  return total == budget_.total() && index_.size() == with_stream + raw_.size();
}

bool Mailbox::queues_are_consistent() const {
  return std::ranges::all_of(queues_, [&](const auto& one) {
    const auto& [peer, queue] = one;
    return std::as_const(peers_).find(peer) != nullptr && is_consistent(peer, queue);
  });
}

bool Mailbox::is_consistent(const PeerId& peer, const PeerQueue& queue) const {
  const auto is_of_peer = [&](OperationId id) {
    const auto at = transfers_.find(id);
    return at != transfers_.end() && at->second.peer == peer;
  };
  if (!std::ranges::all_of(queue.sending, is_of_peer)) return false;
  if (!std::ranges::all_of(queue.receiving, is_of_peer)) return false;
  const bool waits_for_outbox = !queue.unread.empty() || !queue.withheld.empty();
  if (waits_for_outbox && !short_of_outbox_.contains(peer)) return false;
  if (!std::ranges::all_of(queue.unread, is_of_peer)) return false;
  if (!std::ranges::all_of(queue.withheld, is_of_peer)) return false;
  std::size_t bytes = 0;
  for (const OperationId id : queue.sending) bytes += transfers_.at(id).out.size();
  const auto waits = [&](OperationId id) {
    return queue.sending.contains(id) && !transfers_.at(id).stream;
  };
  return bytes == queue.queued_bytes && std::ranges::all_of(queue.waiting, waits);
}

// What is to be sent is charged to the peer, until that has it.
bool Mailbox::outbox_is_consistent() const {
  std::size_t total = 0;
  std::map<PeerId, std::size_t> of_peers;
  std::map<SocketAddress, std::size_t> of_networks;
  for (const auto& [id, transfer] : transfers_) {
    total += transfer.out_charged;
    of_peers[transfer.peer] += transfer.out_charged;
    of_networks[transfer.network] += transfer.out_charged;
    if (transfer.out.size() > transfer.out_charged) return false;
  }
  const auto as_charged = [&](const auto& one) {
    return outbox_.charged_to(one.first) == one.second;
  };
  return total == outbox_.total() && std::ranges::all_of(of_peers, as_charged) &&
         std::ranges::all_of(of_networks, as_charged) &&
         std::ranges::all_of(short_of_outbox_,
                             [&](const PeerId& peer) { return queues_.contains(peer); });
}

// What waits for the peer to read its receipts has a connection, and nothing of it is read.
bool Mailbox::receipts_are_consistent() const {
  return std::ranges::all_of(unconfirmable_, [&](const auto& one) {
    const auto waits = [&](OperationId id) {
      const auto at = transfers_.find(id);
      return at != transfers_.end() && at->second.connection == one.first && at->second.blocked &&
             at->second.charged == 0;
    };
    return !one.second.empty() && std::ranges::all_of(one.second, waits);
  });
}

// What is not taken is whole, and what is held back or paused belongs to a peer that is there.
bool Mailbox::inbox_is_consistent() const {
  const auto waits_as = [&](Transfer::Kind kind) {
    return [this, kind](OperationId id) {
      const auto at = transfers_.find(id);
      return at != transfers_.end() && at->second.kind == kind && at->second.whole &&
             !at->second.taken && !at->second.sending;
    };
  };
  return std::ranges::all_of(messages_, waits_as(Transfer::Kind::message_in)) &&
         std::ranges::all_of(requests_, waits_as(Transfer::Kind::request_in)) &&
         std::ranges::all_of(paused_, [&](const PeerId& peer) { return queues_.contains(peer); }) &&
         std::ranges::all_of(held_, [&](const auto& one) { return connections_.has(one.first); }) &&
         std::ranges::all_of(owing_, [&](ConnectionSlot slot) { return connections_.has(slot); }) &&
         receipts_are_consistent();
}

}  // namespace qpeer::p2p
