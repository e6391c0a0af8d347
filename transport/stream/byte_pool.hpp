// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How many bytes of one kind the connections of an endpoint hold together: credit that they granted to
// their peers, data that they keep to send, or memory for their datagrams. Each connection has an account,
// or two for datagrams.
//
//   account    0 ... guaranteed() ... held        what lies above the guaranteed part is shared
//   pool       accounts x guaranteed()  +  shared bytes, at most shared_limit() in all
//
// The guaranteed part of an account is always there. Shared bytes have three bounds: that of the pool,
// the share of the account's network, and an eighth of what the other accounts leave: so busy accounts
// get about equal parts, and something is left for new ones.
//
// Invariant: the shared bytes of the pool are the sum over its networks, and none exceeds its bound.
// So held() <= limits().total, as long as there are no more accounts than the pool was made for. An
// account knows its network, so nothing is looked up when bytes are taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "qpeer/transport/stream/chunk_pool.hpp"
#include "qpeer/transport/stream/linked_queue.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::transport {

class BytePool;

/// Names a network; the caller decides which connections are of one network.
using PoolNetwork = std::uint64_t;
/// The caller's name for an account.
using PoolOwner = std::uint32_t;

/// In which pool an account is opened, and for whom. Without a pool nothing is bounded.
struct PoolMember {
  BytePool* pool = nullptr;
  PoolNetwork network = 0;
  PoolOwner owner = 0;
};

/// The pools of a connection: of credit that its streams grant, of what they keep to send, and of the
/// memory for its datagrams.
struct ConnectionPools {
  PoolMember receive_credit{};
  PoolMember send_buffers{};
  PoolMember datagrams{};
  FreeChunks* free_chunks = nullptr;  ///< Where those of its streams count.
};

/// What one connection holds of a pool. The destructor gives it back.
class PoolAccount {
 public:
  explicit PoolAccount(const PoolMember& member);
  ~PoolAccount();
  PoolAccount(const PoolAccount&) = delete;
  PoolAccount& operator=(const PoolAccount&) = delete;

  [[nodiscard]] bool is_bounded() const { return pool_ != nullptr; }
  [[nodiscard]] std::uint64_t held() const { return held_; }
  /// How many bytes may be taken now.
  [[nodiscard]] std::uint64_t room() const;
  /// Whether there is room for so much that waiting for more is not worth it.
  [[nodiscard]] bool has_room() const;
  /// Whether others may need what this account holds unused: it holds shared bytes, and more than half of
  /// those of the pool or of its network are taken.
  [[nodiscard]] bool should_give_back() const;
  /// Takes `size` bytes, which must be at most room().
  void take(std::uint64_t size);
  void give_back(std::uint64_t size);
  /// Waits for room: BytePool::next_to_wake() gives the owner when there is some.
  void wait();
  void stop_waiting();

 private:
  friend class BytePool;
  void take_shared(std::uint64_t size);
  void give_back_shared(std::uint64_t size);
  void set_held(std::uint64_t held);
  /// Whether both `held` and what is held now are within the guaranteed part.
  [[nodiscard]] bool is_own(std::uint64_t held) const;

  BytePool* pool_;
  PoolOwner owner_;
  std::uint64_t held_ = 0;
  std::uint64_t* network_shared_ = nullptr;
  PoolNetwork network_;
  QueueLink<PoolAccount> waiting_link_;
};

class BytePool {
 public:
  /// For at most `max_accounts` accounts. A total of less than 2 * kLeastGuaranteed for each is raised.
  BytePool(const PoolLimits& limits, std::size_t max_accounts);

  [[nodiscard]] const PoolLimits& limits() const { return limits_; }
  /// What each account may hold whatever the others do.
  [[nodiscard]] std::uint64_t guaranteed() const { return guaranteed_; }
  /// What all accounts may hold above that.
  [[nodiscard]] std::uint64_t shared_limit() const { return shared_limit_; }
  /// By all accounts.
  [[nodiscard]] std::uint64_t held() const { return held_; }
  [[nodiscard]] std::size_t accounts() const { return accounts_; }

  /// The owner of the next account that waits and has room now; that account no longer waits. Accounts
  /// come in the order in which they began to wait. To be called until nullopt after each call that
  /// gives something back.
  std::optional<PoolOwner> next_to_wake() {
    return waiting_.empty() ? std::nullopt : find_to_wake();
  }

  /// Whether the sums are right and within their bounds. For assertions.
  [[nodiscard]] bool consistent() const;

  static constexpr std::uint64_t kLeastGuaranteed = 1 << 10;
  static constexpr std::uint64_t kMostGuaranteed = 64 << 10;

 private:
  friend class PoolAccount;
  std::optional<PoolOwner> find_to_wake();

  /// What others leave is divided by this for the bound of one account.
  static constexpr std::uint64_t kParts = 8;

  struct Network {
    std::uint64_t shared = 0;
    std::size_t accounts = 0;
  };

  PoolLimits limits_;
  std::uint64_t guaranteed_;
  std::uint64_t shared_limit_;
  std::uint64_t wake_step_;  ///< Waiting accounts are examined when so many bytes were given back.
  std::map<PoolNetwork, Network> networks_;
  std::uint64_t shared_ = 0;
  std::uint64_t held_ = 0;
  std::size_t accounts_ = 0;
  LinkedQueue<PoolAccount, &PoolAccount::waiting_link_> waiting_;
  std::size_t waiting_count_ = 0;
  std::size_t to_look_at_ = 0;    ///< How many waiting accounts are not examined yet in this round.
  std::uint64_t given_back_ = 0;  ///< Since the last round began.
};

inline bool PoolAccount::is_own(std::uint64_t held) const {
  return pool_ != nullptr && held_ <= pool_->guaranteed_ && held <= pool_->guaranteed_;
}

inline void PoolAccount::give_back(std::uint64_t size) {
  if (is_own(held_) && size <= held_) [[likely]] {
    pool_->given_back_ += size;
    pool_->held_ -= size;
    held_ -= size;
    return;
  }
  give_back_shared(size);
}

inline void PoolAccount::take(std::uint64_t size) {
  if (is_own(held_ + size)) [[likely]] {  // Most write little and have it acknowledged soon.
    held_ += size;
    pool_->held_ += size;
    return;
  }
  take_shared(size);
}

inline bool PoolAccount::should_give_back() const {
  return pool_ != nullptr && held_ > pool_->guaranteed_ &&
         (pool_->shared_ > pool_->shared_limit_ / 2 ||
          *network_shared_ > pool_->limits_.network / 2);
}

}  // namespace qpeer::transport
