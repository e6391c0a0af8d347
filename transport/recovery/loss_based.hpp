// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What NewReno and CUBIC have in common: a window that grows until packets are lost or marked.
// RFC 9002 §7, Appendix B.
//
//   slow start --loss or CE--> recovery --ACK of what was sent in it--> congestion avoidance
//       ^    \                     ^------------loss or CE----------------------'    ^
//       |     '-- HyStart++: the round trips grow -----------------------------------'
//       '---------- persistent congestion, from anywhere
//
// A controller of this kind adds how the window grows in congestion avoidance, and by how much a
// congestion event reduces it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/recovery/hystart.hpp"

namespace qpeer::transport {

class LossBasedController : public CongestionController {
 public:
  void on_ack(const AckSample& sample) final;
  void on_loss(const LossSample& sample) final;
  void on_ecn_ce(Instant now, Instant largest_acked_sent_at) final;
  void on_spurious_loss(const SpuriousLoss& spurious) final;
  void on_mtu_changed(std::uint16_t max_datagram_size) final;
  [[nodiscard]] std::uint64_t window() const final { return window_; }
  [[nodiscard]] std::optional<std::uint64_t> slow_start_threshold() const final;
  [[nodiscard]] std::string_view state() const final;

  [[nodiscard]] bool in_slow_start() const { return window_ < slow_start_threshold_; }

  /// RFC 9002 §7.2.
  static std::uint64_t initial_window(std::uint16_t max_datagram_size);
  static std::uint64_t minimum_window(std::uint16_t max_datagram_size);
  /// More than any path holds, and far from what overflows in the sums of controllers.
  static constexpr std::uint64_t kMaximumWindow = std::uint64_t{1} << 40;

 protected:
  enum class Cause : u8 {
    loss,
    ecn,  ///< In congestion avoidance. RFC 8511 §3.1.
  };

  explicit LossBasedController(std::uint16_t max_datagram_size);

  [[nodiscard]] std::uint64_t max_datagram_size() const { return max_datagram_size_; }

 private:
  static constexpr std::uint64_t kNoThreshold = std::numeric_limits<std::uint64_t>::max();
  /// What a congestion event changed, for the case that its losses were spurious.
  struct Before {
    std::uint64_t window;
    std::uint64_t slow_start_threshold;
    Instant recovery_start;
  };

  /// The window after this ACK in congestion avoidance. It is not application-limited.
  [[nodiscard]] virtual std::uint64_t grow(const AckSample& sample) = 0;
  /// The slow start threshold after a congestion event. What it changes besides is kept for undo().
  [[nodiscard]] virtual std::uint64_t reduce(Cause cause) = 0;
  /// Persistent congestion: the window, the minimum now, grows as if nothing were known of the path.
  virtual void restart() {}
  /// The losses of the latest congestion event were spurious, and the window is what it was.
  virtual void undo() = 0;
  /// The window is not used, so time that passes says nothing of the path.
  virtual void on_application_limited() {}

  void grow_in_slow_start(const AckSample& sample);
  void on_congestion_event(Instant now, Instant sent_at, Cause cause);

  std::uint64_t max_datagram_size_;
  std::uint64_t window_;
  std::uint64_t slow_start_threshold_ = kNoThreshold;
  HyStart hystart_;
  Instant recovery_start_ = Instant::min();
  bool in_recovery_ = false;      ///< Nothing that was sent since then is acknowledged.
  bool untouched_ = true;         ///< The window is still the initial one.
  std::optional<Before> before_;  ///< Set from a congestion event on, until it cannot be undone.
};

}  // namespace qpeer::transport
