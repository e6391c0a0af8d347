// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The global operators new and delete that count. Include in exactly one source of a program; the
// size lies in front of each block, so that live bytes are known.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#endif

#include "qpeer/tests/sim/counting_new.hpp"

namespace qpeer::sim {

inline bool allocation_trap_armed = false;

AllocationCounts& allocation_counts() {
  static constinit AllocationCounts counts;
  return counts;
}

AllocationTrap::AllocationTrap(bool armed) { allocation_trap_armed = armed; }
AllocationTrap::~AllocationTrap() { allocation_trap_armed = false; }

namespace counting {

/// Room for the size that keeps what follows aligned.
constexpr std::size_t front(std::size_t alignment) {
  return alignment < alignof(std::max_align_t) ? alignof(std::max_align_t) : alignment;
}

inline void tell_whom() {
#if __has_include(<execinfo.h>)
  allocation_trap_armed = false;
  void* frames[24];
  backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
  std::fputs("--\n", stderr);
  allocation_trap_armed = true;
#endif
}

inline void* allocate(std::size_t size, std::size_t alignment) {
  if (allocation_trap_armed) tell_whom();
  const std::size_t offset = front(alignment);
  const std::size_t total = (offset + size + offset - 1) / offset * offset;
  auto* const block = static_cast<std::byte*>(std::aligned_alloc(offset, total));
  if (block == nullptr) std::abort();
  *reinterpret_cast<std::size_t*>(block) = size;
  AllocationCounts& counts = allocation_counts();
  ++counts.allocations;
  ++counts.live;
  counts.live_bytes += size;
  return block + offset;
}

inline void release(void* pointer, std::size_t alignment) {
  if (pointer == nullptr) return;
  auto* const block = static_cast<std::byte*>(pointer) - front(alignment);
  AllocationCounts& counts = allocation_counts();
  --counts.live;
  counts.live_bytes -= *reinterpret_cast<std::size_t*>(block);
  std::free(block);
}

constexpr std::size_t kUsual = alignof(std::max_align_t);

}  // namespace counting
}  // namespace qpeer::sim

// NOLINTBEGIN(misc-new-delete-overloads)
void* operator new(std::size_t size) {
  return qpeer::sim::counting::allocate(size, qpeer::sim::counting::kUsual);
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return qpeer::sim::counting::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
void operator delete(void* pointer) noexcept {
  qpeer::sim::counting::release(pointer, qpeer::sim::counting::kUsual);
}
void operator delete[](void* pointer) noexcept { operator delete(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { operator delete(pointer); }
void operator delete(void* pointer, std::align_val_t alignment) noexcept {
  qpeer::sim::counting::release(pointer, static_cast<std::size_t>(alignment));
}
void operator delete[](void* pointer, std::align_val_t alignment) noexcept {
  operator delete(pointer, alignment);
}
void operator delete(void* pointer, std::size_t, std::align_val_t alignment) noexcept {
  operator delete(pointer, alignment);
}
void operator delete[](void* pointer, std::size_t, std::align_val_t alignment) noexcept {
  operator delete(pointer, alignment);
}
void operator delete(void* pointer, const std::nothrow_t&) noexcept { operator delete(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { operator delete(pointer); }
// NOLINTEND(misc-new-delete-overloads)
