// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/pto.hpp"

#include <algorithm>

namespace qpeer::transport {

Pto::Timer Pto::next(const Conditions& conditions, const RttEstimator& rtt) const {
  // RFC 9002 §6.2.1 [rfc9002-6.2.1-5]: doubled on each expiry, in all spaces alike.
  const std::int64_t doublings = std::int64_t{1} << std::min(count_, kMaxDoublings);
  const auto backed_off = [doublings](Duration period) {
    return std::min(period * doublings, std::max<Duration>(period, kMaxPeriod));
  };
  Timer timer;
  // RFC 9002 §6.2.1 [rfc9002-6.2.1-2]: the earlier of Initial and Handshake.
  for (const auto space :
       {PacketNumberSpace::initial, PacketNumberSpace::handshake, PacketNumberSpace::application}) {
    const auto at = static_cast<std::size_t>(space);
    if (!conditions.outstanding[at]) continue;
    Duration period = rtt.pto(Duration::zero());
    if (space == PacketNumberSpace::application) {
      // RFC 9002 §6.2.1 [rfc9002-6.2.1-3].
      if (!conditions.handshake_confirmed) continue;
      period = rtt.pto(conditions.max_ack_delay);
    }
    const Instant expires = conditions.last_sent_at[at] + backed_off(period);
    if (expires < timer.at) timer = {.at = expires, .space = space};
  }
  // RFC 9002 §6.2.2.1 [rfc9002-6.2.2.1-2], [rfc9002-6.2.2.1-3]: until the server is known to have
  // validated our address, it may be waiting for bytes from us, whatever else is in flight.
  if (timer.at == kNever && !conditions.peer_validated_address) {
    timer.at = conditions.now + backed_off(rtt.pto(Duration::zero()));
    timer.space =
        conditions.has_handshake_keys ? PacketNumberSpace::handshake : PacketNumberSpace::initial;
    timer.anti_deadlock = true;
  }
  // The same for either side when all of its handshake was acknowledged or lost: what is lost may not
  // fit into a window full of packets that the peer cannot read yet, and those have no timer of their
  // own before the handshake is confirmed. RFC 9002 §6.2.1 says nothing of this case.
  const auto application = static_cast<std::size_t>(PacketNumberSpace::application);
  if (timer.at == kNever && conditions.outstanding[application] && conditions.has_handshake_keys &&
      !conditions.handshake_confirmed) {
    timer.at =
        *std::ranges::max_element(conditions.last_sent_at) + backed_off(rtt.pto(Duration::zero()));
    timer.space = PacketNumberSpace::handshake;
  }
  return timer;
}

}  // namespace qpeer::transport
