// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Sets the options of a new socket, and finds out which of them the kernel has. Internal to io.
#pragma once

#include <system_error>

#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io {

/// Sets up a socket that is not yet bound, so that its first datagram is treated as all others.
/// Fails only where going on would break a promise (SO_REUSEPORT asked for and refused).
[[nodiscard]] std::error_code configure(int fd, const SocketAddress& address,
                                        const UdpOptions& options, UdpCapabilities& out);

}  // namespace qpeer::io
