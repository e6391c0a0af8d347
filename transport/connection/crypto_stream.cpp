// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/crypto_stream.hpp"

#include <algorithm>

namespace qpeer::transport {

void CryptoStream::write_frames(PacketWriter& out) {
  while (!lost_.empty()) {
    const auto range = lost_.front();
    if (!write_range(out, range.begin, range.end)) return;
  }
  while (sent_ < outgoing_.size()) {
    if (!write_range(out, sent_, outgoing_.size())) return;
  }
}

/// False when not even a byte of the range fits.
bool CryptoStream::write_range(PacketWriter& out, std::uint64_t begin, std::uint64_t end) {
  const std::size_t header = wire::CryptoFrame::header_size(begin, out.remaining());
  if (out.remaining() <= header) return false;
  const std::size_t size =
      std::min<std::size_t>(static_cast<std::size_t>(end - begin), out.remaining() - header);
  const wire::CryptoFrame frame{
      .offset = begin, .data = Bytes(outgoing_).subspan(static_cast<std::size_t>(begin), size)};
  const SentFrame sent{.owner = FrameOwner::crypto_stream,
                       .length = static_cast<std::uint32_t>(size),
                       .stream = {},
                       .offset = begin};
  if (!out.write(frame, sent)) return false;
  (void)lost_.erase(begin, begin + size);  // Refused at the bound: then some is sent twice.
  sent_ = std::max(sent_, begin + size);
  return true;
}

void CryptoStream::on_fate(const SentFrame& frame, Fate fate) {
  const std::uint64_t end = frame.offset + frame.length;
  if (fate == Fate::acked) {
    (void)acknowledged_.insert(frame.offset, end);
    (void)lost_.erase(frame.offset, end);
  } else if (fate == Fate::lost && end <= outgoing_.size()) {
    (void)lost_.insert(frame.offset, end);
    for (const auto& range : acknowledged_) (void)lost_.erase(range.begin, range.end);
  }
}

Result CryptoStream::on_frame(const wire::CryptoFrame& frame) {
  const std::uint64_t end = frame.offset + frame.data.size();
  if (end <= consumed_) return {};
  // RFC 9000 §7.5 [rfc9000-7.5-3]: a bound on what the handshake may make us hold.
  if (end - consumed_ > limit_) {
    return fail(TransportErrorCode::crypto_buffer_exceeded, "handshake data too far ahead",
                static_cast<std::uint64_t>(wire::FrameType::crypto));
  }
  const std::uint64_t begin = std::max(frame.offset, consumed_);
  if (begin == end) return {};
  const std::uint64_t base = consumed_ - head_;  // The offset of incoming_[0].
  if (incoming_.size() < end - base) incoming_.resize(static_cast<std::size_t>(end - base));
  copy(frame.data.subspan(static_cast<std::size_t>(begin - frame.offset)),
       MutableBytes(incoming_).subspan(static_cast<std::size_t>(begin - base)));
  // Thousands of holes in a handshake are no accident.
  if (!received_.insert(begin, end)) {
    return fail(TransportErrorCode::crypto_buffer_exceeded, "handshake data in too many pieces",
                static_cast<std::uint64_t>(wire::FrameType::crypto));
  }
  return {};
}

Bytes CryptoStream::peek() const {
  if (received_.empty() || received_.front().begin != consumed_) return {};
  return Bytes(incoming_).subspan(head_,
                                  static_cast<std::size_t>(received_.front().end - consumed_));
}

void CryptoStream::consume(std::size_t size) {
  (void)received_.erase(consumed_, consumed_ + size);  // From the front: never splits.
  consumed_ += size;
  head_ += size;
  // Not each time: a peer that sends a byte a frame must not have us move all the rest for each.
  if (head_ < incoming_.size() - head_) return;
  incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
}

bool CryptoStream::consistent() const {
  const auto sent = [this](const IntervalSet& set) {
    return set.consistent() && (set.empty() || set.back().end <= sent_);
  };
  if (sent_ > outgoing_.size() || !sent(lost_) || !sent(acknowledged_)) return false;
  if (head_ > incoming_.size() || head_ > consumed_ || !received_.consistent()) return false;
  return received_.empty() || (received_.front().begin >= consumed_ &&
                               received_.back().end <= consumed_ - head_ + incoming_.size());
}

void CryptoStream::clear() { *this = CryptoStream(limit_); }

}  // namespace qpeer::transport
