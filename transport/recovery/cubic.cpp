// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/cubic.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace qpeer::transport {
namespace {

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

void CubicCurve::on_congestion_event(double window, double beta) {
  // RFC 9438 §4.7 [rfc9438-4.7-1]: a window that did not get back to where it was leaves room for
  // others, in that its plateau is lower.
  w_max_ = window < w_max_ ? window * (1 + beta) / 2 : window;
  prior_ = window;
  in_epoch_ = false;
}

void CubicCurve::restart() {
  w_max_ = 0;
  in_epoch_ = false;
}

void CubicCurve::begin_epoch(double window, double segment) {
  in_epoch_ = true;
  elapsed_ = 0;
  counted_until_.reset();
  w_est_ = window;  // RFC 9438 §4.3, §4.8 [rfc9438-4.8-1].
  if (prior_ == 0) prior_ = window;
  // RFC 9438 §4.8, §4.10: where no loss showed the plateau, it is here.
  if (w_max_ <= window) w_max_ = window;
  k_ = std::cbrt((w_max_ - window) / segment / kC);
}

double CubicCurve::cubic_window(double t, double segment) const {
  const double from_plateau = t - k_;
  return kC * from_plateau * from_plateau * from_plateau * segment + w_max_;
}

double CubicCurve::estimate(double acked, double window, double segment) {
  // RFC 9438 §4.3 [rfc9438-4.3-2].
  constexpr double kAlpha = 3 * (1 - kBeta) / (1 + kBeta);
  const double alpha = w_est_ < prior_ ? kAlpha : 1;
  w_est_ += alpha * segment * acked / window;
  return w_est_;
}

double CubicCurve::on_ack(Instant now, double acked, double window, Duration smoothed_rtt,
                          double segment) {
  if (!in_epoch_) begin_epoch(window, segment);
  // RFC 9438 §4.2 [rfc9438-4.2-1], §5.8.
  if (counted_until_) elapsed_ += seconds(now - *counted_until_);
  counted_until_ = now;
  const double as_reno = estimate(acked, window, segment);
  // RFC 9438 §4.3 [rfc9438-4.3-1].
  if (cubic_window(elapsed_, segment) < as_reno) return std::max(window, as_reno);
  // RFC 9438 §4.4 [rfc9438-4.4-1], §4.5 [rfc9438-4.5-1]: the window reaches the target in a round
  // trip, but grows by no more than half.
  const double target =
      std::clamp(cubic_window(elapsed_ + seconds(smoothed_rtt), segment), window, 1.5 * window);
  return window + (target - window) * std::min(acked / window, 1.0);
}

std::uint64_t Cubic::grow(const AckSample& sample) {
  const double now_window = static_cast<double>(window()) + fraction_;
  const double next =
      std::min(curve_.on_ack(sample.now, static_cast<double>(sample.acked_bytes), now_window,
                             sample.smoothed_rtt, static_cast<double>(max_datagram_size())),
               static_cast<double>(kMaximumWindow));
  fraction_ = next - std::floor(next);
  return static_cast<std::uint64_t>(next);
}

std::uint64_t Cubic::reduce(Cause cause) {
  const std::uint64_t percent = cause == Cause::ecn ? kBetaEcnPercent : kBetaPercent;
  before_ = curve_;
  fraction_ = 0;
  curve_.on_congestion_event(static_cast<double>(window()), static_cast<double>(percent) / 100);
  return window() * percent / 100;
}

void Cubic::undo() {
  curve_ = before_;
  curve_.pause();
}

}  // namespace qpeer::transport
