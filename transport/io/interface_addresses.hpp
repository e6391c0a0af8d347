// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The IP addresses of this machine, by its interfaces.
#pragma once

#include <vector>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io {

/// Those of the interfaces that work now, each with port 0; link-local ones of IPv6 with their zone. Empty where
/// the system does not say. Asks the system, and never blocks. Any thread.
[[nodiscard]] std::vector<SocketAddress> read_interface_addresses();

}  // namespace qpeer::io
