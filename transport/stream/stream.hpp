// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One stream: its two parts, and its places in the queues of the set.
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/slab.hpp"
#include "qpeer/transport/stream/linked_queue.hpp"
#include "qpeer/transport/stream/recv_stream.hpp"
#include "qpeer/transport/stream/send_stream.hpp"

namespace qpeer::transport {

struct Stream {
  Stream(StreamId stream_id, Side side, ChunkPool& pool, std::uint64_t send_limit,
         std::uint64_t receive_window)
      : id(stream_id),
        is_local(stream_id.initiator() == side),
        sends(stream_id.is_bidirectional() || is_local),
        receives(stream_id.is_bidirectional() || !is_local),
        send(pool, send_limit),
        recv(pool, receive_window) {}

  /// RFC 9000 §4.4 [rfc9000-4.4-1]: a direction keeps its state while the other is over.
  [[nodiscard]] bool done() const { return (!sends || send.done()) && (!receives || recv.done()); }
  [[nodiscard]] bool has_control() const {
    return (sends && send.has_control()) || (receives && recv.has_control());
  }

  StreamId id;
  bool is_local;
  bool sends;
  bool receives;
  bool held = false;   ///< Opened under remembered limits that the peer lowered: sends nothing.
  bool early = false;  ///< Some of what the peer sent on it came in early data.
  u8 events = 0;       ///< One bit for each StreamEvent::Kind that was not polled yet.
  std::optional<u8> logged_send_state{};  ///< The log::StreamState that an observer got last.
  std::optional<u8> logged_recv_state{};  ///< The same of the receiving part.
  std::uint32_t slot = 0;
  std::uint64_t charged = 0;  ///< Bytes that SendRoom has charged for what waits to be sent.
  SendStream send;
  RecvStream recv;
  QueueLink<Stream> control_link;
  QueueLink<Stream> data_link;
  QueueLink<Stream> event_link;
  QueueLink<Stream> room_link;
};

}  // namespace qpeer::transport
