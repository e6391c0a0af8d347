// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/used_tokens.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace qpeer::transport {
namespace {

constexpr std::size_t kSmallest = 64;  // Slots; a power of two, as all sizes are.

/// A search ends at a free slot, so that some must be left.
constexpr std::size_t full(std::size_t slots) { return slots - slots / 4; }

}  // namespace

UsedTokens::UsedTokens(Duration lifetime, std::size_t memory)
    : lifetime_(lifetime), capacity_(full(std::bit_floor(memory / (2 * sizeof(std::uint64_t))))) {
  if (capacity_ < full(kSmallest)) capacity_ = 0;
}

std::size_t UsedTokens::memory() const {
  return (current_.slots.capacity() + previous_.slots.capacity()) * sizeof(std::uint64_t);
}

/// Begins a new generation when the current one is as old as a token lives: all that the generation
/// before it holds has expired.
void UsedTokens::rotate(Instant now) {
  if (now - began_ < lifetime_) return;
  previous_ = now - began_ < 2 * lifetime_ ? std::move(current_) : Generation{};
  current_ = {};
  began_ = now;
}

bool UsedTokens::contains(const Generation& generation, std::uint64_t id) {
  const std::size_t size = generation.slots.size();
  if (size == 0) return false;
  for (std::size_t at = id & (size - 1); generation.slots[at] != 0; at = (at + 1) & (size - 1)) {
    if (generation.slots[at] == id) return true;
  }
  return false;
}

UsedTokens::Use UsedTokens::look(Instant now, std::uint64_t id) {
  rotate(now);
  id = std::max<std::uint64_t>(id, 1);
  if (contains(current_, id) || contains(previous_, id)) return Use::again;
  return current_.used < capacity_ ? Use::first : Use::unknown;
}

UsedTokens::Use UsedTokens::use(Instant now, std::uint64_t id) {
  const Use found = look(now, id);
  if (found != Use::first) return found;
  id = std::max<std::uint64_t>(id, 1);
  if (current_.used == full(current_.slots.size())) grow();
  insert(current_.slots, id);
  ++current_.used;
  return Use::first;
}

void UsedTokens::grow() {
  std::vector<std::uint64_t> larger(std::max(kSmallest, 2 * current_.slots.size()));
  for (const std::uint64_t id : current_.slots) {
    if (id != 0) insert(larger, id);
  }
  current_.slots = std::move(larger);
}

void UsedTokens::insert(std::vector<std::uint64_t>& slots, std::uint64_t id) {
  std::size_t at = id & (slots.size() - 1);
  while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
  slots[at] = id;
}

}  // namespace qpeer::transport
