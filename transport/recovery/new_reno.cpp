// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/new_reno.hpp"

#include <algorithm>

namespace qpeer::transport {

std::uint64_t NewReno::initial_window(std::uint16_t max_datagram_size) {
  // RFC 9002 §7.2 [rfc9002-7.2-1].
  const std::uint64_t size = max_datagram_size;
  return std::min(10 * size, std::max<std::uint64_t>(14'720, 2 * size));
}

std::uint64_t NewReno::minimum_window(std::uint16_t max_datagram_size) {
  return 2 * std::uint64_t{max_datagram_size};  // RFC 9002 §7.2 [rfc9002-7.2-4]
}

NewReno::NewReno(std::uint16_t max_datagram_size)
    : max_datagram_size_(max_datagram_size), window_(initial_window(max_datagram_size)) {}

void NewReno::on_ack(const AckSample& sample) {
  if (sample.largest_acked_sent_at > recovery_start_) in_recovery_ = false;
  // RFC 9002 §7.8 [rfc9002-7.8-1]: a window that was not used proves nothing.
  if (sample.application_limited) return;
  // RFC 9002 §7.3.2: nothing grows until a packet sent after the reduction is acknowledged.
  if (sample.largest_acked_sent_at <= recovery_start_) return;
  if (sample.acked_bytes == 0) return;
  untouched_ = false;
  if (in_slow_start()) {
    window_ += sample.acked_bytes;
    return;
  }
  // RFC 9002 §7.3.3 [rfc9002-7.3.3-1]: one datagram for each window acknowledged.
  acked_in_avoidance_ += sample.acked_bytes;
  while (acked_in_avoidance_ >= window_) {
    acked_in_avoidance_ -= window_;
    window_ += max_datagram_size_;
  }
}

void NewReno::on_loss(const LossSample& sample) {
  // RFC 9002 §7.3.1 [rfc9002-7.3.1-1].
  on_congestion_event(sample.now, sample.largest_lost_sent_at);
  if (sample.persistent_congestion) {
    // RFC 9002 §7.6.2 [rfc9002-7.6.2-5]. §B.8 also ends the recovery period, but then the very ACK
    // that tells of the losses would open the window again; slow start waits for new packets.
    window_ = 2 * max_datagram_size_;
    acked_in_avoidance_ = 0;
    recovery_start_ = sample.now;
  }
}

void NewReno::on_ecn_ce(Instant now, Instant largest_acked_sent_at) {
  on_congestion_event(now, largest_acked_sent_at);
  before_.reset();  // Marks are never spurious, so there is nothing to undo.
}

void NewReno::on_spurious_loss(const SpuriousLoss& /*spurious*/) {
  if (!before_) return;
  window_ = std::max(window_, before_->window);
  slow_start_threshold_ = std::max(slow_start_threshold_, before_->slow_start_threshold);
  recovery_start_ = before_->recovery_start;
  in_recovery_ = false;
  acked_in_avoidance_ = 0;
  before_.reset();
}

std::optional<std::uint64_t> NewReno::slow_start_threshold() const {
  if (slow_start_threshold_ == kNoThreshold) return std::nullopt;
  return slow_start_threshold_;
}

std::string_view NewReno::state() const {
  if (in_recovery_) return "recovery";
  return in_slow_start() ? "slow_start" : "congestion_avoidance";
}

void NewReno::on_congestion_event(Instant now, Instant sent_at) {
  if (sent_at <= recovery_start_) return;
  before_ = {.window = window_,
             .slow_start_threshold = slow_start_threshold_,
             .recovery_start = recovery_start_};
  untouched_ = false;
  in_recovery_ = true;
  recovery_start_ = now;
  // RFC 9002 §7.3.2 [rfc9002-7.3.2-1], [rfc9002-7.3.2-2]: at once, not gradually.
  slow_start_threshold_ = window_ / 2;
  window_ = std::max(slow_start_threshold_, 2 * max_datagram_size_);
  acked_in_avoidance_ = 0;
}

void NewReno::on_mtu_changed(std::uint16_t max_datagram_size) {
  max_datagram_size_ = max_datagram_size;
  // RFC 9002 §7.2 [rfc9002-7.2-2], [rfc9002-7.2-3]: once the path has answered, the window is what
  // the path showed it to be.
  if (untouched_) window_ = initial_window(max_datagram_size);
  window_ = std::max(window_, minimum_window(max_datagram_size));
}

}  // namespace qpeer::transport
