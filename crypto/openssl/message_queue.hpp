// SPDX-License-Identifier: MIT OR BSD-3-Clause
// CRYPTO bytes of one encryption level on their way into TLS, cut where the TLS messages end.
//
//   bytes_:  | taken | lent | waiting |          lent never reaches past the end of a message
//                    begin_
//
// The cut shows whether anything is left when keys change (RFC 9001 §4.1.3), and tells the type of
// a message before TLS sees it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::crypto {

class MessageQueue {
 public:
  /// What a peer can make us hold, at one level.
  static constexpr std::size_t kMaxSize = 65'536;

  /// Adds ordered bytes; false when they would exceed kMaxSize. Not while something is lent.
  [[nodiscard]] bool append(Bytes data) {
    if (lent_ != 0 || bytes_.size() - begin_ + data.size() > kMaxSize) return false;
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return true;
  }

  /// The type of the message that starts with the next lend(); nullopt when that is within one, or
  /// when too little of it is there.
  [[nodiscard]] std::optional<u8> next_type() const {
    if (left_in_message_ != 0 || waiting() < kHeaderSize) return std::nullopt;
    return bytes_[begin_ + lent_];
  }

  /// What was not lent yet, to look at.
  [[nodiscard]] Bytes peek() const { return Bytes(bytes_).subspan(begin_ + lent_); }

  /// The next bytes, to the end of a message at most; empty when there are none. They stay where
  /// they are until take().
  [[nodiscard]] Bytes lend() {
    if (lent_ != 0) return {};
    if (left_in_message_ == 0) {
      if (waiting() < kHeaderSize) return {};
      Reader header{Bytes(bytes_).subspan(begin_)};
      header.byte();
      left_in_message_ = kHeaderSize + static_cast<std::size_t>(header.big_endian(3));
    }
    lent_ = std::min({waiting(), left_in_message_, kMaxLend});
    left_in_message_ -= lent_;
    return Bytes(bytes_).subspan(begin_, lent_);
  }

  /// Ends the loan: the bytes are gone.
  void take() {
    begin_ += lent_;
    lent_ = 0;
    if (begin_ == bytes_.size()) {
      bytes_.clear();
      begin_ = 0;
    }
  }

  /// How many bytes are here that are not lent.
  [[nodiscard]] std::size_t waiting() const { return bytes_.size() - begin_ - lent_; }

 private:
  static constexpr std::size_t kHeaderSize = 4;    // Type and length, RFC 8446 §4.
  static constexpr std::size_t kMaxLend = 16'384;  // A TLS record's worth, RFC 8446 §5.1.

  std::vector<u8> bytes_;
  std::size_t begin_ = 0;
  std::size_t lent_ = 0;
  std::size_t left_in_message_ = 0;  // Not lent yet.
};

}  // namespace qpeer::crypto
