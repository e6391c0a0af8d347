// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Knocks: STUN indications with a token, by which a node that a host has not written to shows whether that
// host lets strangers through. Others decide where they go, so they are few and small.
//
// Invariant: in any second at most KnockConfig::per_second are admitted, of these one to each site, and at most
// half of them (one, if that is less) for those who ask from one site.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "qpeer/p2p/nat/stun_message.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

struct KnockConfig {
  std::uint32_t per_second = 5;  ///< Knocks in any second; 0: none.
};

class KnockSender {
 public:
  using Config = KnockConfig;
  /// Between two knocks to one site, a /24 or /48.
  static constexpr Duration kSiteInterval = 1s;
  /// So many wait for the socket at most.
  static constexpr std::size_t kMaxWaiting = 16;

  explicit KnockSender(Config config = {}) : config_(config) {}

  /// Whether a node at `asker` may have us knock at `target` now. Counts it, whether we knock or not.
  [[nodiscard]] bool admit(Instant now, const SocketAddress& asker, const SocketAddress& target);
  /// Sends what was admitted. `id` is the transaction ID, to which no answer comes.
  void send(const Path& path, const KnockToken& token, const StunTransactionId& id);
  std::optional<Transmit> poll_transmit(TransmitBuffer& out);

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] bool consistent() const;

 private:
  struct Recent {
    SocketAddress asker;  ///< Both are sites.
    SocketAddress target;
    Instant at{};
  };
  struct Waiting {
    Path path;
    StunMessage message;
  };

  Config config_;
  std::deque<Recent> recent_;  ///< Of the last second, oldest first.
  Ring<Waiting> waiting_;
  std::uint64_t sent_ = 0;
};

}  // namespace qpeer::p2p
