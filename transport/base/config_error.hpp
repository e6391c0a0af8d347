// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What is wrong with a configuration.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// The part of a configuration that must change.
enum class ConfigPart : u8 {
  library,        ///< None: the OpenSSL that this program runs with lacks something.
  alpn,           ///< The application protocols.
  cipher_suites,  ///< Those of TLS.
  groups,         ///< Those of the key exchange.
  tickets,        ///< What resumption needs.
  credentials,    ///< A certificate or a private key.
  trust,          ///< The trust mode and the certificates of authorities.
  identity,       ///< The id of a peer is not that of its key.
  advertised,     ///< The addresses that a node says it has.
  address,        ///< The local address: ConfigError::cause has the operating system's reason.
};

/// The part in words, such as "cipher suites"; a literal.
std::string_view to_string(ConfigPart part);

/// Why nothing could be made of a configuration.
struct ConfigError {
  ConfigPart part{};        ///< What must change.
  std::string text;         ///< For people: one sentence without a full stop.
  std::error_code cause{};  ///< Of the operating system, where it refused; else none.
};

/// The text alone, which names the part where it must.
inline std::string to_string(const ConfigError& error) { return error.text; }

/// What a function returns that cannot use a configuration.
inline std::unexpected<ConfigError> config_error(ConfigPart part, std::string text,
                                                 std::error_code cause = {}) {
  return std::unexpected(ConfigError{.part = part, .text = std::move(text), .cause = cause});
}

}  // namespace qpeer
