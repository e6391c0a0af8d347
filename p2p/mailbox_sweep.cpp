// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What takes too long comes to nothing: what stands still, what trickles, and what is slow while it
// leaves no room for others.
#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "qpeer/p2p/mailbox.hpp"

namespace qpeer::p2p {
namespace {

/// What fills the inbox or the outbox must be so many times as fast as min_message_rate.
constexpr std::size_t kRateWithoutRoom = 4;

Duration time_for(std::uint64_t bytes, std::size_t rate) {
  const std::uint64_t milliseconds = bytes * 1'000 / std::max<std::size_t>(rate, 1);
  return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
}

}  // namespace

void Mailbox::begin_to_move(Instant now, Transfer& transfer) {
  transfer.moving_since = now;
  transfer.moved_before = queues_[transfer.peer].moved_bytes;
}

void Mailbox::sweep(Instant now) {
  std::vector<OperationId> late;
  for (auto& [id, transfer] : transfers_) {
    if (transfer.blocked) transfer.moving_since += sweep_interval();
    if (has_timed_out(now, transfer)) late.push_back(id);
  }
  for (const OperationId id : late) time_out(*find(id), "it took too long");
  for (const OperationId id : slow_halves(now)) {
    time_out(*find(id), "it was too slow while others waited for room");
  }
  for (const OperationId id : slow_readers(now)) {
    time_out(*find(id), "it was read too slowly while others waited for room");
  }
  sweep_at_ = transfers_.empty() ? kNever : now + sweep_interval();
}

void Mailbox::time_out(const Transfer& transfer, std::string_view why) {
  if (!transfer.sending) return refuse(transfer, ErrorCode::timed_out, why);
  break_off(transfer, ErrorCode::timed_out);
  fail(transfer.id, PeerError::timed_out);
}

// Part of it has arrived, and more is to come.
bool Mailbox::is_half(const Transfer& transfer) const {
  return !transfer.whole && transfer.charged > 0;
}

bool Mailbox::has_timed_out(Instant now, const Transfer& transfer) const {
  const bool waits_for_us = transfer.blocked || transfer.whole;
  if (!transfer.sending && waits_for_us) return false;
  // What the transport took of ours moves unseen: it has the time that it takes at the least rate.
  const std::size_t unseen = transfer.sending ? transfer.written : 0;
  if (now - transfer.progress_at >=
      config_.message_timeout + time_for(unseen, config_.min_message_rate)) {
    return true;
  }
  const bool waits_for_peer = transfer.finished && transfer.in.empty();
  if (!transfer.stream || transfer.blocked || waits_for_peer) return false;
  // The peer's messages share its connection: what moved of the others counts for this one too.
  const std::uint64_t moved = queues_.at(transfer.peer).moved_bytes - transfer.moved_before;
  const std::uint64_t counted = std::min<std::uint64_t>(moved, config_.max_message_size);
  return now >= transfer.moving_since + config_.message_timeout +
                    time_for(counted, config_.min_message_rate);
}

bool Mailbox::is_slow(Instant now, const Transfer& transfer, std::size_t moved) const {
  const Duration time = now - transfer.moving_since;
  return time >= sweep_interval() &&
         time > time_for(moved, kRateWithoutRoom * config_.min_message_rate);
}

// Halves that are slow, where halves fill the inbox, or the share of a network, and something waits
// for room. Those that moved last the longest time ago go first, until they fill no more than half.
std::vector<OperationId> Mailbox::slow_halves(Instant now) const {
  if (paused_.empty()) return {};
  std::size_t halves = 0;
  std::map<SocketAddress, std::size_t> halves_of;
  std::vector<const Transfer*> slow;
  for (const auto& [id, transfer] : transfers_) {
    if (!is_half(transfer)) continue;
    halves += transfer.charged;
    halves_of[transfer.network] += transfer.charged;
    const Duration still = now - transfer.progress_at;
    if (still < sweep_interval() && !is_slow(now, transfer, transfer.in.size())) continue;
    // One that itself waits for room has the time that it has earned.
    const Duration earned =
        time_for(transfer.in.size(), kRateWithoutRoom * config_.min_message_rate);
    if (!transfer.blocked || still > earned) slow.push_back(&transfer);
  }
  std::ranges::sort(slow, {}, [](const Transfer* transfer) {
    return std::pair(transfer->progress_at, transfer->id);
  });
  std::vector<OperationId> out;
  for (const Transfer* transfer : slow) {
    std::size_t& of_network = halves_of[transfer->network];
    const bool all = budget_.is_full() && halves >= config_.max_inbox_total / 2;
    const bool network =
        budget_.is_full(transfer->network) && of_network >= config_.max_inbox_network / 2;
    if (!all && !network) continue;
    halves -= transfer->charged;
    of_network -= transfer->charged;
    out.push_back(transfer->id);
  }
  return out;
}

// What is sent to peers that read slowly, where it fills the outbox, or the share of a network, and
// something waits for room. An answer that is still to come is not slow reading.
std::vector<OperationId> Mailbox::slow_readers(Instant now) const {
  std::vector<OperationId> out;
  if (short_of_outbox_.empty()) return out;
  for (const auto& [id, transfer] : transfers_) {
    const bool is_read = transfer.sending && transfer.stream &&
                         !(transfer.finished && transfer.kind == Transfer::Kind::request_out);
    if (!is_read || (!outbox_.is_full() && !outbox_.is_full(transfer.network))) continue;
    if (is_slow(now, transfer, transfer.written)) out.push_back(id);
  }
  return out;
}

}  // namespace qpeer::p2p
