// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How large the datagrams of one path may be: Datagram Packetization Layer Path MTU Discovery.
// RFC 8899; RFC 9000 §14.3.
//
//   searching --probe acknowledged: size grows; lost kMaxProbes times: limit shrinks--> searching
//       ^  \__ size and limit have met __> complete --raise timer--> searching
//       |________ black hole: size is the base again, and limit what failed _____|
//
// A probe is PING and PADDING, so its loss costs nothing. ICMP messages are not listened to.
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class MtuDiscovery {
 public:
  /// BASE_PLPMTU, which is also MIN_PLPMTU. RFC 9000 §14.3 [rfc9000-14.3-1].
  static constexpr std::uint16_t kBase = 1200;
  /// A size is given up after so many lost probes of it. RFC 8899 §5.1.2.
  static constexpr unsigned kMaxProbes = 3;
  /// A gain of less is not worth a probe. RFC 8899 §5.3.2 [rfc8899-5.3.2-1].
  static constexpr std::uint16_t kLeastStep = 20;

  /// Datagrams start with the size `start`, and grow up to `limit`.
  MtuDiscovery(std::uint16_t start, std::uint16_t limit, Duration raise_interval);

  /// PLPMTU: the largest datagram to be sent, probes apart. RFC 8899 §3 [rfc8899-3-1].
  [[nodiscard]] std::uint16_t size() const { return size_; }
  /// The peer takes no larger datagrams.
  void set_limit(std::uint16_t limit);
  /// A datagram was as large as it may be, so that a larger size would be of use.
  /// RFC 8899 §5.1.1 [rfc8899-5.1.1-2].
  void on_full_datagram() { wanted_ = true; }

  /// The size of the probe to be sent now. RFC 8899 §8 [rfc8899-8-1]: one at a time.
  [[nodiscard]] std::optional<std::uint16_t> due(Instant now) const;
  /// Names the probe; its fate is told with that name.
  std::uint64_t on_probe_sent(Instant now);
  /// Whether size() has changed.
  bool on_probe_acknowledged(Instant now, std::uint64_t probe, std::uint16_t size);
  void on_probe_lost(Instant now, std::uint64_t probe);
  /// The operating system did not send the probe: its size is too large for the interface.
  void on_probe_refused(Instant now);
  /// The fate of the probe on its way will not be told: it left over another path, of which this is
  /// a copy.
  void forget_probe() { in_flight_ = false; }
  /// Datagrams of size() do not arrive any more: it is the base from now on, and the search begins
  /// between the two. Whether size() has changed. RFC 8899 §4.3.
  bool on_black_hole(Instant now);

  /// Whether all sizes are within the limit. For assertions.
  [[nodiscard]] bool consistent() const {
    return size_ <= limit_ && candidate_ <= limit_ && ceiling_ <= limit_ && lost_ < kMaxProbes &&
           (!in_flight_ || probe_ != 0);
  }

 private:
  void reject_candidate(Instant now);
  void finish_step(Instant now);

  std::uint16_t size_;
  std::uint16_t limit_;
  std::uint16_t ceiling_;    ///< The largest that may still prove possible in this search.
  std::uint16_t candidate_;  ///< What is probed.
  Duration raise_interval_;
  Instant search_at_{};      ///< No search before.
  unsigned lost_ = 0;        ///< Probes of this candidate.
  std::uint64_t probe_ = 0;  ///< The latest.
  bool in_flight_ = false;
  bool wanted_ = false;
};

}  // namespace qpeer::transport
