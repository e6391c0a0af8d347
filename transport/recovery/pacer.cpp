// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/pacer.hpp"

#include "qpeer/transport/base/datagram.hpp"

namespace qpeer::transport {
namespace {

constexpr double kNanoseconds = 1e9;
/// Far above any link, far below what overflows in the sums here.
constexpr double kMaxRate = 1e15;

}  // namespace

Pacer::Rate Pacer::rate_of(std::uint64_t bytes_per_second, std::uint16_t max_datagram_size,
                           std::uint64_t burst_packets) {
  const double rate = std::clamp(static_cast<double>(bytes_per_second), 1.0, kMaxRate);
  const auto in_time = [rate](Duration time) {
    return static_cast<std::uint64_t>(rate * static_cast<double>(time.count()) / kNanoseconds);
  };
  const std::uint64_t burst = std::max(burst_packets * max_datagram_size, in_time(kBurstTime));
  // No longer than what one system call sends.
  const std::uint64_t longest = std::min<std::uint64_t>(burst, kMaxTransmitSize);
  return {.bytes_per_second = static_cast<std::uint64_t>(rate),
          .burst = burst,
          .train = std::clamp<std::uint64_t>(in_time(kTrainTime), max_datagram_size,
                                             std::max<std::uint64_t>(longest, max_datagram_size))};
}

Pacer::Rate Pacer::rate_of(std::uint64_t window, Duration smoothed_rtt,
                           std::uint16_t max_datagram_size, std::uint64_t burst_packets) {
  const double rtt = std::max(1.0, static_cast<double>(smoothed_rtt.count()));
  const double rate = 1.25 * static_cast<double>(window) * kNanoseconds / rtt;
  return rate_of(static_cast<std::uint64_t>(std::min(rate, kMaxRate)), max_datagram_size,
                 burst_packets);
}

std::int64_t Pacer::budget(Instant now, const Rate& rate) const {
  const auto burst = static_cast<std::int64_t>(rate.burst);
  if (!started_) return burst;
  if (now <= updated_at_) return std::min(tokens_, burst);
  const double filled = static_cast<double>((now - updated_at_).count()) *
                        static_cast<double>(rate.bytes_per_second) / kNanoseconds;
  const double room = static_cast<double>(burst - tokens_);
  return filled >= room ? burst : tokens_ + static_cast<std::int64_t>(filled);
}

Instant Pacer::available_at(Instant now, const Rate& rate, std::uint64_t wanted) const {
  const std::int64_t missing =
      static_cast<std::int64_t>(std::min(wanted, rate.burst)) - budget(now, rate);
  if (missing <= 0) return now;
  const double wait =
      static_cast<double>(missing) * kNanoseconds / static_cast<double>(rate.bytes_per_second);
  // One nanosecond more, so that rounding never leaves it a byte short.
  return now + Duration{static_cast<Duration::rep>(wait) + 1};
}

void Pacer::refill(Instant now, const Rate& rate) {
  if (!must_refill(now)) return;
  tokens_ = budget(now, rate);
  updated_at_ = now;
  started_ = true;
  if (tokens_ >= static_cast<std::int64_t>(rate.train)) waiting_ = false;
}

}  // namespace qpeer::transport
