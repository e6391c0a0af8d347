// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The name of a peer: what its public key hashes to.
//
//   text = base32(id | checksum), lower case:  32 + 3 bytes = 280 bits = 56 characters, no padding
//   checksum = the first 3 bytes of SHA-256("qpeer-id" | id)
//
// RFC 4648 §6 for base32.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstring>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// The SHA-256 of a peer's public key (its SubjectPublicKeyInfo, DER). A default-made one is all
/// zeros, which names nobody.
class PeerId {
 public:
  /// Bytes of an id.
  static constexpr std::size_t kSize = 32;
  /// Characters of its text.
  static constexpr std::size_t kTextSize = 56;

  constexpr PeerId() = default;
  /// From the hash itself.
  constexpr explicit PeerId(const std::array<u8, kSize>& bytes) : bytes_(bytes) {}

  /// The hash.
  [[nodiscard]] constexpr const std::array<u8, kSize>& bytes() const { return bytes_; }
  /// Whether it names no peer.
  [[nodiscard]] constexpr bool is_zero() const { return bytes_ == std::array<u8, kSize>{}; }

  /// The whole name, of kTextSize characters. Reads back through parse().
  [[nodiscard]] std::string to_string() const;
  /// Its first 8 characters, for tables and logs. No proof of anything: others may begin so too.
  [[nodiscard]] std::string short_text() const;

  /// Reads to_string()'s form in upper or lower case, with white space around it; else a sentence
  /// that says what is wrong. One mistyped name in 16 million passes the checksum.
  [[nodiscard]] static std::expected<PeerId, std::string> parse(std::string_view text);

  friend constexpr bool operator==(const PeerId&, const PeerId&) = default;
  friend constexpr auto operator<=>(const PeerId&, const PeerId&) = default;

 private:
  std::array<u8, kSize> bytes_{};
};

}  // namespace qpeer

template <>
struct std::hash<qpeer::PeerId> {
  std::size_t operator()(const qpeer::PeerId& id) const noexcept {
    std::size_t out = 0;  // It is a hash already.
    std::memcpy(&out, id.bytes().data(), sizeof out);
    return out;
  }
};
