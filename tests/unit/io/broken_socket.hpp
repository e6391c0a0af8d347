// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Makes a socket in use fail for good.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace qpeer::io::testing_support {

/// Puts another file in the place of this process's IPv4 socket of that port.
inline void break_socket(std::uint16_t port) {
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_in name{};
    socklen_t size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) continue;
    if (name.sin_family != AF_INET || ntohs(name.sin_port) != port) continue;
    const int other = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    EXPECT_EQ(::dup2(other, fd), fd);
    ::close(other);
    return;
  }
  ADD_FAILURE() << "no socket has port " << port;
}

}  // namespace qpeer::io::testing_support
