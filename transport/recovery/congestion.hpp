// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a congestion controller is told and what it answers. RFC 9002 §7.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class RttEstimator;

/// What one ACK frame newly acknowledged of the bytes in flight.
struct AckSample {
  Instant now;                        ///< When the ACK frame was processed.
  std::uint64_t acked_bytes = 0;      ///< In UDP payload.
  Instant largest_acked_sent_at;      ///< When the newest of the newly acknowledged was sent.
  std::uint64_t bytes_in_flight = 0;  ///< Before this ACK was taken off.
  bool application_limited = false;   ///< The window was not what held us back, RFC 9002 §7.8.
};

/// What was declared lost in one go.
struct LossSample {
  Instant now;                         ///< When the loss was noticed.
  std::uint64_t lost_bytes = 0;        ///< In UDP payload.
  Instant largest_lost_sent_at;        ///< When the newest of the lost packets was sent.
  bool persistent_congestion = false;  ///< RFC 9002 §7.6.
};

/// Users may plug in their own. Single-threaded; must not throw.
class CongestionController {
 public:
  virtual ~CongestionController() = default;
  /// A packet of `size` bytes that counts as in flight was sent; `bytes_in_flight` is with it.
  virtual void on_packet_sent(Instant now, std::uint64_t size, std::uint64_t bytes_in_flight) = 0;
  virtual void on_ack(const AckSample& sample,
                      const RttEstimator& rtt) = 0;  ///< Once per ACK frame.
  /// Once for each time that packets are declared lost.
  virtual void on_loss(const LossSample& sample) = 0;
  /// The peer reported more CE marks. RFC 9002 §7.1.
  virtual void on_ecn_ce(Instant now, Instant largest_acked_sent_at) = 0;
  /// The size of full datagrams on the path is another now, in bytes of UDP payload.
  virtual void on_mtu_changed(std::uint16_t max_datagram_size) = 0;
  /// Bytes. One datagram may be on its way even if this is less.
  [[nodiscard]] virtual std::uint64_t window() const = 0;
  /// Bytes a second; nullopt lets the pacer derive it from window and RTT (RFC 9002 §7.7).
  [[nodiscard]] virtual std::optional<std::uint64_t> pacing_rate() const = 0;
};

/// RFC 9002 §7, Appendix B.
std::unique_ptr<CongestionController> make_new_reno(std::uint16_t max_datagram_size);

}  // namespace qpeer::transport
