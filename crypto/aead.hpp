// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet and header protection as the transport sees them. RFC 9001 §5.3, §5.4, §6.6.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::crypto {

/// The TLS 1.3 cipher suites that QUIC can use here, by their code points.
enum class CipherSuite : std::uint16_t {
  aes_128_gcm_sha256 = 0x1301,
  aes_256_gcm_sha384 = 0x1302,
  chacha20_poly1305_sha256 = 0x1303,
};

/// All three suites have tags of this size.
inline constexpr std::size_t kTagSize = 16;

/// Seals or opens the packets of one direction under one key. The nonce is the IV xor the packet
/// number, so a number must never be sealed twice. Keeps its cipher context: no allocation per
/// packet. Single-threaded.
class Aead {
 public:
  virtual ~Aead() = default;

  /// Encrypts in place. The last kTagSize bytes of `payload_and_tag` are free and get the tag;
  /// `header` (the packet's unprotected header) is authenticated.
  virtual void seal(std::uint64_t packet_number, Bytes header, MutableBytes payload_and_tag) = 0;

  /// Decrypts in place all but the last kTagSize bytes. False when the tag is wrong or the input
  /// shorter than a tag; the contents are then unspecified.
  [[nodiscard]] virtual bool open(std::uint64_t packet_number, Bytes header,
                                  MutableBytes payload_and_tag) = 0;

  /// How many packets may be sealed with this key, RFC 9001 §6.6.
  [[nodiscard]] virtual std::uint64_t confidentiality_limit() const = 0;
  /// How many packets may fail to open, over all keys of a connection, RFC 9001 §6.6.
  [[nodiscard]] virtual std::uint64_t integrity_limit() const = 0;
};

/// Makes the masks that hide the first byte and the packet number. RFC 9001 §5.4.1.
class HeaderProtection {
 public:
  /// Bytes of ciphertext that a mask is made from. RFC 9001 §5.4.2.
  static constexpr std::size_t kSampleSize = 16;
  /// What is sampled of one packet.
  using Sample = std::array<u8, kSampleSize>;
  /// For the first byte and up to four bytes of packet number.
  using Mask = std::array<u8, 5>;

  virtual ~HeaderProtection() = default;

  /// masks[i] from samples[i]; both of one size. One call for many packets is far cheaper than
  /// many calls for one (AES).
  virtual void masks(std::span<const Sample> samples, std::span<Mask> masks) = 0;

  /// The mask of one packet. `sample` has at least kSampleSize bytes.
  Mask mask(Bytes sample) {
    Sample in{};
    copy(sample.first(kSampleSize), in);
    Mask out{};
    masks({&in, 1}, {&out, 1});
    return out;
  }
};

/// Both, for one direction at one encryption level.
struct PacketKeys {
  std::unique_ptr<Aead> aead;                           ///< Null when there are no keys.
  std::unique_ptr<HeaderProtection> header_protection;  ///< Null when there are no keys.

  /// Whether there are keys.
  explicit operator bool() const { return aead != nullptr; }
};

}  // namespace qpeer::crypto
