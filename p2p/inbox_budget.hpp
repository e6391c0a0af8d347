// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How much of what peers sent is kept until the application takes it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "qpeer/p2p/byte_budget.hpp"
#include "qpeer/p2p/node_config.hpp"

namespace qpeer::p2p {

class InboxBudget : public ByteBudget {
 public:
  explicit InboxBudget(const NodeConfig& config)
      : ByteBudget({.peer = config.max_inbox_bytes,
                    .network = config.max_inbox_network,
                    .total = config.max_inbox_total}),
        max_message_size_(config.max_message_size) {}

  /// How much more may be kept of the peer's message; of its `oldest` one, so that something gets
  /// whole, beyond the limit of the peer. When is_full() only ask for the oldest of all, when the
  /// network is for the oldest of the network.
  [[nodiscard]] std::size_t room(const Account& account, bool oldest) const {
    const std::size_t shared =
        std::min(with_one_message(limits().total, total()),
                 with_one_message(limits().network, charged_to(account.network)));
    const std::size_t held = charged_to(account.peer);
    if (held < limits().peer) return std::min(shared, limits().peer - held);
    return oldest && held < limits().peer + max_message_size_ ? shared : 0;
  }

 private:
  /// What is left of a limit; of a full one, what one message may take beyond.
  [[nodiscard]] std::size_t with_one_message(std::size_t limit, std::size_t held) const {
    if (held < limit) return limit - held;
    return held < limit + max_message_size_ ? max_message_size_ : 0;
  }

  const std::size_t& max_message_size_;
};

}  // namespace qpeer::p2p
