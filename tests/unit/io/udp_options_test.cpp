// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the kernel is asked for each socket.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io {
namespace {

// RFC 9000 §14 [rfc9000-14-2] [rfc9000-14-3]: no datagram is fragmented, by us or on its way, and
// the kernel's idea of the path does not count (RFC 9000 §14.2.1).
TEST(UdpOptions, DatagramsAreNeverFragmented) {
  const auto socket = UdpSocket::bind(SocketAddress::ipv4({127, 0, 0, 1}, 0));
  ASSERT_TRUE(socket.has_value());
  int value = 0;
  socklen_t size = sizeof value;
  ASSERT_EQ(getsockopt(socket->fd(), IPPROTO_IP, IP_MTU_DISCOVER, &value, &size), 0);
  EXPECT_EQ(value, IP_PMTUDISC_PROBE);
  EXPECT_TRUE(socket->capabilities().dont_fragment);
}

}  // namespace
}  // namespace qpeer::io
