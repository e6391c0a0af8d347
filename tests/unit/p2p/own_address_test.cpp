// SPDX-License-Identifier: MIT OR BSD-3-Clause
// OwnAddress: two that are far apart must agree, and a few liars near each other move nothing.
#include "qpeer/p2p/own_address.hpp"

#include <gtest/gtest.h>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

constexpr Instant kStart{1'000s};

SocketAddress at(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(SocketAddress{});
}

PeerId peer(unsigned n) { return PeerId({static_cast<u8>(n >> 8), static_cast<u8>(n), 1}); }

/// A reporter of the nth /16, with an id of its own unless `id` says whose it is.
struct Reporting {
  OwnAddress own;
  Instant now = kStart;

  explicit Reporting(OwnAddressConfig config = {}) : own(config) {}
  bool report(unsigned network, std::string_view observed, unsigned id = 0) {
    const auto from = SocketAddress::ipv4({40, static_cast<u8>(network), 3, 4}, 443);
    return own.on_observed(now, peer(id == 0 ? network : id), from, at(observed));
  }
  bool report_from(std::string_view from, std::string_view observed, unsigned id) {
    return own.on_observed(now, peer(id), at(from), at(observed));
  }
  [[nodiscard]] std::string current() const {
    const auto address = own.current();
    return address ? address->to_string() : "unknown";
  }
};

TEST(OwnAddress, TwoThatAreFarApartMustAgree) {
  Reporting peers;
  EXPECT_EQ(peers.current(), "unknown");
  EXPECT_FALSE(peers.report(1, "5.6.7.8:443"));
  EXPECT_EQ(peers.current(), "unknown") << "one is not enough";
  EXPECT_FALSE(peers.report(2, "5.6.7.8:444"));
  EXPECT_EQ(peers.current(), "unknown") << "another port is another address";
  EXPECT_TRUE(peers.report(3, "5.6.7.8:443"));
  EXPECT_EQ(peers.current(), "5.6.7.8:443");
  EXPECT_FALSE(peers.report(4, "5.6.7.8:443")) << "no news";
}

TEST(OwnAddress, ANetworkHasOneVote) {
  Reporting peers;
  for (unsigned id = 1; id < 100; ++id) EXPECT_FALSE(peers.report(7, "6.6.6.6:1", id));
  EXPECT_EQ(peers.current(), "unknown");
  EXPECT_EQ(peers.own.reports(), 1U) << "nor does it push others out";
  // The same for IPv6, whose networks are larger.
  EXPECT_FALSE(peers.report_from("[2a01:1:1::1]:443", "6.6.6.7:1", 200));
  EXPECT_FALSE(peers.report_from("[2a01:1:2::1]:443", "6.6.6.7:1", 201));
  EXPECT_EQ(peers.current(), "unknown");
  EXPECT_TRUE(peers.report_from("[2a01:2:1::1]:443", "6.6.6.7:1", 202));
}

TEST(OwnAddress, AReporterHasOneVoteWhereverItIs) {
  Reporting peers;
  EXPECT_FALSE(peers.report(1, "6.6.6.6:1", 50));
  EXPECT_FALSE(peers.report(2, "6.6.6.6:1", 50));
  EXPECT_FALSE(peers.report(3, "6.6.6.6:1", 50));
  EXPECT_EQ(peers.current(), "unknown");
  EXPECT_EQ(peers.own.reports(), 1U);
}

TEST(OwnAddress, AChangeNeedsMoreThanTheOldHasLeft) {
  Reporting peers;
  for (unsigned network = 1; network <= 3; ++network) peers.report(network, "5.6.7.8:443");
  EXPECT_EQ(peers.current(), "5.6.7.8:443");
  for (unsigned network = 11; network <= 13; ++network) {
    EXPECT_FALSE(peers.report(network, "9.9.9.9:443")) << network;
  }
  EXPECT_EQ(peers.current(), "5.6.7.8:443") << "three against three";
  EXPECT_TRUE(peers.report(14, "9.9.9.9:443"));
  EXPECT_EQ(peers.current(), "9.9.9.9:443");
}

TEST(OwnAddress, AReporterThatReportsAnotherAddressWithdrawsItsVote) {
  Reporting peers;
  peers.report(1, "5.6.7.8:443");
  peers.report(2, "5.6.7.8:443");
  EXPECT_FALSE(peers.report(1, "9.9.9.9:443")) << "one against one";
  EXPECT_TRUE(peers.report(2, "9.9.9.9:443"));
  EXPECT_EQ(peers.current(), "9.9.9.9:443");
}

TEST(OwnAddress, ReportsAge) {
  Reporting peers;
  peers.report(1, "5.6.7.8:443");
  peers.now += 10min + 1ns;
  EXPECT_FALSE(peers.report(2, "5.6.7.8:443")) << "the first is too old to agree";
  EXPECT_EQ(peers.own.reports(), 1U);
  peers.now += 10min;
  EXPECT_TRUE(peers.report(3, "5.6.7.8:443")) << "the second is just young enough";
  // Without reports the address stays, but two may then change what nobody says any more.
  peers.now += 24h;
  EXPECT_EQ(peers.current(), "5.6.7.8:443");
  EXPECT_FALSE(peers.report(4, "9.9.9.9:443"));
  EXPECT_EQ(peers.current(), "5.6.7.8:443") << "one alone does not";
  EXPECT_TRUE(peers.report(5, "9.9.9.9:443"));
}

TEST(OwnAddress, KeepsABoundedNumberOfReports) {
  Reporting peers;
  for (unsigned network = 0; network < 200; ++network) {
    peers.report(network, "5.6.7.8:" + std::to_string(network + 1), network + 1);
    EXPECT_LE(peers.own.reports(), 32U);
  }
  EXPECT_EQ(peers.current(), "unknown") << "as behind a NAT with a port for each: no address";
  EXPECT_FALSE(peers.report(201, "5.6.7.8:1", 300)) << "the oldest report has gone";
  EXPECT_TRUE(peers.report(202, "5.6.7.8:200", 301)) << "the newest has not";
}

TEST(OwnAddress, KindsDoNotCompete) {
  Reporting peers;
  for (unsigned network = 1; network <= 2; ++network) {
    peers.report(network, "[2a01::5]:443");
    peers.report(network, "5.6.7.8:443");
    peers.report(network, "192.168.1.5:443");
  }
  EXPECT_EQ(peers.current(), "5.6.7.8:443");
  const auto all = peers.own.addresses();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0], at("5.6.7.8:443"));
  EXPECT_EQ(all[1], at("[2a01::5]:443"));
  EXPECT_EQ(all[2], at("192.168.1.5:443"));
}

