// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams that the operating system gave to us, and that are for another endpoint on our port: those of a
// client that moved. RFC 9000 §5.2, §9.
#include <utility>

#include "qpeer/transport/endpoint/implementation.hpp"

namespace qpeer::transport {

/// For whom a datagram is that no connection of ours knows; nullopt when it is for no other. Our IDs say it. Those
/// that a client chose, which only long headers have, are known to who serves it.
std::optional<std::size_t> Endpoint::Implementation::other_member(
    const wire::InvariantHeader& header) const {
  const Bytes id = header.destination_connection_id;
  auto member = names->member_of(id);
  if (!member && header.long_form && id.size() <= ConnectionId::kMaxSize) {
    member = config.shared_port->port->find(ConnectionId(id));
  }
  if (member == names->self()) return std::nullopt;
  return member;
}

/// A client is to be accepted: false when another endpoint has done so since other_member(), and the
/// datagram is dealt with.
bool Endpoint::Implementation::claim(const ConnectionId& initial_destination,
                                     const ReceivedDatagram& datagram, ReceivedBy receiver) {
  const std::size_t member = config.shared_port->port->claim(initial_destination, names->self());
  if (member == names->self()) return true;
  if (receiver == ReceivedBy::us) {
    hand_over(member, datagram);
  } else {
    drop(DropReason::unknown_connection);  // It would go round in circles.
  }
  return false;
}

void Endpoint::Implementation::hand_over(std::size_t member, const ReceivedDatagram& datagram) {
  if (!config.shared_port->port->hand_over(member, datagram)) {
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
  config.shared_port->port->release(entry.initial_destination, names->self());
}

void Endpoint::on_handed_over(Instant now, ReceivedDatagram datagram) {
  ++impl_->stats.taken_over;
  impl_->on_datagram(now, datagram, Implementation::ReceivedBy::another);
}

}  // namespace qpeer::transport
