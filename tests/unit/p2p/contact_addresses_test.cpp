// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which addresses a node names, and in which order.
#include "qpeer/p2p/contact_addresses.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace qpeer::p2p {
namespace {

SocketAddress at(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(SocketAddress{});
}

std::vector<SocketAddress> all(std::initializer_list<std::string_view> texts) {
  std::vector<SocketAddress> out;
  for (const std::string_view text : texts) out.push_back(at(text));
  return out;
}

std::string chosen(const AddressSources& sources) {
  std::string out;
  for (const SocketAddress& address : contact_addresses(sources)) {
    out += (out.empty() ? "" : " ") + address.to_string();
  }
  return out;
}

const SocketAddress kAnywhere = SocketAddress::ipv6({}, 4477);

TEST(ContactAddresses, AreThoseOfTheMachineWhereTheSocketIsBoundToAny) {
  EXPECT_EQ(chosen({.bound = kAnywhere,
                    .interfaces = all({"127.0.0.1:0", "[::1]:0", "192.168.1.20:0", "[fe80::1%2]:0",
                                       "8.8.4.4:0", "[2a00::7]:0", "192.168.1.20:0"})}),
            "8.8.4.4:4477 [2a00::7]:4477 192.168.1.20:4477");
  EXPECT_EQ(chosen({.bound = SocketAddress::ipv4({}, 4477),
                    .interfaces = all({"192.168.1.20:0", "8.8.4.4:0", "[2a00::7]:0"})}),
            "8.8.4.4:4477 192.168.1.20:4477")
      << "an IPv4 socket has no IPv6";
}

TEST(ContactAddresses, AreTheOneThatTheSocketIsBoundTo) {
  const auto interfaces = all({"192.168.1.20:0", "8.8.4.4:0"});
  EXPECT_EQ(chosen({.bound = at("192.168.1.20:4477"), .interfaces = interfaces}),
            "192.168.1.20:4477");
  EXPECT_EQ(chosen({.bound = at("127.0.0.1:4477"), .interfaces = interfaces}), "127.0.0.1:4477");
  EXPECT_EQ(chosen({.bound = at("[fe80::1%2]:4477")}), "[fe80::1%2]:4477") << "better than none";
}

TEST(ContactAddresses, TheConfiguredComeFirst) {
  EXPECT_EQ(chosen({.bound = kAnywhere,
                    .advertised = all({"192.168.7.7:1", "203.0.113.9:2", "0.0.0.0:3", "9.9.9.9:0"}),
                    .observed = at("8.8.8.8:4477"),
                    .interfaces = all({"8.8.4.4:0"})}),
            "192.168.7.7:1 203.0.113.9:2 8.8.4.4:4477 8.8.8.8:4477")
      << "as they are, but for those that name no host or port";
}

TEST(ContactAddresses, WhatTheRouterMapsComesBeforeWhatPeersSee) {
  AddressSources sources{
      .bound = kAnywhere, .observed = at("8.8.8.8:61234"), .interfaces = all({"192.168.1.20:0"})};
  EXPECT_EQ(chosen(sources), "8.8.8.8:61234 192.168.1.20:4477");
  sources.mapped = at("8.8.8.8:50000");
  EXPECT_EQ(chosen(sources), "8.8.8.8:50000 192.168.1.20:4477")
      << "that port is not open to others";
  sources.observed = at("8.8.9.9:61234");
  EXPECT_EQ(chosen(sources), "8.8.8.8:50000 8.8.9.9:61234 192.168.1.20:4477");
  sources.mapped = at("100.64.0.9:50000");
  EXPECT_EQ(chosen(sources), "8.8.9.9:61234 100.64.0.9:50000 192.168.1.20:4477")
      << "of a router behind another one";
}

TEST(ContactAddresses, AreLoopbackWhereThereIsNothingElse) {
  EXPECT_EQ(chosen({.bound = kAnywhere, .interfaces = all({"127.0.0.1:0", "[::1]:0"})}),
            "127.0.0.1:4477 [::1]:4477");
  EXPECT_EQ(chosen({.bound = SocketAddress::ipv4({}, 4477)}), "127.0.0.1:4477");
}

TEST(ContactAddresses, ManyOfOneKindLeaveRoomForTheOthers) {
  AddressSources sources{.bound = kAnywhere,
                         .advertised = all({"1.1.1.1:1", "1.1.1.1:2", "1.1.1.1:3"}),
                         .observed = at("8.8.8.8:4477")};
  for (u8 i = 0; i < 20; ++i) {
    sources.interfaces.push_back(SocketAddress::ipv6({0x2a, i}, 0));
    sources.interfaces.push_back(SocketAddress::ipv4({10, 0, 0, i}, 0));
  }
  EXPECT_EQ(chosen(sources),
            "1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 [2a00::]:4477 [2a01::]:4477 8.8.8.8:4477 10.0.0.0:4477 "
            "10.0.0.1:4477");
  sources.advertised.push_back(at("1.1.1.1:4"));
  EXPECT_EQ(contact_addresses(sources).size(), 8U);
}

}  // namespace
}  // namespace qpeer::p2p
