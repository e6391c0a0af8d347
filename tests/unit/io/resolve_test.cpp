// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Host names to addresses.
#include "qpeer/transport/io/resolve.hpp"

#include <gtest/gtest.h>

#include <string_view>

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
  for (const std::string_view host :
       {std::string_view(""), std::string_view("[]"), std::string_view("no such host"),
        std::string_view("999.1.1.1.1:3"), std::string_view("127.0.0.1\0.example", 18)}) {
    const auto none = resolve(host, 1);
    ASSERT_FALSE(none) << host;
    EXPECT_FALSE(none.error().empty());
  }
}

}  // namespace
}  // namespace qpeer::io
