// A peer's lasting identity: a file with its private key and certificate.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>

#include "crypto/tls_session.hpp"
#include "transport/base/bytes.hpp"

namespace qpeer::cli {

struct Identity {
  crypto::Credentials credentials;
  std::array<u8, 32> id{};  ///< SHA-256 of the public key (SPKI).
};

/// The identity in the PEM file `path`: an Ed25519 key and its certificate. Makes the file, for its
/// owner only, when there is none. An empty path makes an identity that nobody keeps. Else why not.
[[nodiscard]] std::expected<Identity, std::string> load_identity(const std::string& path);

/// The text of a peer's name, and back: 64 hexadecimal digits.
[[nodiscard]] std::string id_text(const std::array<u8, 32>& id);
[[nodiscard]] std::expected<std::array<u8, 32>, std::string> parse_id(std::string_view text);

}  // namespace qpeer::cli
