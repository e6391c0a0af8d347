// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/ecn_validator.hpp"

namespace qpeer::transport {

void EcnValidator::on_sent(PacketNumberSpace space, Ecn ecn) {
  if (ecn == Ecn::not_ect) return;
  Space& counted = spaces_[static_cast<std::size_t>(space)];
  if (ecn == Ecn::ect0) ++counted.sent_ect0;
  if (ecn == Ecn::ect1) ++counted.sent_ect1;
  ++marked_;
  if (state_ == State::testing && marked_ >= kTestingPackets) state_ = State::unknown;
}

bool EcnValidator::plausible(const Space& space, std::uint64_t newly_marked,
                             const wire::EcnCounts& counts) {
  const wire::EcnCounts& before = space.counts;
  if (counts.ect0 < before.ect0 || counts.ect1 < before.ect1 || counts.ce < before.ce) return false;
  // More marks than we ever set: something on the way rewrites them.
  if (counts.ect0 > space.sent_ect0 || counts.ect1 > space.sent_ect1) return false;
  // Fewer than we set: something clears them, or the peer does not count.
  return counts.ect0 - before.ect0 + (counts.ce - before.ce) >= newly_marked;
}

std::uint64_t EcnValidator::on_ack(PacketNumberSpace space, std::uint64_t newly_marked,
                                   const std::optional<wire::EcnCounts>& counts) {
  Space& counted = spaces_[static_cast<std::size_t>(space)];
  if (state_ == State::failed) {
    if (counts) counted.counts = *counts;  // For the path that comes after this one.
    return 0;
  }
  // RFC 9000 §13.4.2.2 [rfc9000-13.4.2.2-1], [rfc9000-13.4.2.2-4]: no marks from here on.
  if (!counts) {
    if (newly_marked != 0) state_ = State::failed;
    return 0;
  }
  if (!plausible(counted, newly_marked, *counts)) {
    state_ = State::failed;
    return 0;
  }
  const std::uint64_t congestion =
      counts->ce > counted.counts.ce ? counts->ce - counted.counts.ce : 0;
  counted.counts = *counts;
  if (newly_marked != 0) state_ = State::capable;
  return congestion;
}

void EcnValidator::on_lost(std::uint64_t marked) {
  marked_lost_ += marked;
  // Not one of the marked got through, so it may be the marks that are dropped.
  if (state_ == State::unknown && marked_lost_ >= marked_) state_ = State::failed;
}

}  // namespace qpeer::transport
