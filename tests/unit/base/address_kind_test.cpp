// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Address kinds: each special block, its first and last address and its neighbours.
#include "qpeer/transport/base/address_kind.hpp"

#include <gtest/gtest.h>

namespace qpeer {
namespace {

SocketAddress at(const std::string& host) {
  const bool six = host.find(':') != std::string::npos;
  const auto address = SocketAddress::parse(six ? "[" + host + "]:443" : host + ":443");
  EXPECT_TRUE(address.has_value()) << host;
  return address.value_or(SocketAddress{});
}

struct Expected {
  const char* host;
  AddressScope scope;
};

constexpr auto kNone = AddressScope::none;
constexpr auto kLoopback = AddressScope::loopback;
constexpr auto kLink = AddressScope::link_local;
constexpr auto kPrivate = AddressScope::private_use;
constexpr auto kGlobal = AddressScope::global;

TEST(AddressKind, KnowsEveryBlockToItsEdges) {
  for (const auto& [host, scope] : std::initializer_list<Expected>{{"0.0.0.0", kNone},
                                                                   {"0.255.255.255", kNone},
                                                                   {"1.0.0.0", kGlobal},
                                                                   {"9.255.255.255", kGlobal},
                                                                   {"10.0.0.0", kPrivate},
                                                                   {"10.255.255.255", kPrivate},
                                                                   {"11.0.0.0", kGlobal},
                                                                   {"100.63.255.255", kGlobal},
                                                                   {"100.64.0.0", kPrivate},
                                                                   {"100.127.255.255", kPrivate},
                                                                   {"100.128.0.0", kGlobal},
                                                                   {"126.255.255.255", kGlobal},
                                                                   {"127.0.0.0", kLoopback},
                                                                   {"127.255.255.255", kLoopback},
                                                                   {"128.0.0.0", kGlobal},
                                                                   {"169.253.255.255", kGlobal},
                                                                   {"169.254.0.0", kLink},
                                                                   {"169.254.255.255", kLink},
                                                                   {"169.255.0.0", kGlobal},
                                                                   {"172.15.255.255", kGlobal},
                                                                   {"172.16.0.0", kPrivate},
                                                                   {"172.31.255.255", kPrivate},
                                                                   {"172.32.0.0", kGlobal},
                                                                   {"192.0.0.255", kNone},
                                                                   {"192.0.1.0", kGlobal},
                                                                   {"192.0.2.0", kNone},
                                                                   {"192.0.2.255", kNone},
                                                                   {"192.0.3.0", kGlobal},
                                                                   {"192.88.99.1", kNone},
                                                                   {"192.167.255.255", kGlobal},
                                                                   {"192.168.0.0", kPrivate},
                                                                   {"192.168.255.255", kPrivate},
                                                                   {"192.169.0.0", kGlobal},
                                                                   {"198.17.255.255", kGlobal},
                                                                   {"198.18.0.0", kNone},
                                                                   {"198.19.255.255", kNone},
                                                                   {"198.20.0.0", kGlobal},
                                                                   {"198.51.100.7", kNone},
                                                                   {"203.0.113.7", kNone},
                                                                   {"223.255.255.255", kGlobal},
                                                                   {"224.0.0.0", kNone},
                                                                   {"239.255.255.255", kNone},
                                                                   {"240.0.0.0", kNone},
                                                                   {"255.255.255.255", kNone},
                                                                   {"::", kNone},
                                                                   {"::1", kLoopback},
                                                                   {"::2", kNone},
                                                                   {"::7f00:1", kNone},
                                                                   {"100::1", kNone},
                                                                   {"1fff:ffff::1", kNone},
                                                                   {"2000::1", kGlobal},
                                                                   {"2001::1", kNone},
                                                                   {"2001:1ff:ffff::1", kNone},
                                                                   {"2001:200::1", kGlobal},
                                                                   {"2001:db7::1", kGlobal},
                                                                   {"2001:db8::1", kNone},
                                                                   {"2001:db9::1", kGlobal},
                                                                   {"2002:7f00:1::1", kNone},
                                                                   {"2003::1", kGlobal},
                                                                   {"2606:4700::1", kGlobal},
                                                                   {"3fff::1", kNone},
                                                                   {"3fff:fff:ffff::1", kNone},
                                                                   {"3fff:1000::1", kGlobal},
                                                                   {"4000::1", kNone},
                                                                   {"fbff:ffff::1", kNone},
                                                                   {"fc00::1", kPrivate},
                                                                   {"fdff:ffff::1", kPrivate},
                                                                   {"fe00::1", kNone},
                                                                   {"fe7f:ffff::1", kNone},
                                                                   {"fe80::1", kLink},
                                                                   {"febf:ffff::1", kLink},
                                                                   {"fec0::1", kNone},
                                                                   {"ff02::1", kNone},
                                                                   {"ff0e::1", kNone}}) {
    EXPECT_EQ(scope_of(at(host)), scope) << host;
  }
  EXPECT_EQ(scope_of(SocketAddress{}), kNone);
}

TEST(AddressKind, LooksThroughATranslatorToTheAddressBehindIt) {
  EXPECT_TRUE(is_global(at("64:ff9b::8.8.8.8")));
  EXPECT_EQ(scope_of(at("64:ff9b::127.0.0.1")), kNone);
  EXPECT_EQ(scope_of(at("64:ff9b::10.0.0.1")), kNone);
  EXPECT_EQ(scope_of(at("64:ff9b::224.0.0.1")), kNone);
  EXPECT_EQ(scope_of(at("64:ff9b:1::8.8.8.8")), kNone);
  EXPECT_TRUE(is_loopback(at("::ffff:127.0.0.1"))) << "mapped is IPv4";
}

TEST(AddressKind, PredicatesAgreeWithTheScope) {
  constexpr auto kHome = SocketAddress::ipv4({192, 168, 1, 1}, 1);
  static_assert(scope_of(kHome) == AddressScope::private_use && !is_global(kHome) &&
                !is_loopback(kHome));
  static_assert(is_loopback(SocketAddress::loopback4(1)));
  EXPECT_TRUE(is_link_local(at("fe80::1")));
  EXPECT_TRUE(is_global(at("8.8.8.8")));
  for (const char* host : {"224.0.0.0", "239.255.255.255", "ff00::", "ff02::1"}) {
    EXPECT_TRUE(is_multicast(at(host))) << host;
  }
  for (const char* host : {"223.255.255.255", "240.0.0.0", "fe80::1", "::"}) {
    EXPECT_FALSE(is_multicast(at(host))) << host;
  }
  EXPECT_FALSE(is_multicast(SocketAddress{}));
}

TEST(AddressKind, DiallingNeedsAHostAndAPort) {
  EXPECT_TRUE(is_dialable(at("8.8.8.8")));
  EXPECT_TRUE(is_dialable(at("127.0.0.1")));
  EXPECT_FALSE(is_dialable(at("8.8.8.8").with_port(0)));
  EXPECT_FALSE(is_dialable(at("0.0.0.0")));
  EXPECT_FALSE(is_dialable(at("255.255.255.255")));
  EXPECT_FALSE(is_dialable(SocketAddress{}));
}

TEST(AddressKind, APrefixKeepsTheFirstBits) {
  const auto four = at("203.117.99.201");
  EXPECT_EQ(prefix_of(four, 32), four.with_port(0));
  EXPECT_EQ(prefix_of(four, 24), at("203.117.99.0").with_port(0));
  EXPECT_EQ(prefix_of(four, 20), at("203.117.96.0").with_port(0));
  EXPECT_EQ(prefix_of(four, 1), at("128.0.0.0").with_port(0));
  EXPECT_EQ(prefix_of(four, 0), at("0.0.0.0").with_port(0));
  const auto six = at("2a01:4f8:abcd:1234::5");
  EXPECT_EQ(prefix_of(six, 128), six.with_port(0));
  EXPECT_EQ(prefix_of(six, 52), at("2a01:4f8:abcd:1000::").with_port(0));
  EXPECT_EQ(site_of(six), at("2a01:4f8:abcd::").with_port(0));
  EXPECT_EQ(network_of(six), at("2a01:4f8::").with_port(0));
  EXPECT_EQ(site_of(four), at("203.117.99.0").with_port(0));
  EXPECT_EQ(network_of(four), at("203.117.0.0").with_port(0));
  EXPECT_EQ(prefix_of(at("fe80::1%3"), 128), at("fe80::1").with_port(0)) << "a scope is no prefix";
  EXPECT_FALSE(prefix_of(SocketAddress{}, 24).valid());
}

}  // namespace
}  // namespace qpeer
