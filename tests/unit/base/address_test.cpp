// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/address.hpp"

#include <gtest/gtest.h>

namespace qpeer {
namespace {

TEST(SocketAddress, TextRoundTrips) {
  for (const char* text :
       {"192.0.2.1:443", "0.0.0.0:0", "255.255.255.255:65535", "[2001:db8::1]:443", "[::]:0",
        "[::1]:1", "[fe80::1%2]:443", "[1::]:9", "[1:2:3:4:5:6:7:8]:9", "[1:0:0:2::3]:9",
        "[1:2:3:4:5:6:7:0]:9", "[0:1:2:3:4:5:6:7]:9", "[2001:db8::1:0:0:1]:9"}) {
    const auto address = SocketAddress::parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_TRUE(address->valid());
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(SocketAddress, ReadsOtherSpellingsOfAnAddress) {
  EXPECT_EQ(SocketAddress::parse("[2001:0DB8:0:0:0:0:0:1]:1"),
            SocketAddress::parse("[2001:db8::1]:1"));
  EXPECT_EQ(SocketAddress::parse("[64:ff9b::192.0.2.33]:1"),
            SocketAddress::parse("[64:ff9b::c000:221]:1"));
  EXPECT_EQ(SocketAddress::parse("[1:2:3:4:5:6:7::]:1"),
            SocketAddress::parse("[1:2:3:4:5:6:7:0]:1"));
}

TEST(SocketAddress, OnePeerHasOneSpelling) {
  const auto mapped = SocketAddress::parse("[::ffff:192.0.2.1]:443");
  ASSERT_TRUE(mapped.has_value());
  EXPECT_TRUE(mapped->is_ipv4());
  EXPECT_EQ(*mapped, SocketAddress::ipv4({192, 0, 2, 1}, 443));
  EXPECT_EQ(std::hash<SocketAddress>{}(*mapped),
            std::hash<SocketAddress>{}(SocketAddress::ipv4({192, 0, 2, 1}, 443)));
}

TEST(SocketAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text : {"",
                           ":",
                           "443",
                           ":443",
                           "192.0.2.1",
                           "192.0.2.1:",
                           "192.0.2.1:65536",
                           "192.0.2.1:+1",
                           "192.0.2.1:-1",
                           "192.0.2.1: 1",
                           "192.0.2:443",
                           "192.0.2.1.5:443",
                           "192.0.2.256:443",
                           "192.0.2.01:443",
                           "192.0.2.:443",
                           "192..2.1:443",
                           "host:443",
                           "[::1]",
                           "[::1]:",
                           "::1:443",
                           "[]:443",
                           "[:]:443",
                           "[:::]:443",
                           "[1::2::3]:443",
                           "[1.2.3.4::]:443",
                           "[1:2:3:4:5:6:7]:443",
                           "[1:2:3:4:5:6:7:8:9]:443",
                           "[1:2:3:4:5:6:7:8::]:443",
                           "[::1:]:443",
                           "[:1::]:443",
                           "[12345::]:443",
                           "[g::]:443",
                           "[192.0.2.1]:443",
                           "[::192.0.2.1:1]:443",
                           "[::1%]:443",
                           "[::1%x]:443",
                           "[::1:443",
                           "::1]:443"}) {
    EXPECT_FALSE(SocketAddress::parse(text).has_value()) << text;
  }
}

TEST(SocketAddress, DefaultIsUnspecified) {
  constexpr SocketAddress none;
  EXPECT_FALSE(none.valid());
  EXPECT_TRUE(none.octets().empty());
  EXPECT_EQ(none.to_string(), "unspecified");
  EXPECT_NE(none, SocketAddress::ipv4({0, 0, 0, 0}, 0));
}

TEST(SocketAddress, SameHostIgnoresThePortOnly) {
  const auto a = SocketAddress::ipv4({192, 0, 2, 1}, 1);
  EXPECT_TRUE(a.same_host(a.with_port(2)));
  EXPECT_NE(a, a.with_port(2));
  EXPECT_FALSE(a.same_host(SocketAddress::ipv4({192, 0, 2, 2}, 1)));
  EXPECT_FALSE(*SocketAddress::parse("[fe80::1%1]:1") == *SocketAddress::parse("[fe80::1%2]:1"));
}

}  // namespace
}  // namespace qpeer
