// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/loss_based.hpp"

#include <algorithm>

namespace qpeer::transport {

std::uint64_t LossBasedController::initial_window(std::uint16_t max_datagram_size) {
  // RFC 9002 §7.2 [rfc9002-7.2-1].
  const std::uint64_t size = max_datagram_size;
  return std::min(10 * size, std::max<std::uint64_t>(14'720, 2 * size));
}

std::uint64_t LossBasedController::minimum_window(std::uint16_t max_datagram_size) {
  return 2 * std::uint64_t{max_datagram_size};  // RFC 9002 §7.2 [rfc9002-7.2-4]
}

LossBasedController::LossBasedController(std::uint16_t max_datagram_size)
    : max_datagram_size_(max_datagram_size), window_(initial_window(max_datagram_size)) {}

void LossBasedController::on_ack(const AckSample& sample) {
  // RFC 9002 §7.3.2: nothing grows until a packet sent after the reduction is acknowledged.
  if (sample.largest_acked_sent_at <= recovery_start_) return;
  in_recovery_ = false;
  // RFC 9002 §7.8 [rfc9002-7.8-1], RFC 9438 §4.6 [rfc9438-4.6-3], [rfc9438-4.6-4]: a window that was
  // not used proves nothing.
  if (sample.application_limited) return on_application_limited();
  if (sample.acked_bytes == 0) return;
  untouched_ = false;
  // RFC 9438 §4.10 [rfc9438-4.10-1].
  if (in_slow_start()) {
    grow_in_slow_start(sample);
  } else {
    window_ = std::min(grow(sample), kMaximumWindow);
  }
}

void LossBasedController::grow_in_slow_start(const AckSample& sample) {
  // RFC 9406 §4.3 [rfc9406-4.3-5]: later slow starts know from the threshold where to end.
  const bool first = slow_start_threshold_ == kNoThreshold;
  if (!first) {
    window_ = std::min(window_ + sample.acked_bytes, kMaximumWindow);
    return;
  }
  // RFC 9438 §4.10 [rfc9438-4.10-2].
  hystart_.on_ack(sample.now, sample.largest_acked_sent_at, sample.rtt_sample);
  window_ = std::min(window_ + hystart_.growth(sample.acked_bytes), kMaximumWindow);
  if (hystart_.done()) slow_start_threshold_ = window_;
}

void LossBasedController::on_loss(const LossSample& sample) {
  // RFC 9002 §7.3.1 [rfc9002-7.3.1-1].
  on_congestion_event(sample.now, sample.largest_lost_sent_at, Cause::loss);
  if (sample.persistent_congestion) {
    // RFC 9002 §7.6.2 [rfc9002-7.6.2-5]. §B.8 also ends the recovery period, but then the very ACK
    // that tells of the losses would open the window again; slow start waits for new packets.
    window_ = 2 * max_datagram_size_;
    recovery_start_ = sample.now;
    restart();
  }
}

void LossBasedController::on_ecn_ce(Instant now, Instant largest_acked_sent_at) {
  // RFC 8511 §4: the smaller reduction is for congestion avoidance alone.
  on_congestion_event(now, largest_acked_sent_at, in_slow_start() ? Cause::loss : Cause::ecn);
  before_.reset();  // Marks are never spurious, so there is nothing to undo.
}

void LossBasedController::on_congestion_event(Instant now, Instant sent_at, Cause cause) {
  if (sent_at <= recovery_start_) return;
  before_ = {.window = window_,
             .slow_start_threshold = slow_start_threshold_,
             .recovery_start = recovery_start_};
  untouched_ = false;
  in_recovery_ = true;
  recovery_start_ = now;
  // RFC 9002 §7.3.2 [rfc9002-7.3.2-1], [rfc9002-7.3.2-2], RFC 9438 §4.6 [rfc9438-4.6-1]: at once, not
  // gradually.
  slow_start_threshold_ = std::max(reduce(cause), 2 * max_datagram_size_);
  window_ = slow_start_threshold_;
}

void LossBasedController::on_spurious_loss(const SpuriousLoss& /*spurious*/) {
  if (!before_) return;
  const Before before = *before_;
  before_.reset();
  // RFC 9438 §4.9.2 [rfc9438-4.9.2-3], [rfc9438-4.9.2-4].
  if (window_ >= before.window) return;
  window_ = before.window;
  slow_start_threshold_ = before.slow_start_threshold;
  recovery_start_ = before.recovery_start;
  in_recovery_ = false;
  undo();
}

void LossBasedController::on_mtu_changed(std::uint16_t max_datagram_size) {
  max_datagram_size_ = max_datagram_size;
  // RFC 9002 §7.2 [rfc9002-7.2-2], [rfc9002-7.2-3]: once the path has answered, the window is what
  // the path showed it to be.
  if (untouched_) window_ = initial_window(max_datagram_size);
  window_ = std::max(window_, minimum_window(max_datagram_size));
}

std::optional<std::uint64_t> LossBasedController::slow_start_threshold() const {
  if (slow_start_threshold_ == kNoThreshold) return std::nullopt;
  return slow_start_threshold_;
}

std::string_view LossBasedController::state() const {
  if (in_recovery_) return "recovery";
  return in_slow_start() ? "slow_start" : "congestion_avoidance";
}

}  // namespace qpeer::transport
