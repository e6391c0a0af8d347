// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Bytes by their offset in a stream: a sliding window of slots, each with a chunk or none.
//
//   slot = offset / 64 KiB        floor                      (nothing below it is needed)
//   |  released  |  released  |·····[ chunk    |   (none)   |  [ chunk ]
//                                   base: where in its slot a chunk begins, never below the floor
//
// A chunk is at most four times as large as the distance from its base to the last byte it had to
// hold, or 1 KiB; except that streams past their first slot get large ones while the pool can
// spare them or when they hold a slot's worth anyway. So a small stream holds little memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/stream/chunk_pool.hpp"

namespace qpeer::transport {

class ChunkStore {
 public:
  static constexpr std::size_t kSlot = ChunkPool::kLargest;

  explicit ChunkStore(ChunkPool& pool) : pool_(pool) {}
  ChunkStore(const ChunkStore&) = delete;
  ChunkStore& operator=(const ChunkStore&) = delete;
  ~ChunkStore() { clear(); }

  /// Keeps a copy of `data`, which lies at `offset`, not below the floor.
  void copy_in(std::uint64_t offset, Bytes data);
  /// Copies what was put at `offset`.
  void copy_out(std::uint64_t offset, MutableBytes out) const;
  /// What was put at [offset, end), as far as it lies in one chunk.
  [[nodiscard]] Bytes view(std::uint64_t offset, std::uint64_t end) const;

  /// Raises the floor; what lies below is given back.
  void release_until(std::uint64_t floor);
  /// Gives all back; the floor stays.
  void clear();

  /// The memory of its chunks. For assertions, as is consistent().
  [[nodiscard]] std::size_t memory() const;
  /// Whether there is a chunk only where there may be one, and none begins below the floor.
  [[nodiscard]] bool consistent() const;

 private:
  Chunk& reserve(std::uint64_t slot, std::size_t end);
  void cover(std::uint64_t slot);
  [[nodiscard]] Chunk& at(std::uint64_t slot) { return chunks_[slot & (capacity_ - 1)]; }
  [[nodiscard]] const Chunk& at(std::uint64_t slot) const {
    return chunks_[slot & (capacity_ - 1)];
  }

  ChunkPool& pool_;
  std::uint64_t floor_ = 0;
  std::uint64_t first_ = 0;  ///< Slots [first_, end_) may have a chunk; all others have none.
  std::uint64_t end_ = 0;
  std::array<Chunk, 2> inline_{};
  std::unique_ptr<Chunk[]> block_;
  Chunk* chunks_ = inline_.data();
  std::size_t capacity_ = 2;  ///< A power of two.
};

}  // namespace qpeer::transport
