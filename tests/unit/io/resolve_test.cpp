// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Host names to addresses.
#include "qpeer/transport/io/resolve.hpp"

#include <gtest/gtest.h>

namespace qpeer::io {
namespace {

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
