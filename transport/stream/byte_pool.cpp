// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/byte_pool.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint64_t above(std::uint64_t value, std::uint64_t bound) {
  return value > bound ? value - bound : 0;
}

}  // namespace

// --- an account ----------------------------------------------------------------------------------

PoolAccount::PoolAccount(const PoolMember& member)
    : pool_(member.pool), owner_(member.owner), network_(member.network) {
  if (pool_ == nullptr) return;
  BytePool::Network& network = pool_->networks_[network_];
  ++network.accounts;
  network_shared_ = &network.shared;  // A map's elements stay where they are.
  ++pool_->accounts_;
}

PoolAccount::~PoolAccount() {
  if (pool_ == nullptr) return;
  stop_waiting();
  give_back(held_);
  --pool_->accounts_;
  const auto at = pool_->networks_.find(network_);
  if (--at->second.accounts == 0) pool_->networks_.erase(at);
}

std::uint64_t PoolAccount::room() const {
  if (pool_ == nullptr) return ~std::uint64_t{0};
  const std::uint64_t own = above(held_, pool_->guaranteed_);
  const std::uint64_t free = above(pool_->shared_limit_, pool_->shared_);
  const std::uint64_t fair = above((free + own) / BytePool::kParts, own);
  const std::uint64_t network = above(pool_->limits_.network, *network_shared_);
  return above(pool_->guaranteed_, held_) + std::min({free, fair, network});
}

bool PoolAccount::has_room() const {
  return pool_ == nullptr || room() >= std::max<std::uint64_t>(pool_->guaranteed_ / 4, 1);
}

void PoolAccount::take_shared(std::uint64_t size) {
  if (pool_ != nullptr) QPEER_INVARIANT(size <= room(), return);
  set_held(held_ + size);
}

void PoolAccount::give_back_shared(std::uint64_t size) {
  QPEER_INVARIANT(size <= held_, return);
  if (pool_ != nullptr) pool_->given_back_ += size;
  set_held(held_ - size);
}

void PoolAccount::set_held(std::uint64_t held) {
  if (pool_ != nullptr) {
    const std::uint64_t before = above(held_, pool_->guaranteed_);
    const std::uint64_t after = above(held, pool_->guaranteed_);
    pool_->held_ += held - held_;
    pool_->shared_ += after - before;
    *network_shared_ += after - before;
  }
  held_ = held;
}

void PoolAccount::wait() {
  if (pool_ == nullptr || pool_->waiting_.contains(*this)) return;
  pool_->waiting_.push_back(*this);
  ++pool_->waiting_count_;
}

void PoolAccount::stop_waiting() {
  if (pool_ == nullptr || !pool_->waiting_.contains(*this)) return;
  pool_->waiting_.remove(*this);
  --pool_->waiting_count_;
  pool_->to_look_at_ = std::min(pool_->to_look_at_, pool_->waiting_count_);
}

// --- the pool ------------------------------------------------------------------------------------

BytePool::BytePool(const PoolLimits& limits, std::size_t max_accounts) : limits_(limits) {
  const std::uint64_t most = std::max<std::uint64_t>(max_accounts, 1);
  limits_.total = std::max<std::uint64_t>(limits_.total, 2 * kLeastGuaranteed * most);
  guaranteed_ = std::min(limits_.total / 2 / most, kMostGuaranteed);
  shared_limit_ = limits_.total - guaranteed_ * most;
  limits_.network = std::min<std::uint64_t>(limits_.network, shared_limit_);
  wake_step_ = std::clamp<std::uint64_t>(limits_.network / 64, 1, 64 << 10);
}

std::optional<PoolOwner> BytePool::find_to_wake() {
  if (to_look_at_ == 0) {
    if (waiting_.empty() || given_back_ < wake_step_) return std::nullopt;
    given_back_ = 0;
    to_look_at_ = waiting_count_;
  }
  for (; to_look_at_ > 0; --to_look_at_) {
    PoolAccount& account = waiting_.front();
    if (account.has_room()) {
      const PoolOwner owner = account.owner_;
      --to_look_at_;
      account.stop_waiting();
      return owner;
    }
    waiting_.rotate();  // After a whole round they stand in the same order.
  }
  return std::nullopt;
}

bool BytePool::consistent() const {
  std::uint64_t shared = 0;
  std::size_t accounts = 0;
  for (const auto& [id, network] : networks_) {
    if (network.accounts == 0 || network.shared > limits_.network) return false;
    shared += network.shared;
    accounts += network.accounts;
  }
  return shared == shared_ && shared_ <= shared_limit_ && accounts == accounts_ &&
         held_ <= shared_ + accounts_ * guaranteed_ && waiting_.count() == waiting_count_ &&
         to_look_at_ <= waiting_count_;
}

}  // namespace qpeer::transport
