// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The constants of BBRv3. Volumes are bytes of UDP payload, bandwidths bytes a second.
// draft-ietf-ccwg-bbr §2.5, §2.6, §2.8.
#pragma once

#include <cstdint>
#include <limits>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport::bbr {

/// A bound that bounds nothing.
inline constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();

inline constexpr double kStartupPacingGain = 2.77;
inline constexpr double kDrainPacingGain = 0.5;
inline constexpr double kDownPacingGain = 0.90;
inline constexpr double kUpPacingGain = 1.25;
inline constexpr double kPacingMargin = 0.99;

inline constexpr double kDefaultCwndGain = 2.0;
inline constexpr double kUpCwndGain = 2.25;
inline constexpr double kProbeRttCwndGain = 0.5;

inline constexpr double kLossThresh = 0.02;
inline constexpr double kBeta = 0.7;
inline constexpr double kHeadroom = 0.15;
inline constexpr std::uint64_t kMinPipePackets = 4;
inline constexpr unsigned kStartupFullLossCount = 6;
inline constexpr std::uint64_t kDrainRounds = 3;
inline constexpr double kFullBwGrowth = 1.25;
inline constexpr unsigned kFullBwRounds = 3;

inline constexpr Duration kMinRttFilterLength = 10s;
inline constexpr Duration kProbeRttInterval = 5s;
inline constexpr Duration kProbeRttDuration = 200ms;
inline constexpr std::uint64_t kExtraAckedRounds = 10;
inline constexpr std::uint64_t kMaxRenoRounds = 63;
inline constexpr unsigned kMaxProbeUpRounds = 30;

/// gain * volume, which may be kInfinity.
constexpr std::uint64_t scaled(double gain, std::uint64_t volume) {
  const double product = gain * static_cast<double>(volume);
  return product < 0x1p63 ? static_cast<std::uint64_t>(product) : kInfinity;
}

/// What a bandwidth delivers in that time.
constexpr std::uint64_t volume_of(std::uint64_t bandwidth, Duration time) {
  return scaled(static_cast<double>(time.count()) / 1e9, bandwidth);
}

}  // namespace qpeer::transport::bbr
