// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the application wrote to a stream and the peer has not acknowledged yet. RFC 9000 §13.3.
//
//   0        front            next             end
//   |  acked  |  sent, of it:  |   not yet sent  |
//             |  acked_, lost_ |
//
// acked_ and lost_ are disjoint and lie in [front, next). What is lost is sent before what is new.
#pragma once

#include <cstddef>
#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/interval_set.hpp"
#include "qpeer/transport/stream/chunk_store.hpp"

namespace qpeer::transport {

class SendBuffer {
 public:
  explicit SendBuffer(ChunkPool& pool) : store_(pool), acked_(kUnbounded), lost_(kUnbounded) {}

  [[nodiscard]] std::uint64_t front() const { return front_; }
  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::uint64_t end() const { return end_; }
  /// Bytes held: written and not yet acknowledged from the front.
  [[nodiscard]] std::uint64_t size() const { return end_ - front_; }
  [[nodiscard]] bool all_acked() const { return front_ == end_; }
  [[nodiscard]] bool has_lost() const { return !lost_.empty(); }
  /// The first range to be sent again; only when there is one.
  [[nodiscard]] IntervalSet::Range lost() const { return lost_.front(); }

  void append(Bytes data);
  void copy_out(std::uint64_t offset, MutableBytes out) const { store_.copy_out(offset, out); }

  void on_sent(std::uint64_t offset, std::uint64_t length);
  void on_acked(std::uint64_t offset, std::uint64_t length);
  void on_lost(std::uint64_t offset, std::uint64_t length);
  /// Treats all bytes as never sent: 0-RTT was rejected. RFC 9001 §4.6.2.
  void rewind();
  /// Drops the bytes; next() stays, as the final size.
  void clear();

  [[nodiscard]] std::size_t memory() const { return store_.memory(); }  ///< For assertions.
  /// Whether the map above holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  // The peer can make as many ranges as we have frames in flight; dropping one would lose data.
  static constexpr std::size_t kUnbounded = ~std::size_t{0};

  ChunkStore store_;
  std::uint64_t front_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
  IntervalSet acked_;
  IntervalSet lost_;
};

}  // namespace qpeer::transport
