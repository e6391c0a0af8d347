// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The clock of a gateway, which begins anew when the gateway loses its mappings. RFC 6886 §3.6, RFC 6887
// §8.5.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// Of one gateway and one protocol.
class GatewayEpoch {
 public:
  /// A message of NAT-PMP said `seconds`. False when mappings may be lost since the message before.
  [[nodiscard]] bool on_nat_pmp(Instant now, std::uint32_t seconds) {
    const std::optional<Reading> before = replace(now, seconds);
    if (!before) return true;
    // RFC 6886 §3.6 [rfc6886-3.6-2]: its clock may go slower than ours by an eighth, and round.
    const std::int64_t elapsed = seconds_between(before->at, now);
    return std::int64_t{seconds} + 2 >= std::int64_t{before->seconds} + elapsed * 7 / 8;
  }

  /// The same of PCP, which also takes a clock for wrong that went too fast.
  [[nodiscard]] bool on_pcp(Instant now, std::uint32_t seconds) {
    const std::optional<Reading> before = replace(now, seconds);
    if (!before) return true;
    // RFC 6887 §8.5: messages may overtake each other by a second.
    if (std::int64_t{seconds} + 1 < std::int64_t{before->seconds}) return false;
    const std::int64_t client = seconds_between(before->at, now);
    const std::int64_t server = std::int64_t{seconds} - std::int64_t{before->seconds};
    return client + 2 >= server - server / 16 && server + 2 >= client - client / 16;
  }

 private:
  struct Reading {
    Instant at;
    std::uint32_t seconds = 0;
  };

  std::optional<Reading> replace(Instant now, std::uint32_t seconds) {
    const std::optional<Reading> out = last_;
    last_ = Reading{.at = now, .seconds = seconds};
    return out;
  }
  static std::int64_t seconds_between(Instant from, Instant to) {
    return std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
  }

  std::optional<Reading> last_;
};

}  // namespace qpeer::p2p
