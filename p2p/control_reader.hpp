// Finds the messages in the bytes of a control stream, however they are cut.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "p2p/control_messages.hpp"

namespace qpeer::p2p {

/// Holds at most one unfinished message, within itself. Messages of unknown type are skipped; they
/// obey the same limit of size. Use:
///
///   reader.begin_turn();
///   while (auto message = reader.next(bytes)) ...;
///   // consume what `bytes` lost from its front; if (reader.error() != none) close.
class ControlReader {
 public:
  /// How many messages, unknown ones included, one turn gives: so much may a peer ask of us before
  /// the others have their turn.
  static constexpr std::size_t kMessagesPerTurn = 16;

  void begin_turn() { left_in_turn_ = kMessagesPerTurn; }

  /// Takes bytes from the front of `in` until a message is whole. nullopt when more bytes are
  /// needed (`in` is empty), when the turn is over (turn_over(); the rest of `in` is for the next),
  /// or when the stream cannot be read (error()); then nothing more is ever taken.
  [[nodiscard]] std::optional<ControlMessage> next(Bytes& in);

  /// Whether next() stopped because of its share and not for want of bytes.
  [[nodiscard]] bool turn_over() const { return left_in_turn_ == 0; }
  /// none, malformed or message_too_large. Latches.
  [[nodiscard]] ErrorCode error() const { return error_; }
  /// Whether a message has begun and not ended: an end of the stream here cuts it.
  [[nodiscard]] bool within_message() const { return header_size_ != 0; }

 private:
  [[nodiscard]] bool take_header(Bytes& in);
  [[nodiscard]] bool take_body(Bytes& in);
  [[nodiscard]] std::optional<ControlMessage> finish();

  std::array<u8, kMaxControlBody> body_;  // NOLINT: filled before it is read.
  std::array<u8, 16> header_{};
  std::size_t header_size_ = 0;
  bool header_whole_ = false;
  std::uint64_t type_ = 0;
  std::size_t body_length_ = 0;
  std::size_t body_size_ = 0;
  std::size_t left_in_turn_ = kMessagesPerTurn;
  ErrorCode error_ = ErrorCode::none;
};

}  // namespace qpeer::p2p
