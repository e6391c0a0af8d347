// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Receipts: what we confirm to a peer, and what a peer confirms to us. See Receipts in
// control_messages.hpp.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/mailbox.hpp"

namespace qpeer::p2p {

// --- for the peer --------------------------------------------------------------------------------

// All of it is in the inbox.
void Mailbox::owe_receipt(const Transfer& transfer) {
  ControlChannel& control = connections_[transfer.connection].control;
  if (!control.peer_sends_receipts()) return;
  if (!control.receipts().is_owing()) owing_.push_back(transfer.connection);
  control.owe_receipt(connections_.transport(transfer.connection), *transfer.stream);
}

void Mailbox::send_receipts() {
  for (const ConnectionSlot slot : owing_) {
    if (connections_.has(slot)) connections_[slot].control.write(connections_.transport(slot));
  }
  owing_.clear();
}

bool Mailbox::may_owe_receipt(ConnectionSlot connection) const {
  return !std::as_const(connections_)[connection].control.receipts().is_full();
}

// The peer does not read its receipts: nothing that would need another one is begun. It is not to be the
// one that may go on in a full inbox.
void Mailbox::wait_for_receipts(Transfer& transfer) {
  std::set<OperationId>& receiving = queues_[transfer.peer].receiving;
  if (receiving.erase(transfer.id) > 0) room_was_made_ = true;  // Another is the oldest now.
  unconfirmable_[transfer.connection].insert(transfer.id);
  transfer.blocked = true;
}

bool Mailbox::waits_for_receipts(const Transfer& transfer) const {
  if (!transfer.blocked) return false;
  const auto at = unconfirmable_.find(transfer.connection);
  return at != unconfirmable_.end() && at->second.contains(transfer.id);
}

bool Mailbox::can_confirm_again() const {
  return std::ranges::any_of(unconfirmable_,
                             [&](const auto& one) { return may_owe_receipt(one.first); });
}

void Mailbox::resume_unconfirmable(Instant now) {
  std::vector<OperationId> ready;
  std::erase_if(unconfirmable_, [&](const auto& one) {
    const bool goes_on = may_owe_receipt(one.first);
    if (goes_on) ready.insert(ready.end(), one.second.begin(), one.second.end());
    return goes_on;
  });
  for (const OperationId id : ready) {
    Transfer& transfer = *find(id);
    transfer.blocked = false;
    if (transfer.kind == Transfer::Kind::incoming) queues_[transfer.peer].receiving.insert(id);
    read(now, id);
  }
}

// --- from the peer -------------------------------------------------------------------------------

bool Mailbox::awaits_receipt(const Transfer& transfer) const {
  return transfer.finished && is_confirmed_by_peer(transfer) &&
         std::as_const(connections_)[transfer.connection].control.peer_sends_receipts();
}

// What is over with it: a request waits for its answer.
bool Mailbox::is_confirmed_by_peer(const Transfer& transfer) {
  return transfer.kind == Transfer::Kind::message_out ||
         transfer.kind == Transfer::Kind::request_in;
}

std::optional<std::string_view> Mailbox::on_receipts(PeerConnection& connection,
                                                     const Receipts& receipts) {
  for (const StreamId stream : receipts.streams) {
    const auto id = index_.find(connection.slot, stream);
    const Transfer* const transfer = id ? find(*id) : nullptr;
    if (transfer != nullptr && awaits_receipt(*transfer)) {
      on_confirmed(*id);
    } else if (id || !connection.control.receipts().take_late(stream)) {
      return "a receipt for what was not sent, or for the second time";
    }
  }
  return std::nullopt;
}

void Mailbox::on_confirmed(OperationId id) {
  erase(id);
  queue_.emit(Sent{.id = id});
}

}  // namespace qpeer::p2p
