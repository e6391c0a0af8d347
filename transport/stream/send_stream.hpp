// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The sending part of a stream: state, buffer, FIN, and the frames it owes. RFC 9000 §3.1, §3.3.
//
// Knows nothing of other streams: connection credit comes in as an argument.
#pragma once

#include <cstdint>
#include <expected>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/stream/flow_control.hpp"
#include "qpeer/transport/stream/send_buffer.hpp"
#include "qpeer/transport/stream/send_state.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::transport {

class SendStream {
 public:
  /// What the stream needs in order to send data.
  enum class Need : u8 { nothing, packet, connection_credit };
  struct Written {
    bool any = false;
    std::uint64_t credit = 0;  ///< Connection credit used.
  };

  SendStream(ChunkPool& pool, std::uint64_t max_stream_data)
      : buffer_(pool), max_stream_data_(max_stream_data) {}

  // --- application ---
  /// Copies as much of `data` as a buffer of `capacity` bytes has room for. Returns how much.
  std::expected<std::size_t, StreamError> write(Bytes data, std::uint64_t capacity);
  std::expected<void, StreamError> finish();
  std::expected<void, StreamError> reset(std::uint64_t error_code);
  /// Whether the latest write wanted more room.
  [[nodiscard]] bool waits_for_room() const { return waits_for_room_; }
  /// Whether a buffer of `capacity` bytes has so much room that waking the writer is worth it.
  [[nodiscard]] bool has_room(std::uint64_t capacity) const;
  /// The writer that waits for room has its event.
  void on_writable() { waits_for_room_ = false; }
  /// What was sent and is not acknowledged, and what the limits allow to be sent now.
  [[nodiscard]] std::uint64_t sendable(std::uint64_t connection_credit) const;

  // --- the peer ---
  /// STOP_SENDING arrived. True when it reset the stream, which was not over yet.
  bool on_stop_sending(std::uint64_t error_code);
  void on_max_stream_data(std::uint64_t limit);
  /// From transport parameters: replaces a limit that no frame has raised.
  void set_initial_limit(std::uint64_t limit);
  /// As if nothing was sent: 0-RTT was rejected.
  void rewind();
  /// The connection is over: what was not acknowledged is not needed any more.
  void discard();

  // --- sending ---
  /// What the stream needs now. Also notes when the stream's limit is what blocks it.
  [[nodiscard]] Need need(std::uint64_t connection_credit);
  /// The same, and notes nothing. For assertions.
  [[nodiscard]] Need current_need(std::uint64_t connection_credit) const;
  /// Whether the peer's limit for this stream blocks it.
  [[nodiscard]] bool is_limited() const {
    return state_.can_send() && buffer_.next() < buffer_.end() &&
           buffer_.next() >= max_stream_data_;
  }
  void repeat_blocked() { blocked_.repeat(); }
  [[nodiscard]] bool has_control() const { return reset_pending_ || blocked_.pending(); }
  void write_reset(PacketWriter& out, StreamId id);
  void write_blocked(PacketWriter& out, StreamId id);
  Written write_stream(PacketWriter& out, StreamId id, std::uint64_t connection_credit);

  void on_stream_fate(const SentFrame& frame, Fate fate);
  void on_reset_fate(Fate fate);
  void on_blocked_fate(const SentFrame& frame, Fate fate);

  // --- figures ---
  [[nodiscard]] SendState state() const { return state_; }
  [[nodiscard]] bool done() const { return state_.is_terminal(); }
  [[nodiscard]] std::uint64_t stop_code() const { return stop_code_; }
  [[nodiscard]] const SendBuffer& buffer() const { return buffer_; }
  /// Whether state, FIN and buffer agree. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  enum class Fin : u8 { none, wanted, sent, acked };
  [[nodiscard]] std::uint64_t range_end(std::uint64_t connection_credit) const;

  SendBuffer buffer_;
  std::uint64_t max_stream_data_;
  std::uint64_t reset_code_ = 0;
  std::uint64_t stop_code_ = 0;
  BlockedSignal blocked_;
  SendState state_;
  Fin fin_ = Fin::none;
  bool raised_ = false;
  bool stopped_ = false;
  bool reset_pending_ = false;
  bool waits_for_room_ = false;
};

}  // namespace qpeer::transport
