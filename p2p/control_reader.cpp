// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/control_reader.hpp"

#include <algorithm>

namespace qpeer::p2p {

std::size_t ControlReader::feed(Bytes in) {
  const std::size_t given = in.size();
  while (error_ == ErrorCode::none && !message_ && left_in_turn_ > 0) {
    if (!take_header(in) || !take_body(in)) break;
    finish();
  }
  return given - in.size();
}

// Byte by byte: type and length are whole as soon as both can be read.
bool ControlReader::take_header(Bytes& in) {
  while (!header_whole_) {
    if (in.empty()) return false;
    header_[header_size_++] = in[0];
    in = in.subspan(1);
    Reader reader{Bytes(header_).first(header_size_)};
    type_ = reader.varint();
    const std::uint64_t length = reader.varint();
    if (!reader.ok()) continue;
    if (length > kMaxControlBody) {
      error_ = ErrorCode::message_too_large;
      return false;
    }
    body_length_ = static_cast<std::size_t>(length);
    body_size_ = 0;
    header_whole_ = true;
  }
  return true;
}

bool ControlReader::take_body(Bytes& in) {
  const std::size_t taken = std::min(in.size(), body_length_ - body_size_);
  if (is_known_control(type_)) {
    copy(in.first(taken), MutableBytes(body_).subspan(body_size_));
  }
  body_size_ += taken;
  in = in.subspan(taken);
  return body_size_ == body_length_;
}

void ControlReader::finish() {
  header_size_ = 0;
  header_whole_ = false;
  --left_in_turn_;
  if (!is_known_control(type_)) return;
  Reader body{Bytes(body_).first(body_length_)};
  message_ = decode_control(type_, body);
  if (!message_) error_ = ErrorCode::malformed;
}

}  // namespace qpeer::p2p
