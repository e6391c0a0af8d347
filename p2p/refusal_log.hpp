// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which peers we turned away: all are counted, and few are reported, so that a flood of dials makes no flood
// of events.
//
// Invariant: in a window of kWindow at most kMaxReported are reported, and of one network (a /24 or /48) at
// most kMaxOfNetwork.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/base/counts.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// The Refusal that a TLS alert, as the code of a transport error, stands for: what it says about the
/// certificate or the protocol of the side that received it. The alert does not say whether a certificate
/// was refused for its id: `names_allowed` says whether Trust::allowed restricts the ids. RFC 9001 §4.8.
[[nodiscard]] Refusal refusal_of_alert(std::uint64_t code, bool names_allowed);

class RefusalLog {
 public:
  static constexpr Duration kWindow = 10s;
  static constexpr std::size_t kMaxReported = 20;
  static constexpr std::size_t kMaxOfNetwork = 3;

  /// Counts it, and gives it back when it is to be reported.
  [[nodiscard]] std::optional<DialRefused> on_refused(Instant now, DialRefused refused);
  [[nodiscard]] const std::array<std::uint64_t, kRefusals>& counts() const { return counts_; }
  [[nodiscard]] bool consistent() const;

 private:
  std::array<std::uint64_t, kRefusals> counts_{};
  std::uint64_t unreported_ = 0;
  Instant window_ends_ = Instant::min();
  Counts<SocketAddress> reported_;  ///< In this window, by network.
};

}  // namespace qpeer::p2p
