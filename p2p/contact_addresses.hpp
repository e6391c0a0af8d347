// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which of its addresses a node names to those who are to reach it from elsewhere.
#pragma once

#include <optional>
#include <vector>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::p2p {

/// What a node knows about where it is.
struct AddressSources {
  SocketAddress bound{};                    ///< What its socket is bound to, perhaps any address.
  std::vector<SocketAddress> advertised{};  ///< As configured.
  std::optional<SocketAddress> mapped{};    ///< What its router maps to it.
  std::optional<SocketAddress> observed{};  ///< Where its peers agree that they see it.
  std::vector<SocketAddress>
      interfaces{};  ///< Of this machine, best first. Their ports do not count.
};

/// Best first, each once, at most eight and at least one: those that are configured, then those of the internet, then
/// those of private networks. Loopback where the socket is bound to it, or where there is nothing else.
[[nodiscard]] std::vector<SocketAddress> contact_addresses(const AddressSources& sources);

}  // namespace qpeer::p2p
