// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Ports: what leaves from the second port, and what the system refuses to send from there.
#include "qpeer/p2p/ports.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#include <variant>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::p2p {
namespace {

constexpr Instant kNow{1s};

class PortsTest : public testing::Test {
 protected:
  PortsTest() {
    const auto context = crypto::make_tls_context({.alpn = {"test"}});
    EXPECT_TRUE(context);
    tls.client = *context;
    config.role = Role::client;
    config.probe_address = SocketAddress::loopback4(4434);
    ports.emplace(config, tls, crypto::openssl_keys(), crypto::system_random());
  }
  transport::ConnectionHandle dial(Port port) {
    const auto handle = ports->connect(kNow, port, server, {.tls = tls.client});
    EXPECT_TRUE(handle);
    return *handle;
  }
  std::optional<Transmit> next() {
    TransmitBuffer out{storage_};
    return ports->poll_transmit(kNow, out);
  }
  void refuse(const Transmit& transmit) {
    ports->on_refused(kNow, transmit, {EAFNOSUPPORT, std::system_category()});
  }
  /// The port of the next connection to end.
  std::optional<Port> closed() {
    std::optional<Port> out;
    const auto look = [&](Port port, const transport::EndpointEvent& event) {
      const auto& activity = std::get<transport::ConnectionActivity>(event);
      if (std::holds_alternative<transport::Closed>(activity.event)) out = port;
    };
    while (!out && ports->poll_event(look)) continue;
    return out;
  }

  const SocketAddress server = SocketAddress::loopback4(4433);
  NodeConfig config{};
  PeerTls tls{};
  std::optional<Ports> ports{};

 private:
  std::array<u8, kMaxTransmitSize> storage_{};
};

TEST_F(PortsTest, WhatTheProbeSendsLeavesFromItsAddress) {
  dial(Port::probe);
  const auto transmit = next();
  ASSERT_TRUE(transmit);
  EXPECT_EQ(transmit->path.local, *config.probe_address);
}

TEST_F(PortsTest, ADialFromTheProbeThatTheSystemRefusesEndsAtOnce) {
  dial(Port::probe);
  const auto transmit = next();
  ASSERT_TRUE(transmit);
  refuse(*transmit);
  EXPECT_EQ(closed(), Port::probe);
}

TEST_F(PortsTest, ADialFromTheFirstPortThatTheSystemRefusesEndsAtOnce) {
  dial(Port::first);
  const auto transmit = next();
  ASSERT_TRUE(transmit);
  refuse(*transmit);
  EXPECT_EQ(closed(), Port::first);
}

TEST_F(PortsTest, ARefusalConcernsTheOtherPortInNothing) {
  dial(Port::first);
  dial(Port::probe);
  const auto of_first = next();
  const auto of_probe = next();
  ASSERT_TRUE(of_first && of_probe);
  ASSERT_FALSE(of_first->path.local.valid());
  ASSERT_EQ(of_probe->path.local, *config.probe_address);
  refuse(*of_probe);
  EXPECT_EQ(closed(), Port::probe);
  EXPECT_FALSE(closed());
}

}  // namespace
}  // namespace qpeer::p2p
