// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/recv_stream.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/wire/flow_frames.hpp"

namespace qpeer::transport {

std::expected<ReadView, StreamError> RecvStream::peek() {
  if (stopped_) return std::unexpected(StreamError::finished);
  if (state_.is_reset()) {
    // RFC 9000 §3.2 [rfc9000-3.2-2]: what was not read is gone.
    state_.on_reset_read();
    return std::unexpected(StreamError::reset);
  }
  const Bytes data = buffer_.peek();
  const bool fin = buffer_.front() + data.size() == final_size_;
  if (data.empty() && !fin) waits_for_data_ = true;
  return ReadView{.data = data, .fin = fin};
}

void RecvStream::consume(std::size_t size, RecvCredit& connection) {
  if (stopped_ || state_.is_reset() || state_.is_terminal()) return;
  const std::uint64_t before = buffer_.front();
  buffer_.consume(size);
  settle(buffer_.front(), connection);
  // RFC 9000 §13.3 [rfc9000-13.3-2]: a peer that has sent the final size needs no more credit.
  if (state_ == RecvState::recv) {
    if (most_ > kInitialWindow && buffer_.front() > kInitialWindow / 4) {
      credit_.set_window(std::min(most_, std::max(kInitialWindow, 4 * buffer_.front())));
    }
    credit_.consume(buffer_.front() - before);
  }
  if (buffer_.front() == final_size_) {
    state_.on_data_read();
  } else if (buffer_.front() == buffer_.contiguous()) {
    waits_for_data_ = true;
  }
}

std::expected<void, StreamError> RecvStream::stop(std::uint64_t error_code,
                                                  RecvCredit& connection) {
  if (stopped_ || state_.is_terminal()) return std::unexpected(StreamError::finished);
  stopped_ = true;
  settle(buffer_.highest(), connection);
  buffer_.discard();
  credit_.stop();
  // RFC 9000 §3.5 [rfc9000-3.5-1] [rfc9000-3.5-7]: STOP_SENDING only while data may still arrive.
  stop_pending_ = state_.is_receiving();
  stop_code_ = std::min(error_code, kMaxVarint);
  state_.on_data_read();
  state_.on_reset_read();
  return {};
}

bool RecvStream::take_readable() {
  if (!waits_for_data_ || stopped_) return false;
  const bool any = buffer_.front() < buffer_.contiguous();
  if (!any && buffer_.front() != final_size_ && state_ != RecvState::reset_recvd) return false;
  waits_for_data_ = false;
  return true;
}

Result RecvStream::on_stream(const wire::StreamFrame& frame, RecvCredit& connection) {
  constexpr auto kType = std::to_underlying(wire::FrameType::stream);
  if (frame.offset > kMaxVarint || frame.data.size() > kMaxVarint - frame.offset) {
    // RFC 9000 §19.8 [rfc9000-19.8-2]: beyond what any credit could allow.
    return fail(TransportErrorCode::flow_control_error, "stream offset too large", kType);
  }
  const std::uint64_t end = frame.offset + frame.data.size();
  if (auto result = check_size(end, frame.fin, kType); !result) return result;
  if (!state_.is_receiving()) return {};
  if (auto result = take_credit(end, connection, kType); !result) return result;
  if (!buffer_.receive(frame.offset, frame.data)) {
    return fail(TransportErrorCode::internal_error, "too many gaps in a stream", kType);
  }
  if (frame.fin && state_.on_fin()) {
    final_size_ = end;
    credit_.stop();
  }
  if (stopped_) settle(buffer_.highest(), connection);
  if (buffer_.contiguous() == final_size_ && state_.on_all_data()) {
    stop_pending_ = false;
    if (stopped_) state_.on_data_read();
  }
  return {};
}

Result RecvStream::on_reset(const wire::ResetStreamFrame& frame, RecvCredit& connection) {
  constexpr auto kType = std::to_underlying(wire::FrameType::reset_stream);
  if (auto result = check_size(frame.final_size, true, kType); !result) return result;
  if (!state_.is_receiving()) return {};
  // RFC 9000 §4.5 [rfc9000-4.5-1]: bytes that never arrive count, too.
  if (auto result = take_credit(frame.final_size, connection, kType); !result) return result;
  state_.on_reset();
  final_size_ = frame.final_size;
  reset_code_ = frame.application_error_code;
  settle(final_size_, connection);
  buffer_.discard();
  credit_.stop();
  stop_pending_ = false;
  if (stopped_) state_.on_reset_read();
  return {};
}

void RecvStream::on_blocked(std::uint64_t limit) {
  if (state_ == RecvState::recv && !stopped_) credit_.on_blocked(limit);
}

// RFC 9000 §4.5 [rfc9000-4.5-3] [rfc9000-4.5-4]: once known, the final size does not change, and no
// data lies beyond it.
Result RecvStream::check_size(std::uint64_t end, bool is_final, std::uint64_t type) const {
  const bool known = final_size_ != kUnknown;
  if ((known && end > final_size_) || (known && is_final && end != final_size_) ||
      (is_final && end < buffer_.highest())) {
    return fail(TransportErrorCode::final_size_error, "final size of a stream changed", type);
  }
  return {};
}

// RFC 9000 §4.1 [rfc9000-4.1-2], §19.9 [rfc9000-19.9-2], §19.10 [rfc9000-19.10-4]: both limits.
Result RecvStream::take_credit(std::uint64_t end, RecvCredit& connection, std::uint64_t type) {
  const std::uint64_t counted = credit_.received();
  if (end <= counted) return {};
  const std::uint64_t size = end - counted;
  if (!credit_.allows(size)) {
    return fail(TransportErrorCode::flow_control_error, "stream data limit exceeded", type);
  }
  if (!connection.allows(size)) {
    return fail(TransportErrorCode::flow_control_error, "connection data limit exceeded", type);
  }
  credit_.receive(size);
  connection.receive(size);
  return {};
}

/// The connection may forget all bytes below `end`.
void RecvStream::settle(std::uint64_t end, RecvCredit& connection) {
  if (end <= settled_) return;
  // RFC 9000 §4.1: only what was charged is given back, and once.
  QPEER_INVARIANT(end <= credit_.received(), return);
  connection.consume(end - settled_);
  settled_ = end;
}

void RecvStream::write_stop(PacketWriter& out, StreamId id) {
  if (!stop_pending_) return;
  const wire::StopSendingFrame frame{id, stop_code_};
  stop_pending_ = !out.write(frame, {.owner = FrameOwner::stream_set,
                                     .type = static_cast<u8>(frame.kType),
                                     .stream = id,
                                     .offset = stop_code_});
}

void RecvStream::write_credit(PacketWriter& out, StreamId id) {
  if (!credit_.pending()) return;
  const wire::MaxStreamDataFrame frame{id, credit_.next_limit()};
  if (out.write(frame, {.owner = FrameOwner::stream_set,
                        .type = static_cast<u8>(frame.kType),
                        .stream = id,
                        .offset = frame.maximum_stream_data})) {
    credit_.raise();
  }
}

// RFC 9000 §13.3: until everything, or a reset, has arrived.
void RecvStream::on_stop_fate(Fate fate) {
  if (fate != Fate::acked && stopped_ && state_.is_receiving()) stop_pending_ = true;
}

void RecvStream::on_credit_fate(const SentFrame& frame, Fate fate) {
  if (fate != Fate::acked && state_ == RecvState::recv && !stopped_) credit_.on_lost(frame.offset);
}

bool RecvStream::consistent() const {
  if (!buffer_.consistent() || !credit_.consistent() || settled_ > credit_.received()) return false;
  if (credit_.outstanding() > most_) return false;
  const bool known = final_size_ != kUnknown;
  if (known == (state_ == RecvState::recv)) return false;
  if (known && (buffer_.highest() > final_size_ || credit_.received() != final_size_)) return false;
  if (!state_.is_reset() && buffer_.highest() != credit_.received()) return false;
  if (known && !state_.is_reset()) {
    const bool has_all = buffer_.contiguous() == final_size_;
    if (has_all == (state_ == RecvState::size_known)) return false;
  }
  if (state_.is_terminal() && settled_ != final_size_) return false;
  return !stop_pending_ || (stopped_ && state_.is_receiving());
}

}  // namespace qpeer::transport
