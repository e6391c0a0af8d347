// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Networks are counted apart. RFC 9000 §21.6.
#include "qpeer/transport/endpoint/handshake_counts.hpp"

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

HandshakeCounts::Prefix prefix(const char* address) {
  return HandshakeCounts::prefix_of(*SocketAddress::parse(address));
}

TEST(HandshakeCounts, ANetworkIs24BitsOfIpv4And56OfIpv6) {
  EXPECT_EQ(prefix("192.0.2.1:1"), prefix("192.0.2.255:2"));
  EXPECT_NE(prefix("192.0.2.1:1"), prefix("192.0.3.1:1"));
  EXPECT_EQ(prefix("[2001:db8:1:2ff::1]:1"), prefix("[2001:db8:1:200:ffff::9]:7"));
  EXPECT_NE(prefix("[2001:db8:1:2ff::1]:1"), prefix("[2001:db8:1:3ff::1]:1"));
  EXPECT_NE(prefix("0.0.1.0:1"), prefix("[::1:0:0:0:0]:1"));
}

TEST(HandshakeCounts, RemovingMoreThanWasAddedHasNoEffect) {
  HandshakeCounts counts;
  const auto one = prefix("192.0.2.1:1");
  const auto other = prefix("192.0.3.1:1");
  counts.add(one);
  counts.add(one);
  counts.add(other);
  EXPECT_EQ(counts.total(), 3U);
  EXPECT_EQ(counts.of(one), 2U);
  counts.remove(one);
  counts.remove(other);
  counts.remove(other);
  EXPECT_EQ(counts.total(), 1U);
  EXPECT_EQ(counts.of(one), 1U);
  EXPECT_EQ(counts.of(other), 0U);
}

}  // namespace
}  // namespace qpeer::transport
