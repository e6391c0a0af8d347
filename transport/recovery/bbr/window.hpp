// SPDX-License-Identifier: MIT OR BSD-3-Clause
// C.cwnd: how it grows, what is remembered of it, and whether it was used.
// draft-ietf-ccwg-bbr §5.6.4.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

class Window {
 public:
  explicit Window(std::uint64_t packet) { on_packet_size(packet); }

  /// The size of full datagrams is another now.
  void on_packet_size(std::uint64_t packet) {
    packet_ = packet;
    // RFC 9002 §7.2 [rfc9002-7.2-1], [rfc9002-7.2-2].
    initial_ = std::min(10 * packet, std::max<std::uint64_t>(14'720, 2 * packet));
    if (untouched_) cwnd_ = initial_;
    cwnd_ = std::max(cwnd_, minimum());
  }

  [[nodiscard]] std::uint64_t cwnd() const { return cwnd_; }
  /// C.InitialCwnd.
  [[nodiscard]] std::uint64_t initial() const { return initial_; }
  /// BBR.MinPipeCwnd. §5.6.4.3.
  [[nodiscard]] std::uint64_t minimum() const { return kMinPipePackets * packet_; }

  /// SetCwnd(): what an ACK adds. `delivered` is C.delivered.
  void on_ack(std::uint64_t newly_acked, std::uint64_t max_inflight, bool full_bw_reached,
              std::uint64_t delivered) {
    untouched_ = false;
    if (full_bw_reached) {
      cwnd_ = std::min(cwnd_ + newly_acked, max_inflight);
    } else if (cwnd_ < max_inflight || delivered < initial_) {
      cwnd_ += newly_acked;
    }
    cwnd_ = std::max(cwnd_, minimum());
  }
  /// BoundCwndForProbeRTT(), BoundCwndForModel().
  void limit(std::uint64_t cap) { cwnd_ = std::min(cwnd_, std::max(cap, minimum())); }

  /// SaveCwnd(): `reduced` in loss recovery and in ProbeRTT.
  void save(bool reduced) { prior_cwnd_ = reduced ? std::max(prior_cwnd_, cwnd_) : cwnd_; }
  /// RestoreCwnd().
  void restore() { cwnd_ = std::max(cwnd_, prior_cwnd_); }

  /// C.is_cwnd_limited: whether the window was full within the latest round trip.
  void on_sent(std::uint64_t bytes_in_flight) {
    if (bytes_in_flight + packet_ > cwnd_) limited_in_round_ = true;
  }
  void on_round_start() {
    limited_before_ = limited_in_round_;
    limited_in_round_ = false;
  }
  [[nodiscard]] bool is_limited() const { return limited_in_round_ || limited_before_; }

 private:
  std::uint64_t packet_ = 0;
  std::uint64_t initial_ = 0;
  std::uint64_t cwnd_ = 0;
  std::uint64_t prior_cwnd_ = 0;
  bool untouched_ = true;  ///< Still the initial window.
  bool limited_in_round_ = false;
  bool limited_before_ = false;
};

}  // namespace qpeer::transport::bbr
