// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Host names to addresses.
#include "qpeer/transport/io/resolve.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <vector>

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

SocketAddress loopback6(std::uint16_t port) {
  return SocketAddress::parse("[::1]:1")->with_port(port);
}

// Who owns a name must not make us dial thousands of hosts, nor hide one family behind the other.
TEST(Resolve, TakesABoundedNumberOfAddressesOfEachFamily) {
  std::vector<SocketAddress> all;
  for (std::uint16_t port = 1; port <= 1'000; ++port) {
    all.push_back(SocketAddress::loopback4(port));
    all.push_back(SocketAddress::loopback4(port));
  }
  for (std::uint16_t port = 1; port <= 20; ++port) all.push_back(loopback6(port));
  const auto taken = first_of_each_family(all);
  ASSERT_EQ(taken.size(), 2 * kMaxAddressesOfFamily);
  EXPECT_EQ(taken[1], SocketAddress::loopback4(2)) << "without repetition";
  EXPECT_EQ(taken[kMaxAddressesOfFamily], loopback6(1));
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
