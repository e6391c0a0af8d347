// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether an Endpoint agrees with itself: see the invariant in implementation.hpp.
#include <algorithm>

#include "qpeer/transport/endpoint/implementation.hpp"

namespace qpeer::transport {

bool Endpoint::Implementation::queue_is_consistent(const Ring<Slot>& queue,
                                                   bool Entry::* awaits) const {
  std::size_t waiting = 0;
  for (const auto& entry : entries) waiting += entry && (*entry).*awaits ? 1 : 0;
  if (waiting != queue.size()) return false;
  for (auto at = queue.begin_index(); at != queue.end_index(); ++at) {
    if (!is_live(queue[at]) || !((*entries[queue[at]]).*awaits)) return false;
  }
  return true;
}

bool Endpoint::Implementation::consistent() const {
  std::size_t open = 0;
  std::size_t incoming = 0;
  std::size_t in_handshake = 0;
  std::size_t kept = 0;
  std::uint64_t granted = 0;
  std::uint64_t buffered = 0;
  std::uint64_t of_datagrams = 0;
  std::size_t free_memory = 0;
  for (Slot slot = 0; slot < entries.size(); ++slot) {
    if (!entries[slot]) continue;
    const Entry& entry = *entries[slot];
    // A connection asserts that it is consistent itself, after each of its verbs.
    if (entry.slot != slot || !entry.connection) return false;
    if (entry.is_claimed && (!names || config.shared_port->port->find(entry.initial_destination) !=
                                           std::optional(names->self()))) {
      return false;
    }
    ++open;
    if (entry.incoming) ++incoming;
    if (entry.incoming && entry.in_handshake) ++in_handshake;
    if (entry.is_kept) ++kept;
    granted += entry.connection->receive_credit();
    buffered += entry.connection->send_buffered();
    of_datagrams += entry.connection->datagram_memory();
    free_memory += entry.connection->free_chunks();
  }
  const auto live = [this](Slot slot) { return is_live(slot); };
  return open == open_entries && kept == kept_entries &&
         open + free_slots.size() == entries.size() && entries.size() == generations.size() &&
         std::ranges::none_of(free_slots, live) && in_handshake == handshakes.total() &&
         handshakes.consistent() && incoming == accepted.total() && accepted.consistent() &&
         router.leads_only_to(live) && (!zero_length || is_live(*zero_length)) &&
         queue_is_consistent(to_transmit, &Entry::awaits_transmit) &&
         queue_is_consistent(to_report, &Entry::awaits_events) && deadlines.consistent() &&
         (deadlines.empty() || is_live(deadlines.top())) && answers.consistent() &&
         used_retry_tokens.consistent() && used_new_tokens.consistent() &&
         receive_credit.consistent() && granted == receive_credit.held() &&
         receive_credit.accounts() == open && send_buffers.consistent() &&
         buffered == send_buffers.held() && send_buffers.accounts() == open &&
         datagrams.consistent() && of_datagrams == datagrams.held() &&
         datagrams.accounts() == 2 * open && granted <= receive_credit.limits().total &&
         buffered <= send_buffers.limits().total && of_datagrams <= datagrams.limits().total &&
         free_memory == free_chunks.kept && free_memory <= free_chunks.most;
}

bool Endpoint::consistent() const { return impl_->consistent(); }

}  // namespace qpeer::transport
