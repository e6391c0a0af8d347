// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/recovery_log.hpp"

#include "qpeer/transport/recovery/loss_detector.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/recovery/reordering.hpp"

namespace qpeer::transport {
namespace {

log::EcnState state_of(const EcnValidator& ecn) {
  switch (ecn.state()) {
    case EcnValidator::State::testing:
      return log::EcnState::testing;
    case EcnValidator::State::unknown:
      return log::EcnState::unknown;
    case EcnValidator::State::capable:
      return log::EcnState::capable;
    case EcnValidator::State::failed:
      break;
  }
  return log::EcnState::failed;
}

}  // namespace

void RecoveryLog::on_start(const log::RecoveryParametersSet& parameters, const State& state) {
  log_.emit(parameters);
  log_.emit(state.metrics);
  if (!state.congestion.empty()) {
    log_.emit(log::CongestionStateUpdated{.new_state = state.congestion});
  }
  state_ = state;
}

void RecoveryLog::on_state(const State& state) {
  if (state.metrics != state_.metrics) log_.emit(state.metrics);
  if (state.congestion != state_.congestion) {
    log_.emit(
        log::CongestionStateUpdated{.old_state = state_.congestion, .new_state = state.congestion});
  }
  if (state.ecn != state_.ecn) {
    log_.emit(log::EcnStateUpdated{.old_state = state_.ecn, .new_state = state.ecn});
  }
  if (state.max_datagram_size != state_.max_datagram_size) {
    log_.emit(
        log::MtuUpdated{.old_mtu = state_.max_datagram_size, .new_mtu = state.max_datagram_size});
  }
  state_ = state;
}

void RecoveryLog::on_timer(const Timer& timer) {
  using EventType = log::TimerUpdated::EventType;
  if (timer.at == timer_.at) return;
  if (timer.at == kNever) {
    log_.emit(log::TimerUpdated{.timer_type = timer_.type, .event_type = EventType::cancelled});
  } else {
    log_.emit(log::TimerUpdated{
        .timer_type = timer.type, .event_type = EventType::set, .delta = timer.at - log_.now()});
  }
  timer_ = timer;
}

void RecoveryLog::on_timer_expired(const Timer& timer) {
  log_.emit(log::TimerUpdated{.timer_type = timer.type,
                              .event_type = log::TimerUpdated::EventType::expired});
  timer_ = {};
}

// --- what Recovery shows ---------------------------------------------------------------------------

void Recovery::set_log(const log::EventLog& log) {
  log_ = std::make_unique<RecoveryLog>(log);
  log_->on_start({.reordering_threshold = kPacketThreshold,
                  .time_threshold = 1.125F,
                  .timer_granularity = kGranularity,
                  .initial_rtt = path_->rtt.smoothed(),
                  .max_datagram_size = path_->max_datagram_size,
                  .initial_congestion_window = path_->controller->window(),
                  .persistent_congestion_threshold = kPersistentCongestionThreshold},
                 logged_state());
}

RecoveryLog::State Recovery::logged_state() const {
  RecoveryLog::State state{.metrics = {.min_rtt = path_->rtt.min(),
                                       .smoothed_rtt = path_->rtt.smoothed(),
                                       .latest_rtt = path_->rtt.latest(),
                                       .rtt_variance = path_->rtt.variance(),
                                       .pto_count = static_cast<std::uint16_t>(pto_.count()),
                                       .congestion_window = path_->controller->window(),
                                       .bytes_in_flight = bytes_in_flight(),
                                       .ssthresh = path_->controller->slow_start_threshold()},
                           .congestion = path_->controller->state(),
                           .ecn = state_of(path_->ecn),
                           .max_datagram_size = path_->max_datagram_size};
  constexpr std::uint64_t kBitsPerByte = 8;
  if (pacing_enabled_) state.metrics.pacing_rate = pacing().bytes_per_second * kBitsPerByte;
  return state;
}

RecoveryLog::Timer Recovery::logged_timer() const {
  using Type = log::TimerUpdated::Type;
  for (const Space& space : spaces_) {
    if (space.loss_time != kNever) return {.at = deadline(), .type = Type::loss_timeout};
  }
  return {.at = deadline(), .type = Type::pto};
}

}  // namespace qpeer::transport
