// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Answers Binding requests: gives the sender the address that it is seen at. No state of senders is
// kept, and answers are limited in rate, so that no host can be flooded with them. RFC 8489 §6.3, §12.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "qpeer/p2p/nat/stun_message.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

struct StunServerConfig {
  std::uint32_t per_second = 1'000;       ///< Answers in any second; 0: none.
  std::uint32_t per_second_of_site = 20;  ///< The same to one /24 or /48.
};

/// Figures of a StunServer.
struct StunServerStats {
  std::uint64_t requests = 0;      ///< Binding requests that were read.
  std::uint64_t answers = 0;       ///< Of those: answered, with an error too.
  std::uint64_t rate_limited = 0;  ///< Of those: left without an answer.
};

/// A Machine whose events are none.
class StunServer {
 public:
  using Config = StunServerConfig;
  /// So many answers wait to be sent at most; further ones are dropped.
  static constexpr std::size_t kMaxPending = 64;
  /// Sites that have the same remainder of their hash by this share one limit.
  static constexpr std::size_t kSites = 1'024;

  explicit StunServer(Config config = {}) : config_(config) {}

  /// Decodes and answers it, where it is a request.
  void on_datagram(Instant now, ReceivedDatagram datagram);
  /// Answers a request. Nothing else is ever answered: a response to a response could go on for ever.
  void on_message(Instant now, const Path& path, const StunMessage& message);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] static Instant next_deadline() { return kNever; }
  void on_deadline(Instant /*now*/) {}
  static std::optional<StunMessage> poll_event() { return std::nullopt; }

  [[nodiscard]] const StunServerStats& stats() const { return stats_; }
  /// Whether what it counts agrees, and no more waits than may. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  struct Answer {
    Path path;
    StunMessage message;
  };
  /// When a bucket of tokens is full again.
  using Bucket = Instant;

  [[nodiscard]] bool take_tokens(Instant now, const SocketAddress& remote);

  Config config_;
  StunServerStats stats_;
  Bucket all_{};
  std::vector<Bucket> sites_;  ///< Made with the first request.
  Ring<Answer> pending_;
};

static_assert(Machine<StunServer>);

}  // namespace qpeer::p2p
