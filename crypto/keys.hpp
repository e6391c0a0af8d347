// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From secrets to keys. RFC 9001 §5.1, §5.2, §5.8, §6.1; RFC 9369 §3.3.
#pragma once

#include <array>
#include <memory>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer::crypto {

/// A traffic secret of 32 or 48 bytes. Wiped when it goes.
class Secret {
 public:
  /// The largest secret, in bytes.
  static constexpr std::size_t kMaxSize = 48;
  Secret() = default;
  explicit Secret(Bytes bytes);  ///< Takes kMaxSize bytes at most.
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();
  /// The secret; the view is valid while this object is.
  [[nodiscard]] Bytes bytes() const { return Bytes(octets_).first(size_); }

 private:
  std::array<u8, kMaxSize> octets_{};
  std::size_t size_ = 0;
};

/// The secrets of both directions of the Initial packets.
struct InitialSecrets {
  Secret client;  ///< Protects what the client sends.
  Secret server;  ///< Protects what the server sends.
};

/// Derives everything that protects packets. Stateless, so one object serves all connections of a
/// thread; tests and fuzzers inject one whose keys do nothing.
class KeyFactory {
 public:
  virtual ~KeyFactory() = default;

  /// RFC 9001 §5.2: from the Destination Connection ID of the client's first Initial.
  virtual InitialSecrets initial_secrets(Version version, Bytes destination_connection_id) = 0;

  /// RFC 9001 §5.1: the key, IV and header protection key of one direction. Initial secrets use
  /// aes_128_gcm_sha256.
  virtual PacketKeys packet_keys(Version version, CipherSuite suite, const Secret& secret) = 0;

  /// RFC 9001 §6.1: the next generation's secret ...
  virtual Secret next_secret(Version version, CipherSuite suite, const Secret& secret) = 0;
  /// ... and its packet protection; header protection stays that of the first generation.
  virtual std::unique_ptr<Aead> next_aead(Version version, CipherSuite suite,
                                          const Secret& secret) = 0;

  /// RFC 9001 §5.8: the tag of a Retry packet, over its bytes without the tag.
  virtual std::array<u8, kTagSize> retry_integrity_tag(Version version,
                                                       Bytes original_destination_connection_id,
                                                       Bytes retry_without_tag) = 0;
};

/// The real one, backed by OpenSSL. Lives for the whole process; safe from any thread.
KeyFactory& openssl_keys();

}  // namespace qpeer::crypto