TEST(OwnAddress, IgnoresWhatIsNoAddress) {
  Reporting peers;
  for (const auto* observed : {"0.0.0.0:443", "5.6.7.8:0", "224.0.0.1:443", "255.255.255.255:443",
                               "192.0.2.1:443", "[::]:443", "[ff02::1]:443"}) {
    for (unsigned network = 1; network <= 3; ++network) {
      EXPECT_FALSE(peers.report(network, observed)) << observed;
    }
  }
  EXPECT_FALSE(peers.report_from("0.0.0.0:1", "5.6.7.8:443", 50));
  EXPECT_EQ(peers.own.reports(), 0U);
  EXPECT_FALSE(peers.own.on_observed(kStart, peer(1), {}, at("5.6.7.8:443")));
  EXPECT_FALSE(peers.own.on_observed(kStart, peer(1), at("40.1.1.1:1"), {}));
  EXPECT_EQ(peers.own.reports(), 0U);
}

TEST(OwnAddress, ALocalNetworkAgreesHostByHost) {
  Reporting peers;
  EXPECT_FALSE(peers.report_from("192.168.1.6:443", "192.168.1.5:443", 1));
  EXPECT_FALSE(peers.report_from("192.168.1.6:444", "192.168.1.5:443", 2)) << "the same host";
  EXPECT_TRUE(peers.report_from("192.168.1.7:443", "192.168.1.5:443", 3));

  Reporting loopback;
  EXPECT_FALSE(loopback.report_from("127.0.0.1:1000", "127.0.0.1:443", 1));
  EXPECT_FALSE(loopback.report_from("127.0.0.1:1000", "127.0.0.1:443", 2)) << "the same port";
  EXPECT_TRUE(loopback.report_from("127.0.0.1:1001", "127.0.0.1:443", 3));

  Reporting strict({.local_reporters_count_each = false});
  EXPECT_FALSE(strict.report_from("192.168.1.6:443", "192.168.1.5:443", 1));
  EXPECT_FALSE(strict.report_from("192.168.1.7:443", "192.168.1.5:443", 2));
  EXPECT_TRUE(strict.report_from("10.0.0.7:443", "192.168.1.5:443", 3));
}

TEST(OwnAddress, NeighboursDoNotOutvoteTheInternet) {
  Reporting peers;
  for (unsigned host = 1; host < 20; ++host) {
    const std::string from = "192.168.1." + std::to_string(host) + ":443";
    EXPECT_FALSE(peers.report_from(from, "6.6.6.6:443", 100 + host)) << "one vote together";
  }
  EXPECT_EQ(peers.current(), "unknown");
  for (unsigned host = 1; host < 20; ++host) {
    EXPECT_FALSE(peers.report_from("40.7.1." + std::to_string(host) + ":443", "10.0.0.1:443", host))
        << "nor does the internet count each of its hosts";
  }
}

}  // namespace
}  // namespace qpeer::p2p
