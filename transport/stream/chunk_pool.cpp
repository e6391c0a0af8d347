// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/chunk_pool.hpp"

#include <algorithm>
#include <new>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

ChunkPool::~ChunkPool() {
  remove_kept(kept_);
  for (Free*& list : free_) {
    while (list != nullptr) {
      Free* next = list->next;
      ::operator delete(list);
      list = next;
    }
  }
}

Chunk ChunkPool::acquire(std::size_t size) {
  QPEER_ASSERT(size <= kLargest);
  const std::size_t size_class = class_of(size);
  const std::size_t capacity = size_of(size_class);
  in_use_ += capacity;
  peak_ = std::max(peak_, in_use_);
  Free* block = free_[size_class];
  if (block == nullptr) {
    return {static_cast<u8*>(::operator new(capacity)), static_cast<std::uint32_t>(capacity), 0};
  }
  free_[size_class] = block->next;
  remove_kept(capacity);
  return {reinterpret_cast<u8*>(block), static_cast<std::uint32_t>(capacity), 0};
}

void ChunkPool::release(Chunk& chunk) {
  if (chunk.data == nullptr) return;
  const std::size_t size_class = class_of(chunk.capacity);
  QPEER_INVARIANT(in_use_ >= chunk.capacity, return);
  in_use_ -= chunk.capacity;
  if (all_have_room(chunk.capacity)) {
    free_[size_class] = ::new (chunk.data) Free{free_[size_class]};
    add_kept(chunk.capacity);
  } else {
    ::operator delete(chunk.data);
  }
  chunk = {};
  if (++releases_ == kPeriod) {
    earlier_peak_ = peak_;
    peak_ = in_use_;
    releases_ = 0;
  }
  if (kept_ > keep()) trim();
}

std::size_t ChunkPool::keep() const {
  return std::min(std::max(peak_, earlier_peak_) - in_use_ + kKeep, kKeepMost);
}

void ChunkPool::add_kept(std::size_t size) {
  kept_ += size;
  if (all_ != nullptr) all_->kept += size;
}

void ChunkPool::remove_kept(std::size_t size) {
  kept_ -= size;
  if (all_ != nullptr) all_->kept -= size;
}

void ChunkPool::trim() {
  for (std::size_t size_class = kClasses; size_class-- > 0;) {
    while (kept_ > keep() && free_[size_class] != nullptr) {
      Free* block = free_[size_class];
      free_[size_class] = block->next;
      remove_kept(size_of(size_class));
      ::operator delete(block);
    }
  }
}

bool ChunkPool::consistent() const {
  std::size_t kept = 0;
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    for (const Free* block = free_[size_class]; block != nullptr; block = block->next) {
      kept += size_of(size_class);
    }
  }
  return kept == kept_ && in_use_ <= peak_ && kept_ <= kKeepMost && releases_ < kPeriod &&
         (all_ == nullptr || (kept_ <= all_->kept && all_->kept <= all_->most));
}

}  // namespace qpeer::transport
