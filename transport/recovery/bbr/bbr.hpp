// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBRv3: models the path by its bandwidth and its least round trip, and sends what that model asks
// for. draft-ietf-ccwg-bbr §5; the names are the draft's.
//
//   startup --full, or many losses--> drain --queue gone--> probe_bw_down --> probe_bw_cruise
//                                                                  ^                 |
//                                     probe_bw_up <-- probe_bw_refill <--------------'
//   and from each of them to probe_rtt and back, every 5 s.
//
// Each phase has its file: startup.cpp, drain.cpp, probe_bw.cpp (the cycle), probe_bw_up.cpp,
// probe_rtt.cpp. loss.cpp is the response to losses and marks; bbr.cpp the events and the control
// parameters.
//
// A packet that arrives marked CE counts as a lost one in each rule: the draft leaves that open.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "qpeer/transport/recovery/bbr/ack_aggregation.hpp"
#include "qpeer/transport/recovery/bbr/bounds.hpp"
#include "qpeer/transport/recovery/bbr/congestion_signals.hpp"
#include "qpeer/transport/recovery/bbr/full_bandwidth.hpp"
#include "qpeer/transport/recovery/bbr/max_bandwidth_filter.hpp"
#include "qpeer/transport/recovery/bbr/min_rtt_filter.hpp"
#include "qpeer/transport/recovery/bbr/pacing_rate.hpp"
#include "qpeer/transport/recovery/bbr/probe_cycle.hpp"
#include "qpeer/transport/recovery/bbr/round_counter.hpp"
#include "qpeer/transport/recovery/bbr/window.hpp"
#include "qpeer/transport/recovery/congestion.hpp"

namespace qpeer::transport {

class Bbr final : public CongestionController {
 public:
  enum class State : u8 {
    startup,
    drain,
    probe_bw_down,
    probe_bw_cruise,
    probe_bw_refill,
    probe_bw_up,
    probe_rtt,
  };

  /// Flows with different seeds probe at different times.
  Bbr(std::uint16_t max_datagram_size, std::uint64_t seed);

  void on_packet_sent(Instant now, std::uint64_t size, std::uint64_t bytes_in_flight) override;
  void on_ack(const AckSample& sample) override;
  void on_loss(const LossSample& sample) override;
  void on_packet_lost(const LostPacket& packet) override;
  void on_restart_from_idle(Instant now) override;
  void on_spurious_loss(const SpuriousLoss& spurious) override;
  /// Marks come with the ACK, as RateSample::marked.
  void on_ecn_ce(Instant /*now*/, Instant /*largest_acked_sent_at*/) override {}
  void on_mtu_changed(std::uint16_t max_datagram_size) override;
  [[nodiscard]] bool wants_rate_samples() const override { return true; }
  [[nodiscard]] std::uint64_t window() const override { return window_.cwnd(); }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return pacing_.rate(); }

  /// "startup", "probe_bw_up" and so on.
  [[nodiscard]] std::string_view state() const override;

  [[nodiscard]] State phase() const { return state_; }
  /// For tests and logs.
  [[nodiscard]] std::uint64_t bw() const { return bw_; }
  [[nodiscard]] std::uint64_t max_bw() const { return max_bw_.max_bw(); }
  [[nodiscard]] Duration min_rtt() const { return min_rtt_.min_rtt(); }
  [[nodiscard]] const bbr::Bounds& bounds() const { return bounds_; }
  /// Whether window, rate and bandwidth are within their bounds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  /// What one event shows: an ACK, or one lost packet.
  struct Signal {
    Instant now;
    RateSample rs;
  };

