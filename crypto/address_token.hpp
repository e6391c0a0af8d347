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

/// What a Retry token carries through the client back to us. RFC 9000 §7.3, §8.1.2. The caller of
/// open_retry() compares `version` with that of the packet that brought the token, RFC 9369 §4.1, §5.
struct RetryToken {
  /// The Destination Connection ID of the client's first Initial.
  ConnectionId original_destination_connection_id;
  /// The Source Connection ID of our Retry packet.
  ConnectionId retry_source_connection_id;
  Version version = Version::v1;  ///< Of the Retry packet.
};

/// Why a token proves nothing.
enum class TokenError : u8 {
  not_ours,       ///< Not sealed by us, or under a key that is no longer used.
  expired,        ///< Ours, but its lifetime is over.
  wrong_address,  ///< Ours, but given to a client at another address.
};

/// Seals and opens the tokens of Retry packets and of NEW_TOKEN frames, without state: all that a
/// token proves is in it. The keys are derived from one master key and the time, a new one each
/// lifetime of its kind, so that processes that share the master key, and a clock, open each other's
/// tokens. A token is bound to the client's IP address, a Retry token also to the client's port and
/// connection IDs, and it contains its expiry time. This class does not notice when a token is used
/// twice: the caller does, by id_of(). Single-threaded; memory is constant.
class AddressTokens {
 public:
  /// A master key. A secret.
  using Key = std::array<u8, 32>;
  /// What a set of tokens is made with.
  struct Config {
    Key key{};                      ///< The master key; all zero draws a random one.
    Duration retry_lifetime = 15s;  ///< Of a Retry token.
    Duration new_token_lifetime = std::chrono::hours(24);  ///< Of a NEW_TOKEN token.
    /// Unix time minus Instant, which turns our clock into one that all processes with this key
    /// agree on. Zero is enough for a key that is not shared.
    Duration clock_offset{};
  };
  /// The largest token of any kind.
  static constexpr std::size_t kMaxSize = 128;

  /// `random` must outlive this object.
  AddressTokens(Random& random, Config config);
  AddressTokens(AddressTokens&&) noexcept;
  ~AddressTokens();

  /// How the token was given out, if it looks like one of ours: nothing in it is proved yet.
  static std::optional<TokenKind> kind_of(Bytes token);
  /// An identifier of a token that was opened, for a record of used tokens.
  static std::uint64_t id_of(Bytes token);

  /// Writes a Retry token into `out` (at least kMaxSize bytes) and returns its size.
  std::size_t seal_retry(Instant now, const SocketAddress& client, const RetryToken& token,
                         MutableBytes out);
  /// Writes a NEW_TOKEN token in the same way. `version` is that of the connection; open_new_token()
  /// returns it.
  std::size_t seal_new_token(Instant now, const SocketAddress& client, Version version,
                             MutableBytes out);

  /// What a Retry token carries, when it is ours, not expired, and of this client's address and port.
  std::expected<RetryToken, TokenError> open_retry(Instant now, const SocketAddress& client,
                                                   Bytes token);
  /// The version of the connection that the token was given out on, under the same conditions but
  /// for the port.
  std::expected<Version, TokenError> open_new_token(Instant now, const SocketAddress& client,
                                                    Bytes token);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Stateless reset tokens from a static key, so that they outlive a restart. RFC 9000 §10.3.2.
class ResetTokens {
 public:
  /// The secret that the tokens are derived from.
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
