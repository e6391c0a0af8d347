// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Finds the messages in the bytes of a control stream, however they are cut.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "qpeer/p2p/control_messages.hpp"

namespace qpeer::p2p {

/// Holds at most one message, within itself, so that what it gives points into nothing. Messages of
/// unknown type are skipped; they obey the same limit of size. Use:
///
///   reader.begin_turn();
///   do {
///     taken = reader.feed(what the stream has); consume(taken);
///     if (const auto message = reader.next()) on_message(*message);
///     if (reader.error() != ErrorCode::none) close;
///   } while (taken > 0);
class ControlReader {
 public:
  /// How many messages, unknown ones included, one turn gives: so much may a peer ask of us before
  /// the others have their turn.
  static constexpr std::size_t kMessagesPerTurn = 16;

  void begin_turn() { left_in_turn_ = kMessagesPerTurn; }

  /// Takes bytes from the front of `in`, up to the end of a message, and returns how many. 0 when
  /// `in` is empty, while next() has a message to give, when the turn is over (turn_over(); what is
  /// left is for the next), and when the stream cannot be read (error()).
  std::size_t feed(Bytes in);
  /// The message that feed() made whole: once.
  [[nodiscard]] std::optional<ControlMessage> next() {
    return std::exchange(message_, std::nullopt);
  }

  /// Whether feed() takes nothing because this turn has had its share.
  [[nodiscard]] bool turn_over() const { return left_in_turn_ == 0; }
  /// none, malformed or message_too_large. Latches.
  [[nodiscard]] ErrorCode error() const { return error_; }

 private:
  [[nodiscard]] bool take_header(Bytes& in);
  [[nodiscard]] bool take_body(Bytes& in);
  void finish();

  std::array<u8, kMaxControlBody> body_;  // NOLINT: filled before it is read.
  std::array<u8, 16> header_{};
  std::size_t header_size_ = 0;
  bool header_whole_ = false;
  std::uint64_t type_ = 0;
  std::size_t body_length_ = 0;
  std::size_t body_size_ = 0;
  std::size_t left_in_turn_ = kMessagesPerTurn;
  std::optional<ControlMessage> message_;
  ErrorCode error_ = ErrorCode::none;
};

}  // namespace qpeer::p2p
