// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/config_error.hpp"

namespace qpeer {

std::string_view to_string(ConfigPart part) {
  switch (part) {
    case ConfigPart::library:
      return "library";
    case ConfigPart::alpn:
      return "application protocols";
    case ConfigPart::cipher_suites:
      return "cipher suites";
    case ConfigPart::groups:
      return "key exchange groups";
    case ConfigPart::tickets:
      return "tickets";
    case ConfigPart::credentials:
      return "credentials";
    case ConfigPart::trust:
      return "trust";
    case ConfigPart::identity:
      return "identity";
    case ConfigPart::advertised:
      return "advertised addresses";
    case ConfigPart::address:
      return "local address";
  }
  return "unknown";
}

}  // namespace qpeer
