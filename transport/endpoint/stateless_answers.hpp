// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an endpoint answers without keeping state: Version Negotiation, Retry, refusals and
// stateless resets. They are small and limited in rate, so that nobody can be flooded with them.
// RFC 9000 §6.1, §8.1.2, §10.3, §21.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/crypto/address_token.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {

/// Allows `per_second` answers a second, with a burst of a tenth of that.
class RateLimiter {
 public:
  explicit RateLimiter(std::uint32_t per_second) : per_second_(per_second) {}
  bool allow(Instant now);

 private:
  std::uint32_t per_second_;
  Instant full_at_{};  ///< When the token bucket would be full again.
};

class StatelessAnswers {
 public:
  /// So many answers wait to be sent at most; further ones are dropped.
  static constexpr std::size_t kMaxPending = 64;

  StatelessAnswers(crypto::KeyFactory& keys, Random& random, std::uint32_t per_second)
      : keys_(keys),
        random_(random),
        negotiations_(per_second),
        retries_(per_second),
        refusals_(per_second),
        resets_(per_second) {}

  // Each answers the datagram that came over `path`; false when the limits forbid it.

  bool negotiate_version(Instant now, const Path& path, const wire::InvariantHeader& header,
                         const ConnectionConfig& config);
  bool retry(Instant now, const Path& path, const wire::ProtectedHeader& header,
             crypto::AddressTokens& tokens, const ConnectionId& retry_source_connection_id);
  /// An Initial with CONNECTION_CLOSE, sealed with the keys that anyone can derive.
  bool refuse(Instant now, const Path& path, const wire::ProtectedHeader& header,
              const TransportError& error);
  /// `received` is the size of the datagram: ours is always smaller, so that two endpoints without
  /// state cannot keep answering each other. §10.3.3.
  bool reset(Instant now, const Path& path, std::size_t received, const StatelessResetToken& token);

  [[nodiscard]] bool empty() const { return pending_.empty(); }
  std::optional<Transmit> poll_transmit(TransmitBuffer& out);
  /// Whether no more than the bound waits. For assertions.
  [[nodiscard]] bool consistent() const { return pending_.size() <= kMaxPending; }

 private:
  struct Answer {
    Path path;
    std::size_t size = 0;
    std::array<u8, 640> bytes{};  ///< A Version Negotiation with the longest IDs has 537.
  };
  /// nullptr when the queue is full or the limiter says no.
  Answer* open(Instant now, const Path& path, RateLimiter& limiter);

  crypto::KeyFactory& keys_;
  Random& random_;
  RateLimiter negotiations_;
  RateLimiter retries_;
  RateLimiter refusals_;
  RateLimiter resets_;
  Ring<Answer> pending_;
};

}  // namespace qpeer::transport