  // --- bbr.cpp
  void update_model_and_state(const Signal& ack);
  void update_control_parameters(const RateSample& rs);
  void enter(State state);
  void start_round() { round_.start_round(delivered_); }
  [[nodiscard]] double pacing_gain() const;
  [[nodiscard]] double cwnd_gain() const;
  [[nodiscard]] bool is_in_probe_bw() const;
  [[nodiscard]] bool is_probing_bw() const;
  [[nodiscard]] std::uint64_t bdp_multiple(std::uint64_t bw, double gain) const;
  [[nodiscard]] std::uint64_t quantization_budget(std::uint64_t inflight_cap) const;
  [[nodiscard]] std::uint64_t inflight(std::uint64_t bw, double gain) const;
  [[nodiscard]] std::uint64_t inflight_with_headroom() const;
  [[nodiscard]] std::uint64_t target_inflight() const;
  void bound_cwnd_for_model();

  // --- startup.cpp, drain.cpp
  void check_full_bw_reached(const RateSample& rs);
  void check_startup_done(const RateSample& rs);
  void check_startup_high_loss(const RateSample& rs);
  void note_startup_loss(const LostPacket& packet);
  void enter_drain();
  void check_drain_done(Instant now);

  // --- probe_bw.cpp
  void enter_probe_bw(Instant now) { start_probe_bw_down(now); }
  void start_probe_bw_down(Instant now);
  void start_probe_bw_refill();
  void update_probe_bw_cycle_phase(const Signal& ack);
  bool adapt_long_term_model(const Signal& ack);
  bool check_time_to_probe_bw(Instant now);
  [[nodiscard]] bool is_time_to_cruise() const;

  // --- probe_bw_up.cpp
  void start_probe_bw_up(const RateSample& rs);
  bool is_time_to_go_down(const RateSample& rs);
  void probe_inflight_longterm_upward(const RateSample& rs);

  // --- probe_rtt.cpp
  void check_probe_rtt(const Signal& ack);
  void handle_probe_rtt(Instant now);
  void check_probe_rtt_done(Instant now);
  void exit_probe_rtt(Instant now);
  void mark_low_rate();
  [[nodiscard]] std::uint64_t probe_rtt_cwnd() const;
  [[nodiscard]] bool is_low_rate(std::uint64_t prior_delivered) const;

  // --- loss.cpp
  void update_congestion_signals(const RateSample& rs);
  void note_loss();
  [[nodiscard]] static bool is_inflight_too_high(const RateSample& rs);
  [[nodiscard]] static std::uint64_t inflight_at_loss(const RateSample& rs, std::uint64_t size);
  void handle_inflight_too_high(const Signal& signal);
  void update_recovery(const AckSample& sample);

  struct ProbeRtt {
    std::optional<Instant> done_stamp;
    bool round_done = false;
    /// What was sent while C.delivered lay between these says nothing of the bandwidth.
    std::uint64_t low_rate_from = 1;
    std::uint64_t low_rate_until = 0;
  };
  struct StartupLosses {
    unsigned ranges = 0;  ///< Discontiguous ones of this round.
    std::uint64_t last = 0;
  };

  std::uint64_t smss_;
  State state_ = State::startup;
  bool idle_restart_ = false;
  bool has_rtt_ = false;
  bool in_recovery_ = false;
  Instant recovery_start_ = Instant::min();
  std::uint64_t drain_start_round_ = 0;
  std::uint64_t bw_ = 0;
  std::uint64_t delivered_ = 0;  ///< C.delivered.
  std::uint64_t inflight_ = 0;   ///< C.inflight.
  std::optional<State> undo_state_;
  bbr::RoundCounter round_;
  bbr::MaxBandwidthFilter max_bw_;
  bbr::MinRttFilter min_rtt_;
  bbr::AckAggregation extra_acked_;
  bbr::FullBandwidth full_bw_;
  bbr::CongestionSignals signals_;
  bbr::Bounds bounds_;
  bbr::ProbeCycle cycle_;
  ProbeRtt probe_rtt_;
  StartupLosses startup_losses_;
  bbr::PacingRate pacing_;
  bbr::Window window_;
};

}  // namespace qpeer::transport
