// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Where a flow is in its cycle of probes for bandwidth, and when the next one is due.
// draft-ietf-ccwg-bbr §2.14, §5.3.3.8.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

/// What ACKs tell of the latest probe.
enum class AckPhase : u8 { init, refilling, probe_starting, probe_feedback, probe_stopping };

struct ProbeCycle {
  explicit ProbeCycle(std::uint64_t seed) : random_state(seed) {}

  /// PickProbeWait(): returns the rounds that count as waited already, 0 or 1.
  std::uint64_t pick_wait() {
    const std::uint64_t random = next_random();
    wait = 2s + Duration{static_cast<Duration::rep>((random >> 1) % 1'000'000'000)};
    return random & 1;
  }
  /// RaiseInflightLongtermSlope().
  void raise_slope(std::uint64_t cwnd, std::uint64_t packet) {
    const std::uint64_t growth_this_round = std::uint64_t{1} << up_rounds;
    up_rounds = std::min(up_rounds + 1, kMaxProbeUpRounds);
    up_acked_per_increase = std::max(cwnd / growth_this_round, packet);
  }
  /// By how many packets what was acknowledged raises BBR.inflight_longterm.
  std::uint64_t increase(std::uint64_t newly_acked) {
    up_acked += newly_acked;
    const std::uint64_t packets = up_acked / up_acked_per_increase;
    up_acked -= packets * up_acked_per_increase;
    return packets;
  }

  AckPhase ack_phase = AckPhase::init;
  bool is_bw_probe_sample = false;        ///< ACKs are of what a probe sent.
  bool prev_probe_too_high = false;       ///< The latest probe lost too much.
  bool prev_probe_precautionary = false;  ///< It ended early to be careful.
  unsigned up_rounds = 0;
  std::uint64_t up_acked = 0;
  std::uint64_t up_acked_per_increase = kInfinity;
  Instant cycle_stamp{};  ///< When the cycle began.
  Duration wait{};        ///< From then until the next probe.

 private:
  /// splitmix64: flows must only differ, nobody need not guess it.
  std::uint64_t next_random() {
    std::uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  std::uint64_t random_state;
};

}  // namespace qpeer::transport::bbr
