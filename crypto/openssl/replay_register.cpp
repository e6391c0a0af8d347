// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The register of early data that was accepted.
#include <openssl/rand.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/openssl/handles.hpp"
#include "qpeer/crypto/resumption.hpp"

namespace qpeer::crypto {
namespace {

constexpr std::size_t kProbes = 16;

}  // namespace

/// The slots are made at the first use.
struct ReplayRegister::State {
  struct Slot {
    std::uint64_t fingerprint = 0;
    std::int64_t ends = 0;  ///< Free from then on.
  };

  std::mutex mutex;
  std::size_t size = 0;
  std::array<u8, 16>
      key{};  ///< A secret, so that a sender of ClientHellos cannot choose their slots.
  std::vector<Slot> slots;
};

ReplayRegister::ReplayRegister(std::size_t slots) : state_(std::make_unique<State>()) {
  state_->size = std::max(slots, kProbes);
  require(RAND_bytes(id_.data(), static_cast<int>(id_.size())) == 1);
  require(RAND_bytes(state_->key.data(), static_cast<int>(state_->key.size())) == 1);
}

ReplayRegister::~ReplayRegister() = default;

// RFC 9001 §9.2 [rfc9001-9.2-1]: as RFC 8446 §8.2 describes. A free slot among the first kProbes is
// taken only once all of them were searched. An equal fingerprint counts as the same ClientHello.
bool ReplayRegister::first_use(Bytes unique, std::int64_t now) {
  Sha256 hash;
  hash.update(state_->key);
  hash.update(unique);
  const auto digest = hash.finish();
  Reader in{Bytes(digest)};
  const std::uint64_t place = in.u64();
  const std::uint64_t fingerprint = in.u64();

  const std::lock_guard lock(state_->mutex);
  auto& slots = state_->slots;
  if (slots.empty()) slots.resize(state_->size);
  State::Slot* free = nullptr;
  for (std::size_t i = 0; i < kProbes; ++i) {
    State::Slot& slot = slots[(place + i) % slots.size()];
    if (slot.ends <= now) {
      if (free == nullptr) free = &slot;
    } else if (slot.fingerprint == fingerprint) {
      return false;
    }
  }
  if (free == nullptr) return false;
  *free = {.fingerprint = fingerprint, .ends = now + kWindow.count()};
  return true;
}

}  // namespace qpeer::crypto
