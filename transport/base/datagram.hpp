// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What crosses the border between a machine and whoever drives it: datagrams in, datagrams out.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer {

/// The ECN field of the IP header, RFC 3168 §5.
enum class Ecn : u8 { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

/// One UDP payload. The bytes are lent for the call and are decrypted in place.
struct ReceivedDatagram {
  Path path;               ///< `local` is where it arrived.
  Ecn ecn = Ecn::not_ect;  ///< As the IP header carried it.
  MutableBytes payload;    ///< The UDP payload, writable.
};

/// The largest train of datagrams that one poll_transmit builds.
inline constexpr std::size_t kMaxTransmitSize = 65'000;
/// The most datagrams of such a train.
inline constexpr std::size_t kMaxTransmitSegments = 64;

/// Where poll_transmit puts its datagrams. `storage` is the caller's, at least 1,500 bytes, best
/// kMaxTransmitSize. `max_segments` bounds the train.
struct TransmitBuffer {
  MutableBytes storage;                             ///< Lent for the call.
  std::size_t max_segments = kMaxTransmitSegments;  ///< 1 where the socket has no GSO.
};

/// A train of datagrams in the front of TransmitBuffer::storage: all of `segment_size` bytes but
/// the last, which may be shorter. One path, one ECN mark.
struct Transmit {
  Path path;                     ///< path.local may be unspecified: the socket then chooses.
  Ecn ecn = Ecn::not_ect;        ///< For the IP header of each.
  std::size_t size = 0;          ///< Bytes of all datagrams.
  std::size_t segment_size = 0;  ///< Bytes of each but the last.
};

/// A state machine that knows no clock, socket or thread. Call poll_transmit until nullopt
/// and poll_event until empty after each input; then arm a timer for next_deadline().
template <class M>
concept Machine = requires(M m, const M c, Instant now, ReceivedDatagram in, TransmitBuffer& out) {
  { m.on_datagram(now, in) } -> std::same_as<void>;
  { m.poll_transmit(now, out) } -> std::same_as<std::optional<Transmit>>;
  { c.next_deadline() } -> std::same_as<Instant>;
  { m.on_deadline(now) } -> std::same_as<void>;
  { static_cast<bool>(m.poll_event()) };
};

}  // namespace qpeer
