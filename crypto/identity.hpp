// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keys and certificates that we make and keep ourselves.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/random.hpp"

namespace qpeer::crypto {

/// The kinds of private key that generate_credentials makes.
enum class KeyType : u8 { ed25519, p256 };

/// A new private key and a self-signed certificate for it, valid for about ten years from a day
/// ago, CN and subjectAltName `name`, CA:FALSE.
Credentials generate_credentials(KeyType type, std::string_view name);

/// The SHA-256 of the SubjectPublicKeyInfo of a PEM private key; a sentence when it cannot be read.
std::expected<std::array<u8, 32>, std::string> spki_sha256(std::string_view private_key_pem);

/// The SHA-256 of the public key (SPKI) of credentials whose leaf certificate and private key belong
/// together; a sentence when they do not, or cannot be read.
std::expected<std::array<u8, 32>, std::string> check_credentials(const Credentials& credentials);

/// The SHA-256 of `data`.
std::array<u8, 32> sha256(Bytes data);

/// SHA-256 of data that comes in pieces.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  /// Takes the next piece.
  void update(Bytes data);
  std::array<u8, 32> finish();  ///< Ends it; only destruction or assignment may follow.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// OpenSSL's generators: the public and the private one are separate. One per thread.
Random& system_random();

}  // namespace qpeer::crypto
