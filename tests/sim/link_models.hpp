// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a path does to datagrams besides queueing them: each is a stage of a link.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/link.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {

/// Drops what comes faster than a rate, without a queue: a bucket of so many bytes that fills at the rate.
class Policer final : public LinkStage {
 public:
  Policer(Rate rate, std::size_t bucket)
      : rate_(rate), bucket_(static_cast<double>(bucket)), tokens_(bucket_) {}
  Instant pass(Instant at, Passing& datagram) override {
    const auto seconds = std::chrono::duration<double>(at - filled_at_).count();
    tokens_ = std::min(bucket_, tokens_ + seconds * static_cast<double>(rate_.bytes_per_second));
    filled_at_ = at;
    const auto size = static_cast<double>(datagram.payload.size());
    if (size > tokens_) return kNever;
    tokens_ -= size;
    return at;
  }

 private:
  Rate rate_;
  double bucket_;
  double tokens_;
  Instant filled_at_{};
};

/// Loses datagrams in bursts: in the good state nothing, in the bad state everything (Gilbert-Elliott).
/// The state may change with each datagram, and with each `slot` that passes without one: a fade ends whether
/// or not anything is sent. With a slot of 0 only datagrams count, so that one who sends seldom meets fades
/// that last long.
class BurstLoss final : public LinkStage {
 public:
  /// `share` of all is lost, in bursts of `mean_burst` (1 or more) datagrams or slots on average.
  BurstLoss(double share, double mean_burst, Duration slot, SeededRandom random)
      : to_bad_(share / (1 - share) / mean_burst),
        to_good_(1 / mean_burst),
        slot_(slot),
        random_(random) {}
  Instant pass(Instant at, Passing&) override {
    // What was long ago has no influence any more.
    constexpr std::int64_t kMostSteps = 200;
    std::int64_t steps = 1;
    if (slot_ > Duration{}) steps = std::clamp<std::int64_t>((at - last_) / slot_, 1, kMostSteps);
    for (; steps > 0; --steps) bad_ = bad_ ? !random_.chance(to_good_) : random_.chance(to_bad_);
    last_ = at;
    return bad_ ? kNever : at;
  }

 private:
  double to_bad_;
  double to_good_;
  Duration slot_;
  SeededRandom random_;
  Instant last_{};
  bool bad_ = false;
};

/// Lets nothing pass from one time up to another.
class Outages final : public LinkStage {
 public:
  struct Outage {
    Instant from;
    Instant to;
  };
  explicit Outages(std::vector<Outage> outages) : outages_(std::move(outages)) {}
  Instant pass(Instant at, Passing&) override {
    const bool out = std::ranges::any_of(
        outages_, [at](const Outage& each) { return at >= each.from && at < each.to; });
    return out ? kNever : at;
  }

 private:
  std::vector<Outage> outages_;
};

/// From some time on lets no datagram pass that is larger than `mtu`, in bytes of UDP payload.
class MtuLimit final : public LinkStage {
 public:
  MtuLimit(Instant from, std::size_t mtu) : from_(from), mtu_(mtu) {}
  Instant pass(Instant at, Passing& datagram) override {
    return at >= from_ && datagram.payload.size() > mtu_ ? kNever : at;
  }

 private:
  Instant from_;
  std::size_t mtu_;
};

/// The same delay for all: between two bottlenecks, say.
class Delay final : public LinkStage {
 public:
  explicit Delay(Duration delay) : delay_(delay) {}
  Instant pass(Instant at, Passing&) override { return at + delay_; }

 private:
  Duration delay_;
};

}  // namespace qpeer::sim
