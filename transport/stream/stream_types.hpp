// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Configuration, events and errors of streams, as the application sees them. RFC 9000 §2.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::transport {

/// Why a call on a stream was refused. Returned at once.
enum class StreamError : u8 {
  unknown_stream,   ///< Never opened, or closed and forgotten.
  wrong_direction,  ///< Reading a send-only stream or writing a receive-only one.
  finished,         ///< Written to after finish() or reset(), or read after stop_sending().
  reset,            ///< The peer reset it: what was not read is gone.
  stopped,          ///< The peer asked us to stop sending.
  limit_reached,    ///< The peer's stream limit allows no further stream now.
  closed,           ///< The connection is closed or was never open.
};
/// The error in words; a literal.
std::string_view to_string(StreamError error);

/// Limits of the streams of one connection. RFC 9000 §4.
struct StreamConfig {
  /// How many bytes the peer may send on all streams together before they are read, at most. The window
  /// begins with initial_receive_window and grows to this with what is read in a round trip, where
  /// EndpointConfig::receive_credit allows it. The default fills 1 Gbit/s at 100 ms twice over.
  std::uint64_t receive_window = 32 << 20;
  /// The same on each stream, in bytes. It begins with at most 8 MiB and grows to this as the stream is
  /// read.
  std::uint64_t stream_receive_window = 24 << 20;
  /// The window of all streams together, in bytes, until something is read.
  std::uint64_t initial_receive_window = 128 << 10;
  std::uint64_t max_streams_bidi = 100;  ///< Bidirectional streams of the peer, open at once.
  std::uint64_t max_streams_uni = 100;   ///< Unidirectional streams of the peer, open at once.
  /// How many bytes each stream keeps until they are acknowledged, at most. A stream keeps twice the
  /// congestion window, but at least 512 KiB where this allows it. Of these at most 128 KiB may lie
  /// beyond what the peer's limits allow us to send.
  std::size_t send_buffer = 32 << 20;
  /// The same for all streams together; at most half may lie beyond the peer's limits. At least
  /// send_buffer.
  std::size_t connection_send_buffer = 32 << 20;
};

/// How many bytes of one kind the connections of an endpoint may hold together. A part of the total is
/// kept so that each of EndpointConfig::max_connections always has some: as much as half of the total
/// gives them, at most 64 KiB. A total that gives them less than 1 KiB is raised.
struct PoolLimits {
  std::uint64_t total = 1 << 30;  ///< Of all connections.
  std::uint64_t network =
      256 << 20;  ///< Of the connections of one network, beyond what each always has.
};

/// What happened to a stream, once for each change. `readable` and `writable` are edge-triggered: they
/// come when a peek() that found no data, or a write() that found no room, would find some now.
struct StreamEvent {
  /// What happened.
  enum class Kind : u8 {
    opened,    ///< By the peer. accept() hands these out too.
    readable,  ///< Data, the end, or a reset can be read.
    writable,  ///< write() takes bytes again.
    finished,  ///< All we sent, FIN included, is acknowledged.
    stopped,   ///< The peer sent STOP_SENDING; the send side was reset. `error_code` is its code.
    can_open,  ///< The peer raised the stream limit; stream_id tells the direction only.
  };
  Kind kind;                     ///< What happened.
  StreamId stream_id;            ///< To which stream.
  std::uint64_t error_code = 0;  ///< Of `stopped`: an application error code.
};

/// What peek() shows.
struct ReadView {
  Bytes data;        ///< Contiguous and in order; valid until the next call on this connection.
  bool fin = false;  ///< The stream ends right after `data`.
};

}  // namespace qpeer::transport
