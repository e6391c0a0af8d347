// Host names and ports as command lines spell them.
#include "transport/io/resolve.hpp"

#include <gtest/gtest.h>

namespace qpeer::io {
namespace {

TEST(SplitHostPort, TakesEverySpelling) {
  EXPECT_EQ(split_host_port("example.net:443", 1), (HostPort{"example.net", 443}));
  EXPECT_EQ(split_host_port("example.net", 4433), (HostPort{"example.net", 4433}));
  EXPECT_EQ(split_host_port("192.0.2.1:65535", 1), (HostPort{"192.0.2.1", 65535}));
  EXPECT_EQ(split_host_port("[2001:db8::1]:443", 1), (HostPort{"2001:db8::1", 443}));
  EXPECT_EQ(split_host_port("[2001:db8::1]", 7), (HostPort{"2001:db8::1", 7}));
  EXPECT_EQ(split_host_port("2001:db8::1", 7), (HostPort{"2001:db8::1", 7}));
  EXPECT_EQ(split_host_port("::", 7), (HostPort{"::", 7}));
}

TEST(SplitHostPort, RefusesTheRest) {
  for (const char* text : {"", ":443", "host:", "host:port", "host:65536", "host:-1", "host:4 ",
                           "[::1", "[]:443", "[::1]443", "[::1]:", "[::1]x:443"}) {
    EXPECT_FALSE(split_host_port(text, 1)) << text;
  }
}

TEST(Resolve, TakesLiteralsWithAndWithoutBrackets) {
  const auto v4 = resolve("127.0.0.1", 443);
  ASSERT_TRUE(v4) << v4.error();
  EXPECT_EQ(*v4, std::vector{SocketAddress::loopback4(443)});
  for (const char* host : {"2001:db8::1", "[2001:db8::1]"}) {
    const auto v6 = resolve(host, 443);
    ASSERT_TRUE(v6) << v6.error();
    EXPECT_EQ(*v6, std::vector{*SocketAddress::parse("[2001:db8::1]:443")});
  }
}

TEST(Resolve, SaysWhyNot) {
  for (const char* host : {"", "[]", "no such host", "999.1.1.1.1:3"}) {
    const auto none = resolve(host, 1);
    ASSERT_FALSE(none) << host;
    EXPECT_FALSE(none.error().empty());
  }
}

}  // namespace
}  // namespace qpeer::io
