// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What loss recovery knows of one network path: congestion, round trip, pace, ECN, size of
// datagrams. Packet numbers, and the packets on their way, are of the connection.
// RFC 9000 §9.4; RFC 9002 §A.3, §B.3.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/recovery/black_hole.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/recovery/delivery_rate.hpp"
#include "qpeer/transport/recovery/ecn_validator.hpp"
#include "qpeer/transport/recovery/loss_event.hpp"
#include "qpeer/transport/recovery/pacer.hpp"
#include "qpeer/transport/recovery/reordering.hpp"
#include "qpeer/transport/recovery/rtt.hpp"
#include "qpeer/transport/recovery/window_use.hpp"

namespace qpeer::transport {

struct RecoveryConfig {
  Duration initial_rtt = 333ms;
  std::uint16_t max_datagram_size = 1200;
  bool ecn = true;  ///< Mark with ECT(0) and validate, RFC 9000 §13.4.2.
  bool pacing = true;
};

struct PathState {
  /// Of packets that left over a path without such a state: probing packets. RFC 9000 §9.1.
  static constexpr std::uint16_t kNoTag = 0;

  PathState(const RecoveryConfig& config, std::unique_ptr<CongestionController> congestion)
      : controller(std::move(congestion)),
        rate(controller->wants_rate_samples() ? std::make_unique<DeliveryRate>() : nullptr),
        rtt(config.initial_rtt),
        ecn(config.ecn),
        max_datagram_size(config.max_datagram_size) {
    black_hole.set_full_size(max_datagram_size);
  }

  /// For assertions.
  [[nodiscard]] bool consistent() const {
    return controller != nullptr && tag != kNoTag && max_datagram_size != 0 && rtt.consistent() &&
           ecn.consistent() && reordering.consistent() && (rate == nullptr || rate->consistent());
  }

  std::unique_ptr<CongestionController> controller;
  std::unique_ptr<DeliveryRate> rate;  ///< Null unless the controller wants samples.
  RttEstimator rtt;
  Pacer pacer;
  EcnValidator ecn;
  Reordering reordering;
  LossEvent loss_event;
  BlackHoleDetector black_hole;
  WindowUse window_use;
  std::uint16_t max_datagram_size;
  std::uint16_t tag = kNoTag;  ///< Tells its packets from those of other paths.
  bool application_limited = false;
  /// One packet may leave beyond the window, because a recovery period began. RFC 9002 §7.3.2.
  bool recovery_packet = false;
};

}  // namespace qpeer::transport
