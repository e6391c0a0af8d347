// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the peer sent on a stream and the application has not read yet. RFC 9000 §2.2.
//
//   0            front          contiguous                     highest
//   |  consumed   |  readable    |  hole  | beyond_ | hole | beyond_ |
//
// Bytes that come twice are dropped the second time where they were in order already; otherwise
// the later copy wins. They are not compared. RFC 9000 §2.2 [rfc9000-2.2-3] leaves that open.
//
// Memory is bounded by flow control (bytes) and by kMaxGaps (ranges): an honest peer has a hole for
// each lost packet at most. The connection of a peer that makes more is closed, as most stacks do: data
// in an acknowledged packet cannot be dropped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/interval_set.hpp"
#include "qpeer/transport/stream/chunk_store.hpp"

namespace qpeer::transport {

class RecvBuffer {
 public:
  static constexpr std::size_t kMaxGaps = 4096;

  explicit RecvBuffer(ChunkPool& pool) : store_(pool), beyond_(kMaxGaps) {}

  /// Takes in a frame's data. False when there are too many gaps.
  [[nodiscard]] bool receive(std::uint64_t offset, Bytes data);
  /// Readable bytes that lie together in memory.
  [[nodiscard]] Bytes peek() const { return store_.view(front_, contiguous_); }
  /// Gives back the first `size` readable bytes.
  void consume(std::uint64_t size);
  /// From now on only counts what arrives: nobody reads it.
  void discard();

  [[nodiscard]] std::uint64_t front() const { return front_; }
  [[nodiscard]] std::uint64_t contiguous() const { return contiguous_; }
  [[nodiscard]] std::uint64_t highest() const { return highest_; }

  [[nodiscard]] std::size_t memory() const { return store_.memory(); }  ///< For assertions.
  /// Whether the map above holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  void keep(std::uint64_t offset, Bytes data) {
    if (!discarding_) store_.copy_in(offset, data);
  }

  ChunkStore store_;
  std::uint64_t front_ = 0;
  std::uint64_t contiguous_ = 0;
  std::uint64_t highest_ = 0;
  IntervalSet beyond_;
  bool discarding_ = false;
};

}  // namespace qpeer::transport
