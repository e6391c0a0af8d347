// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The handshake bytes of one encryption level, both ways. RFC 9000 §7.5, §19.6.
//
// Sending keeps all bytes until the keys of the level go: handshakes are short, and a contiguous
// buffer makes resending trivial. Receiving reassembles within a bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/interval_set.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

class CryptoStream {
 public:
  /// Enough for a ClientHello of any kind. At this level nothing is known of the sender, and a byte
  /// far ahead costs all that lies before it.
  static constexpr std::size_t kMaxInitial = 16 << 10;

  /// `limit`: how far ahead of what was consumed the peer may send, at least 4096 bytes.
  explicit CryptoStream(std::size_t limit = 64 << 10) : limit_(limit) {}

  // --- sending ---------------------------------------------------------------------------------
  void send(Bytes data) { outgoing_.insert(outgoing_.end(), data.begin(), data.end()); }
  [[nodiscard]] bool has_frames() const { return sent_ < outgoing_.size() || !lost_.empty(); }
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

  // --- receiving -------------------------------------------------------------------------------
  /// CRYPTO_BUFFER_EXCEEDED past the limit.
  Result on_frame(const wire::CryptoFrame& frame);
  /// What is contiguous and not consumed yet; valid until the next call.
  [[nodiscard]] Bytes peek() const;
  void consume(std::size_t size);
  /// Bytes arrived that peek() does not reach: something before them is missing.
  [[nodiscard]] bool has_gap() const {
    return !received_.empty() && peek().size() < incoming_.size() - head_;
  }

  /// The level is over: frees everything.
  void clear();

  /// Whether what is noted of ranges lies within what was sent and what arrived. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  bool write_range(PacketWriter& out, std::uint64_t begin, std::uint64_t end);

  std::size_t limit_;
  std::vector<u8> outgoing_;
  std::uint64_t sent_ = 0;  ///< outgoing_ below this was sent once.
  IntervalSet lost_;
  IntervalSet acknowledged_;
  std::vector<u8> incoming_;    ///< From head_ on: stream bytes from consumed_ on, with holes.
  std::size_t head_ = 0;        ///< Consumed already; dropped when it is half of all.
  std::uint64_t consumed_ = 0;  ///< Offset of incoming_[head_].
  IntervalSet received_;        ///< Offsets present in incoming_.
};

}  // namespace qpeer::transport
