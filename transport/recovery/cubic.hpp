// SPDX-License-Identifier: MIT OR BSD-3-Clause
// CUBIC: after a congestion event the window grows along a cubic curve of time, whose plateau is the
// window of that event. RFC 9438.
//
//   W_cubic(t) = C * (t - K)^3 + W_max        t: seconds in congestion avoidance
//
//   window |          ___      W_max: the window at the event, less where windows shrink
//          |        .'   '.    K: when the curve is back at W_max
//          |   ___.'       |
//          |  /            '   Below W_est, what NewReno would have by now, the window is W_est.
//          '------K------------ t
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/recovery/loss_based.hpp"

namespace qpeer::transport {

/// The curves of one connection, in bytes and seconds: what CUBIC knows beside the window.
/// RFC 9438 §4.2 to §4.8.
class CubicCurve {
 public:
  static constexpr double kC = 0.4;  ///< RFC 9438 §5.1 [rfc9438-5.1-1], [rfc9438-5.1-2].
  /// What a loss leaves of the window. RFC 9438 §4.6 [rfc9438-4.6-2].
  static constexpr double kBeta = 0.7;

  /// The window was this when congestion was noticed, and becomes `beta` of it.
  void on_congestion_event(double window, double beta);
  /// The window fell to the minimum: no plateau is known. RFC 9438 §4.8.
  void restart();
  /// The window after an ACK in congestion avoidance that acknowledged so many bytes.
  [[nodiscard]] double on_ack(Instant now, double acked, double window, Duration smoothed_rtt,
                              double segment);
  /// The time until the next on_ack() does not count.
  void pause() { counted_until_.reset(); }

 private:
  void begin_epoch(double window, double segment);
  /// The curve at t, in bytes.
  [[nodiscard]] double cubic_window(double t, double segment) const;
  /// The window that a NewReno of the same average would have by now.
  [[nodiscard]] double estimate(double acked, double window, double segment);

  double w_max_ = 0;    ///< 0: unknown.
  double prior_ = 0;    ///< The window when the slow start threshold was set; 0: not yet.
  double k_ = 0;        ///< Seconds.
  double w_est_ = 0;    ///< The window that NewReno would have.
  double elapsed_ = 0;  ///< Seconds of congestion avoidance that count.
  bool in_epoch_ =
      false;  ///< The values above belong to a stage of congestion avoidance that runs.
  std::optional<Instant> counted_until_;
};

class Cubic final : public LossBasedController {
 public:
  static constexpr std::uint64_t kBetaPercent = 70;
  static constexpr std::uint64_t kBetaEcnPercent = 85;  ///< RFC 8511 §3.1.

  explicit Cubic(std::uint16_t max_datagram_size) : LossBasedController(max_datagram_size) {}

 private:
  [[nodiscard]] std::uint64_t grow(const AckSample& sample) override;
  [[nodiscard]] std::uint64_t reduce(Cause cause) override;
  void restart() override { curve_.restart(); }
  void undo() override;
  void on_application_limited() override { curve_.pause(); }

  CubicCurve curve_;
  CubicCurve before_;    ///< As it was at the latest congestion event. RFC 9438 §4.9.2.
  double fraction_ = 0;  ///< Of a byte, by which the window is larger than window() says.
};

}  // namespace qpeer::transport
