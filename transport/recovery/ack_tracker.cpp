// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/ack_tracker.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

AckTracker::AckTracker(Duration max_ack_delay) : max_ack_delay_(max_ack_delay) {}

void AckTracker::set_frequency(std::uint64_t threshold, Duration max_ack_delay,
                               std::uint64_t reordering_threshold) {
  ack_eliciting_threshold_ = threshold;
  max_ack_delay_ = max_ack_delay;
  reordering_threshold_ = reordering_threshold;
}

bool AckTracker::is_duplicate(PacketNumber number) const {
  if (count_ != 0 && number > ranges_[0].largest) return false;
  if (number < floor_) return true;
  if (count_ == 0) return false;
  // With no room left, one below all ranges could be neither kept nor acknowledged.
  if (count_ == kMaxRanges && number < ranges_[count_ - 1].smallest) return true;
  const auto above = [number](const wire::PacketNumberRange& range) {
    return range.smallest > number;
  };
  const auto end = ranges_.begin() + static_cast<std::ptrdiff_t>(count_);
  const auto at = std::partition_point(ranges_.begin(), end, above);
  return at != end && number <= at->largest;
}

std::optional<PacketNumber> AckTracker::largest_received() const {
  if (count_ == 0) return std::nullopt;
  return ranges_[0].largest;
}

std::size_t AckTracker::insert(PacketNumber number) {
  if (count_ == 0) return insert_between(0, number);
  if (number == ranges_[0].largest + 1) {  // In order: the usual case.
    ranges_[0].largest = number;
    return 0;
  }
  std::size_t at = 0;  // The first range that lies below the number.
  while (at < count_ && ranges_[at].smallest > number) ++at;
  const bool extends_upper = at > 0 && ranges_[at - 1].smallest == number + 1;
  const bool extends_lower = at < count_ && ranges_[at].largest + 1 == number;
  if (extends_upper && extends_lower) {
    ranges_[at - 1].smallest = ranges_[at].smallest;
    std::copy(ranges_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
              ranges_.begin() + static_cast<std::ptrdiff_t>(count_),
              ranges_.begin() + static_cast<std::ptrdiff_t>(at));
    --count_;
    if (reported_ > at) --reported_;
    return at - 1;
  }
  if (extends_upper) {
    ranges_[at - 1].smallest = number;
    return at - 1;
  }
  if (extends_lower) {
    ranges_[at].largest = number;
    return at;
  }
  return insert_between(at, number);
}

std::size_t AckTracker::insert_between(std::size_t at, PacketNumber number) {
  if (at == kMaxRanges) return kMaxRanges;  // is_duplicate() keeps callers from here.
  if (count_ == kMaxRanges) {
    // RFC 9000 §13.2.3 [rfc9000-13.2.3-4]: a range may go only because the floor rises with it, so
    // that nothing it held is taken for new again.
    --count_;
    floor_ = std::max(floor_, ranges_[count_].largest + 1);
  }
  std::copy_backward(ranges_.begin() + static_cast<std::ptrdiff_t>(at),
                     ranges_.begin() + static_cast<std::ptrdiff_t>(count_),
                     ranges_.begin() + static_cast<std::ptrdiff_t>(count_) + 1);
  ranges_[at] = {.smallest = number, .largest = number};
  ++count_;
  ++new_ranges_;
  if (reported_ > at) ++reported_;
  reported_ = std::min(reported_, count_);
  return at;
}

void AckTracker::count_mark(Ecn ecn) {
  // RFC 9000 §13.4.1 [rfc9000-13.4.1-1]: marks are counted whatever we send ourselves.
  switch (ecn) {
    case Ecn::not_ect:
      break;
    case Ecn::ect0:
      ++ecn_counts_.ect0;
      break;
    case Ecn::ect1:
      ++ecn_counts_.ect1;
      break;
    case Ecn::ce:
      ++ecn_counts_.ce;
      break;
  }
}

void AckTracker::on_packet_received(Instant now, PacketNumber number, bool ack_eliciting, Ecn ecn) {
  QPEER_ASSERT(!is_duplicate(number));
  const std::size_t at = insert(number);
  if (at == kMaxRanges) return;
  // RFC 9000 §13.2.3 [rfc9000-13.2.3-1]: what just arrived is always reported.
  reported_ = std::max(reported_, at + 1);
  if (number == ranges_[0].largest) largest_received_at_ = now;
  count_mark(ecn);
  if (!ack_eliciting) {
    ++not_eliciting_;
    return;
  }
  ++ack_eliciting_;
  if (ack_eliciting_ == 1) deadline_ = now + max_ack_delay_;
  // RFC 9000 §13.2.1 [rfc9000-13.2.1-2]: no delay in Initial and Handshake.
  if (max_ack_delay_ == Duration::zero()) immediate_ = true;
  // RFC 9000 §13.2.1 [rfc9000-13.2.1-9]: congestion is told at once.
  if (ecn == Ecn::ce && is_marked_anew(ecn)) immediate_ = true;
  marked_ = ecn == Ecn::ce;
  // RFC 9000 §13.2.1 [rfc9000-13.2.1-8]: so is reordering, seen from either side of the gap.
  if (is_out_of_order(number, at) || new_ranges_ >= kMaxUnreportedRanges) immediate_ = true;
  // [draft-ietf-quic-ack-frequency-5-1].
  if (std::exchange(next_at_once_, false)) immediate_ = true;
  if (!largest_ack_eliciting_ || number > *largest_ack_eliciting_) largest_ack_eliciting_ = number;
}

