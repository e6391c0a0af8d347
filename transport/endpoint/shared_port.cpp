// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams that the operating system gave to this endpoint, and that are for another endpoint on the same
// port: those of a client that has moved to another address. RFC 9000 §5.2, §9, §10.3.
#include <utility>

#include "qpeer/transport/endpoint/implementation.hpp"

namespace qpeer::transport {

/// The number of the other endpoint that a datagram of an unknown connection is for; nullopt when it is for
/// none. A connection ID that an endpoint issued names it. One that a client chose, which only long headers
/// have, is known to the SharedPort. A stateless reset names it by its token alone: RFC 9000 §10.3.
std::optional<std::size_t> Endpoint::Implementation::other_member(
    const wire::InvariantHeader& header, const std::optional<StatelessResetToken>& token) const {
  const Bytes id = header.destination_connection_id;
  auto member = names->member_of(id);
  if (!member && header.long_form && id.size() <= ConnectionId::kMaxSize) {
    member = port()->find(ConnectionId(id));
  }
  if (!member && token) member = port()->find_reset(*token);
  if (member == names->self()) return std::nullopt;
  return member;
}

/// Claims a client that is about to be accepted. False when another endpoint has accepted it since
/// other_member(): the datagram was handed over to that one, or dropped.
bool Endpoint::Implementation::claim(const ConnectionId& initial_destination,
                                     const ReceivedDatagram& datagram, ReceivedBy receiver) {
  const std::size_t member = port()->claim(initial_destination, names->self());
  if (member == names->self()) return true;
  if (receiver == ReceivedBy::us) {
    hand_over(member, datagram);
  } else {
    drop(DropReason::
             unknown_connection);  // A datagram is handed over once: two endpoints could loop.
  }
  return false;
}

void Endpoint::Implementation::hand_over(std::size_t member, const ReceivedDatagram& datagram) {
  if (!port()->hand_over(member, datagram)) {
    return drop(DropReason::handover_full);
  }
  ++stats.handed_over;
}

Endpoint::Implementation::~Implementation() {
  for (const auto& entry : entries) {
    if (entry) release_claim(*entry);
  }
}

void Endpoint::Implementation::release_claim(Entry& entry) {
  if (!std::exchange(entry.is_claimed, false)) return;
  port()->release(entry.initial_destination, names->self());
}

void Endpoint::on_handed_over(Instant now, ReceivedDatagram datagram) {
  ++impl_->stats.taken_over;
  impl_->on_datagram(now, datagram, Implementation::ReceivedBy::another);
}

}  // namespace qpeer::transport
