// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whom we turned away: all are counted, few are reported, so that a flood of dials is none of events.
//
// Invariant: in a window of kWindow at most kMaxTold are reported, and of one network (a /24 or /48) at
// most kMaxOfNetwork.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/base/counts.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// What a TLS alert says about the certificate or the protocol of the one that it was sent to; as a
/// code of a transport error. Of a certificate that was refused for its name only we know that:
/// `names_allowed` says whether some ids alone are allowed. RFC 9001 §4.8.
[[nodiscard]] Refusal refusal_of_alert(std::uint64_t code, bool names_allowed);

class RefusalLog {
 public:
  static constexpr Duration kWindow = 10s;
  static constexpr std::size_t kMaxTold = 20;
  static constexpr std::size_t kMaxOfNetwork = 3;

  /// Counts it, and gives it back when it is to be reported.
  [[nodiscard]] std::optional<DialRefused> on_refused(Instant now, DialRefused refused);
  [[nodiscard]] const std::array<std::uint64_t, kRefusals>& counts() const { return counts_; }
  [[nodiscard]] bool consistent() const;

 private:
  std::array<std::uint64_t, kRefusals> counts_{};
  std::uint64_t unreported_ = 0;
  Instant window_ends_ = Instant::min();
  Counts<SocketAddress> told_;  ///< In this window, by network.
};

}  // namespace qpeer::p2p