/// Of those who asked for fewer ACKs, the first mark of a row alone is told at once.
/// [draft-ietf-quic-ack-frequency-6.3-1].
bool AckTracker::is_marked_anew(Ecn ecn) const {
  return ecn == Ecn::ce && (!marked_ || ack_eliciting_threshold_ <= kAckElicitingThreshold);
}

bool AckTracker::is_out_of_order(PacketNumber number, std::size_t at) const {
  // [draft-ietf-quic-ack-frequency-6.2-1].
  if (reordering_threshold_ == 0 || !largest_ack_eliciting_) return false;
  if (reordering_threshold_ == kReorderingThreshold) {
    const bool late = number < *largest_ack_eliciting_;
    return late || ranges_[at].smallest > *largest_ack_eliciting_ + 1;
  }
  // [draft-ietf-quic-ack-frequency-6.2-2]: what the peer took for lost has come, ...
  const bool has_report = largest_reported_ && *largest_reported_ >= reordering_threshold_;
  const PacketNumber reported = has_report ? *largest_reported_ - reordering_threshold_ : 0;
  if (has_report && number <= reported) return true;
  // ... or it can take for lost now what is missing, and could not with the last ACK.
  const PacketNumber largest = std::max(number, *largest_ack_eliciting_);
  PacketNumber missing = largest;
  for (std::size_t i = 0; i + 1 < count_ && ranges_[i].smallest > reported + 1; ++i) {
    missing = std::max(ranges_[i + 1].largest, reported) + 1;
  }
  return largest - missing >= reordering_threshold_;
}

bool AckTracker::ack_due(Instant now) const {
  // RFC 9000 §13.2.1 [rfc9000-13.2.1-4]: packets that ask for no ACK never cause one.
  if (ack_eliciting_ == 0) return false;
  // RFC 9000 §13.2.2 [rfc9000-13.2.2-1].
  return immediate_ || ack_eliciting_ > ack_eliciting_threshold_ || now >= deadline_;
}

bool AckTracker::ack_pending() const {
  return ack_eliciting_ != 0 || not_eliciting_ >= kNotElicitingThreshold;
}

Instant AckTracker::deadline() const {
  const bool due = immediate_ || ack_eliciting_ > ack_eliciting_threshold_;
  return due ? kNever : deadline_;
}

std::span<const wire::PacketNumberRange> AckTracker::ranges() const {
  return std::span(ranges_).first(reported_);
}

const wire::EcnCounts& AckTracker::ecn_counts() const { return ecn_counts_; }

bool AckTracker::has_ecn_counts() const { return ecn_counts_ != wire::EcnCounts{}; }

Duration AckTracker::ack_delay(Instant now) const {
  if (count_ == 0) return {};
  return std::max(Duration::zero(), now - largest_received_at_);
}

void AckTracker::on_ack_sent(Instant /*now*/) {
  ack_eliciting_ = 0;
  not_eliciting_ = 0;
  new_ranges_ = 0;
  immediate_ = false;
  if (count_ != 0) largest_reported_ = ranges_[0].largest;
  deadline_ = kNever;
}

void AckTracker::on_ack_acknowledged(PacketNumber largest_in_that_ack) {
  // RFC 9000 §13.2.3 [rfc9000-13.2.3-2], [rfc9000-13.2.3-6]: the peer knows of these; only the
  // range of the largest is always repeated.
  while (reported_ > 1 && ranges_[reported_ - 1].largest <= largest_in_that_ack) --reported_;
}

bool AckTracker::consistent() const {
  if (count_ > kMaxRanges || reported_ > count_ || (count_ != 0 && reported_ == 0)) return false;
  for (std::size_t i = 0; i < count_; ++i) {
    if (ranges_[i].smallest > ranges_[i].largest || ranges_[i].smallest < floor_) return false;
    if (i != 0 && ranges_[i].largest + 1 >= ranges_[i - 1].smallest) return false;
  }
  const bool asked = ack_eliciting_ != 0;
  return asked == (deadline_ != kNever) && (asked || !immediate_) &&
         (!largest_ack_eliciting_ ||
          (count_ != 0 && *largest_ack_eliciting_ <= ranges_[0].largest));
}

}  // namespace qpeer::transport
