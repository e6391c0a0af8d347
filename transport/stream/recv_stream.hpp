// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The receiving part of a stream: state, buffer, final size, and the frames it owes.
// RFC 9000 §3.2, §3.5, §4.5.
//
// The connection's credit comes in as an argument: every byte that the final size stands for is
// counted there once as received and once as consumed, whatever happens to the stream.
#pragma once

#include <algorithm>
#include <cstdint>
#include <expected>

#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/stream/flow_control.hpp"
#include "qpeer/transport/stream/recv_buffer.hpp"
#include "qpeer/transport/stream/recv_state.hpp"
#include "qpeer/transport/stream/stream_types.hpp"
#include "qpeer/transport/wire/stream_frames.hpp"

namespace qpeer::transport {

class RecvStream {
 public:
  /// A window begins with no more than this, and is four times what was read, up to its most.
  static constexpr std::uint64_t kInitialWindow = 8 << 20;

  RecvStream(ChunkPool& pool, std::uint64_t window)
      : buffer_(pool), most_(window), credit_(initial_window(window)) {}

  static constexpr std::uint64_t initial_window(std::uint64_t most) {
    return std::min({most, kInitialWindow, kMaxVarint});
  }

  // --- application ---
  std::expected<ReadView, StreamError> peek();
  void consume(std::size_t size, RecvCredit& connection);
  std::expected<void, StreamError> stop(std::uint64_t error_code, RecvCredit& connection);
  [[nodiscard]] std::uint64_t reset_code() const { return reset_code_; }
  /// Whether a read that found nothing finds something now; true once for each such read.
  [[nodiscard]] bool take_readable();

  // --- the peer ---
  Result on_stream(const wire::StreamFrame& frame, RecvCredit& connection);
  Result on_reset(const wire::ResetStreamFrame& frame, RecvCredit& connection);
  void on_blocked(std::uint64_t limit);

  // --- sending ---
  [[nodiscard]] bool has_control() const { return stop_pending_ || credit_.pending(); }
  void write_stop(PacketWriter& out, StreamId id);
  void write_credit(PacketWriter& out, StreamId id);
  void on_stop_fate(Fate fate);
  void on_credit_fate(const SentFrame& frame, Fate fate);

  // --- figures ---
  [[nodiscard]] RecvState state() const { return state_; }
  [[nodiscard]] bool done() const { return state_.is_terminal(); }
  /// Whether a read would give data or the end.
  [[nodiscard]] bool has_unread() const {
    return !stopped_ && !state_.is_reset() && !done() &&
           (buffer_.front() < buffer_.contiguous() || buffer_.front() == final_size_);
  }
  [[nodiscard]] const RecvBuffer& buffer() const { return buffer_; }
  /// Bytes for which the connection still owes credit.
  [[nodiscard]] std::uint64_t unsettled() const { return credit_.received() - settled_; }
  /// Whether state, final size, buffer and credit agree. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  static constexpr std::uint64_t kUnknown = ~std::uint64_t{0};
  Result check_size(std::uint64_t end, bool is_final, std::uint64_t type) const;
  Result take_credit(std::uint64_t end, RecvCredit& connection, std::uint64_t type);
  void settle(std::uint64_t end, RecvCredit& connection);

  RecvBuffer buffer_;
  std::uint64_t most_;  ///< Of the window.
  RecvCredit credit_;
  std::uint64_t final_size_ = kUnknown;
  std::uint64_t settled_ = 0;  ///< Bytes that the connection counts as consumed.
  std::uint64_t stop_code_ = 0;
  std::uint64_t reset_code_ = 0;
  RecvState state_;
  bool stopped_ = false;
  bool stop_pending_ = false;
  bool waits_for_data_ = true;
};

}  // namespace qpeer::transport
