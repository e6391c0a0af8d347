// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/chunk_store.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

void ChunkStore::copy_in(std::uint64_t offset, Bytes data) {
  QPEER_INVARIANT(offset >= floor_, return);
  while (!data.empty()) {
    const auto position = static_cast<std::size_t>(offset % kSlot);
    const std::size_t size = std::min(data.size(), kSlot - position);
    const Chunk& chunk = reserve(offset / kSlot, position + size);
    copy(data.first(size), MutableBytes(chunk.data + (position - chunk.base), size));
    data = data.subspan(size);
    offset += size;
  }
}

void ChunkStore::copy_out(std::uint64_t offset, MutableBytes out) const {
  while (!out.empty()) {
    const Bytes from = view(offset, offset + out.size());
    QPEER_INVARIANT(!from.empty(), return);
    copy(from, out);
    out = out.subspan(from.size());
    offset += from.size();
  }
}

Bytes ChunkStore::view(std::uint64_t offset, std::uint64_t end) const {
  const std::uint64_t slot = offset / kSlot;
  if (offset >= end || slot < first_ || slot >= end_) return {};
  const Chunk& chunk = at(slot);
  const auto position = static_cast<std::size_t>(offset % kSlot);
  return {chunk.data + (position - chunk.base),
          static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, kSlot - position))};
}

void ChunkStore::release_until(std::uint64_t floor) {
  floor_ = std::max(floor_, floor);
  const std::uint64_t first = floor_ / kSlot;
  for (; first_ < first && first_ < end_; ++first_) pool_.release(at(first_));
  first_ = std::max(first_, first);
  end_ = std::max(end_, first_);
}

std::size_t ChunkStore::memory() const {
  std::size_t memory = 0;
  for (std::size_t i = 0; i < capacity_; ++i) memory += chunks_[i].capacity;
  return memory;
}

bool ChunkStore::consistent() const {
  if (first_ > end_ || end_ - first_ > capacity_ || first_ < floor_ / kSlot) return false;
  std::size_t memory_within = 0;
  for (std::uint64_t slot = first_; slot < end_; ++slot) {
    const Chunk& chunk = at(slot);
    if ((chunk.data == nullptr) != (chunk.capacity == 0)) return false;
    if (chunk.base + std::size_t{chunk.capacity} > 2 * kSlot) return false;
    memory_within += chunk.capacity;
  }
  return memory_within == memory();
}

void ChunkStore::clear() {
  for (; first_ < end_; ++first_) pool_.release(at(first_));
  first_ = end_ = floor_ / kSlot;
}

/// The chunk of `slot`, with room up to the position `end` in it.
Chunk& ChunkStore::reserve(std::uint64_t slot, std::size_t end) {
  cover(slot);
  Chunk& chunk = at(slot);
  if (chunk.data != nullptr && chunk.base + std::size_t{chunk.capacity} >= end) return chunk;
  const auto base = static_cast<std::uint32_t>(slot == floor_ / kSlot ? floor_ % kSlot : 0);
  const bool large = slot != 0 && (pool_.generous() || end_ - first_ > 2);
  Chunk larger = pool_.acquire((large ? kSlot : end) - base);
  larger.base = base;
  const std::size_t skip = base - chunk.base;
  if (chunk.data != nullptr && skip < chunk.capacity) {
    const std::size_t keep = std::min<std::size_t>(chunk.capacity - skip, larger.capacity);
    copy(Bytes(chunk.data + skip, keep), MutableBytes(larger.data, larger.capacity));
  }
  pool_.release(chunk);
  return chunk = larger;
}

/// Makes `slot` one of [first_, end_).
void ChunkStore::cover(std::uint64_t slot) {
  QPEER_ASSERT(slot >= first_);
  if (slot < end_) return;
  if (slot - first_ >= capacity_) {
    std::size_t capacity = capacity_;
    while (slot - first_ >= capacity) capacity *= 2;
    auto larger = std::make_unique<Chunk[]>(capacity);
    for (std::uint64_t i = first_; i < end_; ++i) larger[i & (capacity - 1)] = at(i);
    block_ = std::move(larger);
    chunks_ = block_.get();
    capacity_ = capacity;
  }
  for (; end_ <= slot; ++end_) at(end_) = {};
}

}  // namespace qpeer::transport
