// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The memory of all stream buffers of a connection: blocks of four sizes, kept for reuse.
//
//   sizes   1 KiB   4 KiB   16 KiB   64 KiB
//
// Small streams hold small chunks, so that memory stays near what flow control granted. Free chunks
// are kept until used and free bytes together reach the recent peak of use plus kKeep, with at most
// kKeepMost free bytes; the rest goes back to the system. Recent are kPeriod to 2 * kPeriod releases.
// So a bulk transfer whose use of memory varies does not allocate, and the memory of a single burst is
// given back as the connection goes on. A connection at rest keeps what it has: so that many of them
// do not add up, those of an endpoint keep no more than FreeChunks::most together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

/// A block of memory; `data` is null when there is none. `base` is for the use of its holder.
struct Chunk {
  u8* data = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t base = 0;
};

/// How many bytes of free chunks the pools of several connections keep together.
struct FreeChunks {
  std::size_t most = 0;
  std::size_t kept = 0;
};

class ChunkPool {
 public:
  static constexpr std::size_t kLargest = 64 << 10;
  static constexpr std::size_t kKeep = 128 << 10;
  static constexpr std::size_t kKeepMost = 1 << 20;
  /// As long as no more than this is in use, long streams get large chunks at once.
  static constexpr std::size_t kGenerous = 2 << 20;

  static constexpr std::size_t kPeriod = 400;

  /// Free chunks count in `all`, too, if it is given; it must outlive the pool.
  explicit ChunkPool(FreeChunks* all = nullptr) : all_(all) {}
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;
  ~ChunkPool();

  /// A chunk of at least `size` (at most kLargest) bytes, uninitialised.
  [[nodiscard]] Chunk acquire(std::size_t size);
  /// Takes a chunk back and leaves `chunk` empty; an empty one is ignored.
  void release(Chunk& chunk);

  [[nodiscard]] bool generous() const { return in_use_ < kGenerous; }
  [[nodiscard]] std::size_t in_use() const { return in_use_; }
  [[nodiscard]] std::size_t kept() const { return kept_; }
  /// Whether the sums are those of the free chunks. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  static constexpr std::size_t kClasses = 4;
  struct Free {
    Free* next;
  };
  static constexpr std::size_t class_of(std::size_t size) {
    return size <= (1 << 10) ? 0 : size <= (4 << 10) ? 1 : size <= (16 << 10) ? 2 : 3;
  }
  static constexpr std::size_t size_of(std::size_t size_class) {
    return std::size_t{1} << (10 + 2 * size_class);
  }
  /// How many bytes of free chunks to keep now.
  [[nodiscard]] std::size_t keep() const;
  [[nodiscard]] bool all_have_room(std::size_t size) const {
    return all_ == nullptr || all_->kept + size <= all_->most;
  }
  void add_kept(std::size_t size);
  void remove_kept(std::size_t size);
  void trim();

  std::array<Free*, kClasses> free_{};
  std::size_t in_use_ = 0;
  std::size_t kept_ = 0;
  std::size_t peak_ = 0;          ///< The most that was in use in this period ...
  std::size_t earlier_peak_ = 0;  ///< ... and in the one before.
  std::size_t releases_ = 0;      ///< In this period.
  FreeChunks* all_;
};

}  // namespace qpeer::transport
