// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Unreliable datagrams of one connection: those that wait to be sent, those that wait to be read.
// RFC 9221.
//
// Where the receive queue is full the oldest datagrams are dropped, as the network might have dropped
// them; where the send queue is full send() says so. Nothing is sent again. Congestion control delays
// datagrams like all else. Both queues keep their memory while the pool has room, so a datagram costs no
// allocation. A pool without room is a full queue, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/stream/byte_pool.hpp"
#include "qpeer/transport/stream/datagram_ring.hpp"
#include "qpeer/transport/stream/datagram_types.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

class DatagramQueue {
 public:
  /// `max_frame_size` is what we announce; 0: the peer may send none.
  DatagramQueue(std::uint64_t max_frame_size, const DatagramLimits& limits,
                const PoolMember& pool = {})
      : max_frame_size_(max_frame_size),
        outgoing_(limits.send_queue, pool),
        incoming_(limits.receive_queue, pool) {}

  // --- application -----------------------------------------------------------------------------

  /// `packet_room` is what a packet has for frames, here and below.
  std::expected<void, DatagramError> send(Bytes data, std::size_t packet_room);
  /// The largest that send() takes; nullopt when the peer takes none at all.
  [[nodiscard]] std::optional<std::size_t> max_payload(std::size_t packet_room) const;
  /// The oldest that was not read. The view is valid until the next call.
  std::optional<Bytes> next();
  /// Whether what next() gave came in early data.
  [[nodiscard]] bool was_early() const { return was_early_; }
  /// Whether datagrams have come into an empty queue since the last call, and some are there still.
  bool poll_readable();
  [[nodiscard]] bool has_unread() const { return !incoming_.empty(); }
  [[nodiscard]] bool receives() const { return max_frame_size_ != 0; }

  // --- the peer --------------------------------------------------------------------------------

  void set_peer_max_frame_size(std::uint64_t size) { peer_max_frame_size_ = size; }
  Result on_frame(const wire::DatagramFrame& frame, bool early = false);

  // --- sending ---------------------------------------------------------------------------------

  [[nodiscard]] bool has_frames() const { return !outgoing_.empty(); }
  /// The next datagram did not fit behind the other frames of a packet: it should come first in one.
  [[nodiscard]] bool crowded_out() const { return crowded_out_; }
  void write_frames(PacketWriter& out, std::size_t packet_room);
  void on_fate(Fate fate);
  /// Nothing more is sent: forgets what waits. What arrived can still be read.
  void close();

  [[nodiscard]] const DatagramStats& stats() const { return stats_; }
  /// The memory of both queues: what the accounts of the pool hold.
  [[nodiscard]] std::uint64_t held() const { return outgoing_.held() + incoming_.held(); }

  /// Whether both queues hold together and the figures can be. For assertions.
  [[nodiscard]] bool consistent() const {
    return outgoing_.consistent() && incoming_.consistent() &&
           (!crowded_out_ || !outgoing_.empty()) && stats_.acknowledged <= stats_.sent &&
           stats_.unread <= stats_.received;
  }

 private:
  static bool write(PacketWriter& out, Bytes data);
  [[nodiscard]] bool keep(const wire::DatagramFrame& frame, bool early);
  void drop_oldest();

  std::uint64_t max_frame_size_;
  std::uint64_t peer_max_frame_size_ = 0;
  DatagramRing outgoing_;
  DatagramRing incoming_;
  bool crowded_out_ = false;
  bool became_readable_ = false;
  bool was_early_ = false;
  DatagramStats stats_;
};

}  // namespace qpeer::transport
