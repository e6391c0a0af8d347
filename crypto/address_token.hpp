// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Stateless tokens that prove that a client receives at its address. RFC 9000 §8.1.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer::crypto {

/// How a token reached the client. RFC 9000 §8.1.1.
enum class TokenKind : u8 { retry = 0x52, new_token = 0x4e };

/// What a Retry token carries through the client back to us. RFC 9000 §7.3, §8.1.2. Whoever opens
/// one compares `version` with that of the packet that brought it, RFC 9369 §4.1, §5.
struct RetryToken {
  /// The Destination Connection ID of the client's first Initial.
  ConnectionId original_destination_connection_id;
  /// The Source Connection ID of our Retry packet.
  ConnectionId retry_source_connection_id;
  Version version = Version::v1;  ///< Of the Retry packet.
};

/// Why a token proves nothing.
enum class TokenError : u8 {
  not_ours,       ///< Not a token of ours at all, or of a key long gone.
  expired,        ///< Ours, but too old.
  wrong_address,  ///< Ours, but of another address.
};

/// Seals and opens the tokens of Retry packets and of NEW_TOKEN frames, without state: all that a
/// token proves is in it. Their keys follow from one master key and the time, a new one each
/// lifetime of its kind, so that processes that share the master key, and a clock, open each other's
/// tokens. A token is bound to the client's IP address, that of a Retry to its port and connection
/// IDs too, and says when it ends. That each is used once is for its owner to see to, by id_of().
/// Single-threaded; memory is constant.
class AddressTokens {
 public:
  /// A master key. A secret.
  using Key = std::array<u8, 32>;
  /// What a set of tokens is made with.
  struct Config {
    Key key{};                      ///< The master key; all zero draws a random one.
    Duration retry_lifetime = 15s;  ///< Of a Retry token.
    Duration new_token_lifetime = std::chrono::hours(24);  ///< Of a NEW_TOKEN token.
    /// What an Instant lacks to the time that all who share the key agree on: Unix time. Zero will
    /// do for a key that is not shared.
    Duration clock_offset{};
  };
  /// The largest token of any kind.
  static constexpr std::size_t kMaxSize = 128;

  /// `random` must outlive it.
  AddressTokens(Random& random, Config config);
  AddressTokens(AddressTokens&&) noexcept;
  ~AddressTokens();

  /// How the token was given out, if it looks like one of ours: nothing in it is proved yet.
  static std::optional<TokenKind> kind_of(Bytes token);
  /// What tells a token that was opened from all others.
  static std::uint64_t id_of(Bytes token);

  /// Each writes a token into `out` (at least kMaxSize bytes) and returns its size.
  std::size_t seal_retry(Instant now, const SocketAddress& client, const RetryToken& token,
                         MutableBytes out);
  /// `version` is that of the connection, which open_new_token() gives back.
  std::size_t seal_new_token(Instant now, const SocketAddress& client, Version version,
                             MutableBytes out);

  /// What a Retry token carries, when it is ours, in time, and of this client's address and port.
  std::expected<RetryToken, TokenError> open_retry(Instant now, const SocketAddress& client,
                                                   Bytes token);
  /// The version of the connection that it was given out on.
  std::expected<Version, TokenError> open_new_token(Instant now, const SocketAddress& client,
                                                    Bytes token);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Stateless reset tokens from a static key, so that they outlive a restart. RFC 9000 §10.3.2.
class ResetTokens {
 public:
  /// The secret that the tokens follow from.
  using Key = std::array<u8, 32>;
  /// Copies the key.
  explicit ResetTokens(const Key& key) : key_(key) {}
  ResetTokens(const ResetTokens&) = default;
  ResetTokens& operator=(const ResetTokens&) = default;
  ~ResetTokens();  ///< Wipes the key.
  /// The token of this connection ID: always the same one for the same key.
  [[nodiscard]] StatelessResetToken token(const ConnectionId& id) const;

 private:
  Key key_;
};

}  // namespace qpeer::crypto
