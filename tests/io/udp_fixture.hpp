// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the tests of real sockets share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/support.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::io::testing_support {

using test::kLong;
using test::pattern;

inline SocketAddress address(std::string_view text) {
  const auto out = SocketAddress::parse(text);
  EXPECT_TRUE(out) << text;
  return out.value_or(SocketAddress{});
}

inline UdpSocket bind_to(std::string_view text, const UdpOptions& options = {}) {
  auto out = UdpSocket::bind(address(text), options);
  EXPECT_TRUE(out) << text << ": " << out.error().message();
  if (!out) throw std::system_error(out.error());
  return std::move(*out);
}

/// Whether this environment has an IPv6 loopback: the one thing a test may do without.
inline bool has_ipv6() { return UdpSocket::bind(address("[::1]:0")).has_value(); }
#define SKIP_WITHOUT_IPV6() \
  if (!::qpeer::io::testing_support::has_ipv6()) GTEST_SKIP() << "no IPv6 loopback here"

struct Copy {
  Path path;
  Ecn ecn = Ecn::not_ect;
  std::vector<u8> payload;
};

/// Waits until `socket` has received `count` datagrams, or too long.
inline std::vector<Copy> receive(UdpSocket& socket, std::size_t count,
                                 std::size_t regions = UdpSocket::kMaxRegions) {
  const std::size_t size = regions * UdpSocket::kRegionSize;
  const auto slab = std::make_unique_for_overwrite<u8[]>(size);
  std::vector<Copy> out;
  EventLoop loop;
  auto watch = loop.watch(socket.fd(), Interest::read, [&](Ready, Instant) {
    const auto received = socket.receive({slab.get(), size}, [&](const ReceivedDatagram& in) {
      out.push_back({in.path, in.ecn, {in.payload.begin(), in.payload.end()}});
    });
    EXPECT_TRUE(received) << received.error().message();
  });
  EXPECT_TRUE(watch);
  EXPECT_TRUE(loop.run_until([&] { return out.size() >= count; }, now() + kLong))
      << "got " << out.size() << " of " << count;
  EXPECT_EQ(out.size(), count);
  return out;
}

/// Sends a train to `to`, and expects that it leaves.
inline void send(UdpSocket& from, const SocketAddress& to, Bytes bytes, std::size_t segment_size,
                 Ecn ecn = Ecn::not_ect, const SocketAddress& source = {}) {
  const Transmit transmit{.path = {.local = source, .remote = to},
                          .ecn = ecn,
                          .size = bytes.size(),
                          .segment_size = segment_size};
  const auto sent = from.send(transmit, bytes);
  ASSERT_TRUE(sent) << sent.error().message();
  EXPECT_TRUE(*sent);
}

}  // namespace qpeer::io::testing_support
