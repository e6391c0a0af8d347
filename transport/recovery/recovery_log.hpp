// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an observer learns of loss recovery: it is shown the state after each call that may have changed
// it, and tells what is different. Recovery has one of these only when there is an observer.
#pragma once

#include <cstdint>
#include <string_view>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::transport {

class RecoveryLog {
 public:
  /// What is told when it changes.
  struct State {
    log::RecoveryMetricsUpdated metrics;
    std::string_view congestion{};  ///< CongestionController::state().
    log::EcnState ecn = log::EcnState::testing;
    std::uint32_t max_datagram_size = 0;
  };
  /// The loss detection timer.
  struct Timer {
    Instant at = kNever;
    log::TimerUpdated::Type type = log::TimerUpdated::Type::pto;
  };

  /// `log` must outlive it.
  explicit RecoveryLog(const log::EventLog& log) : log_(log) {}

  [[nodiscard]] const log::EventLog& log() const { return log_; }
  void on_start(const log::RecoveryParametersSet& parameters, const State& state);
  void on_state(const State& state);
  void on_timer(const Timer& timer);
  void on_timer_expired(const Timer& timer);

 private:
  const log::EventLog& log_;
  State state_{};
  Timer timer_{};
};

}  // namespace qpeer::transport
