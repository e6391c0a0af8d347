// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NewReno as RFC 9002 describes it. RFC 9002 §7, Appendix B.
//
//   slow start --loss or CE--> recovery --ACK of what was sent in it--> congestion avoidance
//       ^                          ^------------loss or CE----------------------'
//       '---------- persistent congestion, from anywhere
#pragma once

#include <limits>

#include "qpeer/transport/recovery/congestion.hpp"

namespace qpeer::transport {

class NewReno final : public CongestionController {
 public:
  explicit NewReno(std::uint16_t max_datagram_size);

  void on_ack(const AckSample& sample) override;
  void on_loss(const LossSample& sample) override;
  void on_ecn_ce(Instant now, Instant largest_acked_sent_at) override;
  void on_spurious_loss(const SpuriousLoss& spurious) override;
  void on_mtu_changed(std::uint16_t max_datagram_size) override;
  [[nodiscard]] std::uint64_t window() const override { return window_; }
  [[nodiscard]] std::optional<std::uint64_t> slow_start_threshold() const override;
  [[nodiscard]] std::string_view state() const override;

  [[nodiscard]] bool in_slow_start() const { return window_ < slow_start_threshold_; }

  /// RFC 9002 §7.2.
  static std::uint64_t initial_window(std::uint16_t max_datagram_size);
  static std::uint64_t minimum_window(std::uint16_t max_datagram_size);

 private:
  static constexpr std::uint64_t kNoThreshold = std::numeric_limits<std::uint64_t>::max();
  /// What a congestion event changed, for the case that its losses were spurious.
  struct Before {
    std::uint64_t window;
    std::uint64_t slow_start_threshold;
    Instant recovery_start;
  };

  void on_congestion_event(Instant now, Instant sent_at);

  std::uint64_t max_datagram_size_;
  std::uint64_t window_;
  std::uint64_t slow_start_threshold_ = kNoThreshold;
  std::uint64_t acked_in_avoidance_ = 0;  ///< Bytes towards the next growth by one datagram.
  Instant recovery_start_ = Instant::min();
  bool in_recovery_ = false;      ///< Nothing that was sent since then is acknowledged.
  std::optional<Before> before_;  ///< Set from a congestion event on, until it cannot be undone.
  bool untouched_ = true;         ///< The window is still the initial one.
};

}  // namespace qpeer::transport
