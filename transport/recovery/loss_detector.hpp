// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which outstanding packets an acknowledgement, or the time since, shows to be lost, and whether
// their loss is persistent congestion. RFC 9002 §6.1, §7.6, §A.10.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/recovery/lost_packets.hpp"
#include "qpeer/transport/recovery/path_state.hpp"
#include "qpeer/transport/recovery/rtt.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/recovery/sent_packets.hpp"

namespace qpeer::transport {

/// RFC 9002 §7.6.1 [rfc9002-7.6.1-1].
inline constexpr int kPersistentCongestionThreshold = 3;

/// How long all must be lost for the congestion to be persistent.
Duration persistent_congestion_duration(const RttEstimator& rtt, Duration max_ack_delay);

struct LossQuery {
  Instant now;
  PacketNumberSpace space = PacketNumberSpace::initial;
  PacketNumber largest_acknowledged = 0;
  Duration max_ack_delay{};
  /// When the newest packet acknowledged in any other space was sent.
  Instant acknowledged_elsewhere = Instant::min();
  const log::EventLog* log = nullptr;  ///< Is told of each lost packet; may be null.
};

struct LossFindings {
  std::uint64_t packets = 0;  ///< Of those in flight, over any path; PMTU probes apart.
  std::uint64_t bytes = 0;    ///< Likewise, but over the path in use.
  Instant largest_sent_at = Instant::min();
  std::uint64_t marked = 0;  ///< How many of the path in use carried an ECN mark.
  bool persistent_congestion = false;
  bool recovery_begins = false;  ///< One of them was sent since the latest recovery began. §7.3.2.
  Instant loss_time = kNever;    ///< When the next packet of the space would be lost.
};

/// Resolves what is lost and reports its frames; notes it in `lost`, where a late acknowledgement
/// finds it, and in what `path`, the one in use, knows of its losses.
LossFindings detect_lost(SentPackets& packets, LostPackets& lost, PathState& path,
                         const LossQuery& query, FateHandler& fates);

}  // namespace qpeer::transport
