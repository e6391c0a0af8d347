// Stateless tokens that prove that a client receives at its address. RFC 9000 §8.1.
#pragma once

#include <array>
#include <expected>
#include <memory>

#include "transport/base/address.hpp"
#include "transport/base/bytes.hpp"
#include "transport/base/error.hpp"
#include "transport/base/ids.hpp"
#include "transport/base/random.hpp"
#include "transport/base/time.hpp"
#include "transport/base/version.hpp"

namespace qpeer::crypto {

/// What a Retry token carries through the client back to us. RFC 9000 §7.3, §8.1.2. Whoever opens
/// one compares `version` with that of the packet that brought it, RFC 9369 §4.1, §5.
struct RetryToken {
  ConnectionId original_destination_connection_id;
  ConnectionId retry_source_connection_id;
  Version version = Version::v1;
};

enum class TokenError : u8 {
  not_ours,       ///< Not a token of ours at all (or of a key long gone): treat as no token.
  expired,        ///< Ours, but too old.
  wrong_address,  ///< Ours, but of another address.
};

/// Seals and opens tokens under a key that rotates: a new key each `lifetime`, the one before it
/// still opens. A token is bound to the client's IP address and port and to its Retry connection
/// ID, and says when it ends. Single-threaded; memory is constant.
class AddressTokens {
 public:
  struct Config {
    Duration retry_lifetime = 15s;
  };
  /// The largest token that seal_retry makes.
  static constexpr std::size_t kMaxSize = 128;

  AddressTokens(Random& random, Config config);
  AddressTokens(AddressTokens&&) noexcept;
  ~AddressTokens();

  /// Writes a token into `out` (at least kMaxSize bytes) and returns its size.
  std::size_t seal_retry(Instant now, const SocketAddress& client, const RetryToken& token,
                         MutableBytes out);
  std::expected<RetryToken, TokenError> open_retry(Instant now, const SocketAddress& client,
                                                   Bytes token);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Stateless reset tokens from a static key, so that they outlive a restart. RFC 9000 §10.3.2.
class ResetTokens {
 public:
  using Key = std::array<u8, 32>;
  explicit ResetTokens(const Key& key) : key_(key) {}
  ResetTokens(const ResetTokens&) = default;
  ResetTokens& operator=(const ResetTokens&) = default;
  ~ResetTokens();  ///< Wipes the key.
  [[nodiscard]] StatelessResetToken token(const ConnectionId& id) const;

 private:
  Key key_;
};

}  // namespace qpeer::crypto
