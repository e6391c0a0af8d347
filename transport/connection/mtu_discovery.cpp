// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/mtu_discovery.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::transport {

MtuDiscovery::MtuDiscovery(std::uint16_t start, std::uint16_t limit, Duration raise_interval)
    : size_(start),
      limit_(std::max(start, limit)),
      ceiling_(limit_),
      candidate_(limit_),  // Most paths carry what their ends can send.
      raise_interval_(raise_interval) {}

void MtuDiscovery::set_limit(std::uint16_t limit) {
  limit_ = std::min(limit_, std::max(limit, kBase));
  size_ = std::min(size_, limit_);
  ceiling_ = std::min(ceiling_, limit_);
  candidate_ = std::min(candidate_, limit_);
}

std::optional<std::uint16_t> MtuDiscovery::due(Instant now) const {
  if (!wanted_ || in_flight_ || now < search_at_ || candidate_ <= size_) return std::nullopt;
  return candidate_;
}

std::uint64_t MtuDiscovery::on_probe_sent(Instant /*now*/) {
  in_flight_ = true;
  wanted_ = false;
  return ++probe_;
}

bool MtuDiscovery::on_probe_acknowledged(Instant now, std::uint64_t probe, std::uint16_t size) {
  if (probe == probe_) in_flight_ = false;
  if (size <= size_ || size > limit_) return false;
  size_ = size;
  finish_step(now);
  return true;
}

void MtuDiscovery::on_probe_lost(Instant now, std::uint64_t probe) {
  if (probe != probe_ || !in_flight_) return;  // Told twice.
  in_flight_ = false;
  // RFC 8899 §3 [rfc8899-3-7]: one may be lost for any reason.
  if (++lost_ >= kMaxProbes) reject_candidate(now);
}

void MtuDiscovery::on_probe_refused(Instant now) {
  if (!std::exchange(in_flight_, false)) return;
  reject_candidate(now);
}

bool MtuDiscovery::on_black_hole(Instant now) {
  if (size_ == kBase) return false;
  // What failed is the least that is known to be too large, until the next search.
  ceiling_ = static_cast<std::uint16_t>(size_ - 1);
  size_ = kBase;
  search_at_ = now;
  finish_step(now);
  return true;
}

void MtuDiscovery::reject_candidate(Instant now) {
  ceiling_ = static_cast<std::uint16_t>(candidate_ - 1);
  finish_step(now);
}

/// Halves what is unknown; when too little is left, rests, and then begins with all of it again.
void MtuDiscovery::finish_step(Instant now) {
  lost_ = 0;
  if (ceiling_ >= size_ + kLeastStep) {
    candidate_ = static_cast<std::uint16_t>(size_ + (ceiling_ - size_ + 1) / 2);
    return;
  }
  ceiling_ = candidate_ = limit_;
  search_at_ = now + raise_interval_;
}

}  // namespace qpeer::transport
