// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a congestion controller is told and what it answers. RFC 9002 §7.
//
// A controller needs three functions: on_ack(), on_loss() and window(). Each path of a connection has
// one of its own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

/// What an ACK shows of how fast the path delivers, drawn from the newest packet P among those that
/// it newly acknowledged. Bytes are UDP payload. draft-ietf-ccwg-bbr §2.3, §4.1.
struct RateSample {
  std::uint64_t delivery_rate = 0;    ///< Bytes a second; 0 where the ACK shows none.
  std::uint64_t delivered = 0;        ///< What arrived since P was sent.
  Duration interval{};                ///< In so much time.
  Duration rtt = Duration{-1};        ///< Of P; negative where there is no P.
  bool is_app_limited = false;        ///< When P was sent, there was not always something to send.
  std::uint64_t tx_in_flight = 0;     ///< When P was sent, with P.
  std::uint64_t lost = 0;             ///< What was declared lost since P was sent.
  std::uint64_t marked = 0;           ///< What arrived with CE since then, about.
  std::uint64_t newly_acked = 0;      ///< By this ACK.
  std::uint64_t newly_lost = 0;       ///< Since the last sample.
  std::uint64_t newly_marked = 0;     ///< Since the last sample.
  std::uint64_t prior_delivered = 0;  ///< What had arrived over the path when P was sent.
  std::uint64_t total_delivered = 0;  ///< What has by now.
  std::uint64_t bytes_in_flight = 0;  ///< Without what this ACK acknowledged or showed to be lost.
};

/// One packet that was declared lost. draft-ietf-ccwg-bbr §5.5.10.2.
struct LostPacket {
  Instant now{};                      ///< When the loss was noticed.
  std::uint64_t order = 0;            ///< Rises by one with each packet that is sent over the path.
  std::uint64_t size = 0;             ///< Of the packet, in UDP payload.
  std::uint64_t tx_in_flight = 0;     ///< When it was sent, with it.
  std::uint64_t lost = 0;             ///< What was declared lost since it was sent, with it.
  std::uint64_t marked = 0;           ///< What arrived with CE since it was sent, about.
  std::uint64_t prior_delivered = 0;  ///< What had arrived over the path when it was sent.
  std::uint64_t delivered = 0;        ///< What has by now.
  bool is_app_limited = false;        ///< When it was sent, there was not always something to send.
};

/// What one ACK frame newly acknowledged of the bytes in flight.
struct AckSample {
  Instant now{};                      ///< When the ACK frame was processed.
  std::uint64_t acked_bytes = 0;      ///< In UDP payload.
  Instant largest_acked_sent_at{};    ///< When the newest of the newly acknowledged was sent.
  std::uint64_t bytes_in_flight = 0;  ///< Before this ACK was taken off.
  bool application_limited = false;   ///< The window was not what held us back, RFC 9002 §7.8.
  Duration rtt_sample{};              ///< What this ACK measured; 0 when it measured nothing.
  Duration smoothed_rtt{};            ///< RFC 9002 §5.3, with this ACK.
  Duration min_rtt{};                 ///< RFC 9002 §5.2, with this ACK; 0 before the first sample.
  const RateSample* rate = nullptr;   ///< For a controller that wants_rate_samples().
};

/// What was declared lost in one go.
struct LossSample {
  Instant now{};                       ///< When the loss was noticed.
  std::uint64_t lost_bytes = 0;        ///< In UDP payload; 0 where CE marks are told as a loss.
  Instant largest_lost_sent_at{};      ///< When the newest of the lost packets was sent.
  bool persistent_congestion = false;  ///< RFC 9002 §7.6.
};

/// All packets whose loss made the latest congestion event were acknowledged after all.
struct SpuriousLoss {
  Instant now{};                   ///< When the last of them was acknowledged.
  std::uint64_t bytes = 0;         ///< All of them, in UDP payload.
  Instant largest_lost_sent_at{};  ///< When the newest of them was sent.
};

/// Users may plug in their own. Single-threaded; must not throw.
class CongestionController {
 public:
  virtual ~CongestionController() = default;

  /// Once per ACK frame that acknowledged bytes in flight.
  virtual void on_ack(const AckSample& sample) = 0;
  /// Once for each time that packets are declared lost.
  virtual void on_loss(const LossSample& sample) = 0;
  /// Bytes that may be in flight. One datagram may be on its way even if this is less.
  [[nodiscard]] virtual std::uint64_t window() const = 0;

  /// A packet of `size` bytes that counts as in flight was sent; `bytes_in_flight` is with it.
  virtual void on_packet_sent(Instant now, std::uint64_t size, std::uint64_t bytes_in_flight);
  /// The peer reported more CE marks. RFC 9002 §7.1. Unless overridden it is a loss.
  virtual void on_ecn_ce(Instant now, Instant largest_acked_sent_at);
  /// What the latest congestion event reduced may be restored. Comes before the on_ack() of the same
  /// ACK frame, and at most once for each congestion event. Unless overridden it changes nothing.
  virtual void on_spurious_loss(const SpuriousLoss& spurious);
  /// The size of full datagrams on the path is another now, in bytes of UDP payload.
  virtual void on_mtu_changed(std::uint16_t max_datagram_size);
  /// Asked once: whether AckSample::rate is filled in, and the two calls that follow here are made.
  /// That costs 64 bytes for each packet in flight.
  [[nodiscard]] virtual bool wants_rate_samples() const;
  /// Once for each packet that is declared lost, before on_loss().
  virtual void on_packet_lost(const LostPacket& packet);
  /// Before the first packet that leaves after a time without anything to send or in flight.
  virtual void on_restart_from_idle(Instant now);
  /// Bytes a second; nullopt lets the pacer derive it from window and RTT (RFC 9002 §7.7).
  [[nodiscard]] virtual std::optional<std::uint64_t> pacing_rate() const;

  /// For logs. Bytes; nullopt when there is none, or none yet.
  [[nodiscard]] virtual std::optional<std::uint64_t> slow_start_threshold() const;
  /// For logs: such as "slow_start", "recovery" or "congestion_avoidance"; a literal.
  [[nodiscard]] virtual std::string_view state() const;
};

/// The controllers of the library.
enum class CongestionAlgorithm : u8 {
  new_reno,  ///< RFC 9002 §7, Appendix B.
  cubic,     ///< RFC 9438.
  bbr,       ///< BBRv3, draft-ietf-ccwg-bbr.
};

/// All of them, for those who offer a choice.
inline constexpr std::array kCongestionAlgorithms{
    CongestionAlgorithm::new_reno, CongestionAlgorithm::cubic, CongestionAlgorithm::bbr};

/// "newreno", "cubic", "bbr": how programs name it.
[[nodiscard]] std::string_view to_string(CongestionAlgorithm algorithm);
/// The algorithm of that name, if there is one.
[[nodiscard]] std::optional<CongestionAlgorithm> parse_congestion_algorithm(std::string_view name);
/// A controller for a path whose full datagrams have this size, in bytes of UDP payload. Those that
/// probe at random times (BBR) draw them from the seed.
[[nodiscard]] std::unique_ptr<CongestionController> make_congestion_controller(
    CongestionAlgorithm algorithm, std::uint16_t max_datagram_size, std::uint64_t seed = 0);

/// RFC 9002 §7, Appendix B.
std::unique_ptr<CongestionController> make_new_reno(std::uint16_t max_datagram_size);

}  // namespace qpeer::transport
