// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the application configures, is told, and can do wrong with streams. RFC 9000 §2.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::transport {

/// Misuse or misfortune, told to the caller at once; leaves no trace.
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
  /// Of the connection, bytes: the most. It begins with initial_receive_window and grows to this with
  /// what is read in a round trip, where EndpointConfig::receive_credit allows it. The default fills
  /// 1 Gbit/s at 100 ms twice over.
  std::uint64_t receive_window = 32 << 20;
  /// Of each stream, bytes: the most. It begins with at most 8 MiB and grows to this as the stream is read.
  std::uint64_t stream_receive_window = 24 << 20;
  /// Of the connection, until something is read.
  std::uint64_t initial_receive_window = 128 << 10;
  std::uint64_t max_streams_bidi = 100;  ///< Of the peer's, open at once.
  std::uint64_t max_streams_uni = 100;   ///< The same of unidirectional ones.
  /// Of each stream, bytes not yet acknowledged: the most. It is twice the congestion window, and 512 KiB
  /// at least where this allows it. What the peer's limits do not let us send yet is at most 128 KiB of that.
  std::size_t send_buffer = 32 << 20;
  /// Of all streams together, the same; half of what the limits hold up. At least send_buffer.
  std::size_t connection_send_buffer = 32 << 20;
};

/// How many bytes of one kind the connections of an endpoint may hold together. A part of the total is
/// kept so that each of EndpointConfig::max_connections always has some: as much as half of the total
/// gives them, at most 64 KiB. A total that gives them less than 1 KiB is raised.
struct PoolLimits {
  std::uint64_t total = 1 << 30;      ///< Of all connections.
  std::uint64_t network = 256 << 20;  ///< Of those of one network, above what each always has.
};

/// What happened to a stream, told once per change: `readable` and `writable` are edges, given
/// when a read (write) that found nothing (no room) would now find something.
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
