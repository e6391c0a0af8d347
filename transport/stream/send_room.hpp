// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How many bytes the streams of a connection may keep to send, each and together, and which streams
// wait for room that other streams must give back.
//
//   a stream       twice what is in flight, at least kLeast, beyond kMuch only where the path holds
//                  that much, at most send_buffer; of it at most kUncredited may lie beyond the peer's
//                  limits
//   a connection   connection_send_buffer; what lies beyond the peer's limits is taken only into its
//                  lower half, so that streams which the peer does not read leave room for the others
//   an endpoint    what the account of its pool allows
//
// A writer that found no room waits for its own stream alone, or for the connection. Streams whose writers
// wait for the connection are in two queues: one of streams whose data could be sent, and one of streams
// that the peer's limits block. poll_writable() gives them in their order, one at a time, as there is
// room. Where the pool has no room the account waits, too.
//
// Invariant: what is charged to a stream is what its buffer holds; the account holds the sum.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "qpeer/transport/stream/byte_pool.hpp"
#include "qpeer/transport/stream/linked_queue.hpp"
#include "qpeer/transport/stream/stream.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::transport {

/// What is known of the path in use.
struct PathFigures {
  Duration round_trip{};              ///< Smoothed.
  Duration min_rtt{};                 ///< 0 before the first sample.
  std::uint64_t bytes_in_flight = 0;  ///< The most at once within the last two round trips.
};

class SendRoom {
 public:
  /// So many bytes of a stream may lie beyond the peer's limits, at most.
  static constexpr std::uint64_t kUncredited = 128 << 10;

  /// A stream may hold so many bytes, however few are in flight.
  static constexpr std::uint64_t kLeast = 512 << 10;

  /// More only where the path is that long.
  static constexpr std::uint64_t kMuch = 4 << 20;

  SendRoom(const StreamConfig& config, const PoolMember& pool);

  /// The bytes that a stream may hold follow those in flight of late, so that as many are ready when
  /// these are acknowledged. kMuch are exceeded only for what the path itself holds, not for what
  /// waits in queues on it, above all in our own host: memory beyond the processor's cache is slow.
  void on_path_figures(const PathFigures& path) {
    std::uint64_t wanted = 2 * path.bytes_in_flight;
    if (wanted > kMuch && path.round_trip > path.min_rtt) {
      const double share =
          static_cast<double>(path.min_rtt.count()) / static_cast<double>(path.round_trip.count());
      wanted = std::max(kMuch, static_cast<std::uint64_t>(share * static_cast<double>(wanted)));
    }
    of_stream_ = std::min(most_of_stream_, std::max(kLeast, wanted));
  }

  /// How many bytes the stream may hold in all, for a write that happens now.
  [[nodiscard]] std::uint64_t capacity_for(const Stream& stream,
                                           std::uint64_t connection_credit) const;
  /// Charges what was written.
  void on_written(Stream& stream);
  /// To be called after each change of the stream: gives back what it no longer holds. True when a
  /// writer that waited can go on.
  [[nodiscard]] bool settle(Stream& stream, std::uint64_t connection_credit) {
    if (stream.send.buffer().size() == stream.charged && !stream.send.waits_for_room() &&
        stream.room_link.queue == nullptr) [[likely]] {
      return false;
    }
    return settle_changed(stream, connection_credit);
  }
  /// The stream is over, or nothing more is sent on it.
  void remove(Stream& stream);
  /// The next stream whose writer waited for the connection and can go on; null when there is none.
  [[nodiscard]] Stream* poll_writable(std::uint64_t connection_credit) {
    return nobody_waits() ? nullptr : poll_waiting(connection_credit);
  }

  [[nodiscard]] std::uint64_t held() const { return account_.held(); }
  /// Whether the stream is charged what it holds, and waits only where it may. For assertions.
  [[nodiscard]] bool is_right(const Stream& stream) const;
  /// Whether so much is charged to all streams. For assertions.
  [[nodiscard]] bool consistent(std::uint64_t charged) const;

 private:
  /// What holds up a writer: the connection alone, the peer's limits too, or the stream's own bounds.
  enum class Wait : u8 { for_connection, for_lower_half, for_stream };
  using Queue = LinkedQueue<Stream, &Stream::room_link>;

  bool settle_changed(Stream& stream, std::uint64_t connection_credit);
  Stream* poll_waiting(std::uint64_t connection_credit);
  [[nodiscard]] bool nobody_waits() const { return waiting_[0].empty() && waiting_[1].empty(); }
  [[nodiscard]] Wait wait_of(const Stream& stream, std::uint64_t connection_credit) const;
  [[nodiscard]] std::uint64_t room_below(std::uint64_t bound) const;
  [[nodiscard]] bool has_room(Wait wait);
  [[nodiscard]] Queue& queue(Wait wait) { return waiting_[wait == Wait::for_connection ? 0 : 1]; }
  void leave_queue(Stream& stream);

  std::uint64_t most_of_stream_;
  std::uint64_t of_stream_;  ///< Now.
  std::uint64_t of_connection_;
  PoolAccount account_;
  std::array<Queue, 2> waiting_;  ///< For the connection; for its lower half.
};

}  // namespace qpeer::transport
