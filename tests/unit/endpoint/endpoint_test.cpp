// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/endpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <utility>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/crypto/keys.hpp"

namespace qpeer::transport {
namespace {

constexpr Instant kNow{1s};

class EndpointTest : public testing::Test {
 protected:
  ConnectionHandle connect(const ConnectionConfig& connection = {}) {
    const auto tls = crypto::make_tls_context({.alpn = {"test/1"}});
    EXPECT_TRUE(tls);
    const ConnectOptions options{.tls = *tls, .connection = connection};
    const auto handle = client.connect(kNow, SocketAddress::loopback4(1), options);
    EXPECT_TRUE(handle);
    return *handle;
  }
  /// How many trains the endpoint has to send.
  int poll(Instant now) {
    int count = 0;
    for (;;) {
      TransmitBuffer out{.storage = storage_};
      if (!client.poll_transmit(now, out)) return count;
      ++count;
    }
  }
  Endpoint client{{}, crypto::openssl_keys(), crypto::system_random()};

 private:
  std::vector<u8> storage_ = std::vector<u8>(kMaxTransmitSize);
};

static_assert(std::same_as<decltype(std::declval<const Endpoint&>().find({})), const Connection*>,
              "who only looks at a connection changes nothing");

TEST_F(EndpointTest, FindAndEditGiveTheSameConnectionAndNoneOfAnUnknownHandle) {
  const ConnectionHandle handle = connect();
  EXPECT_NE(client.find(handle), nullptr);
  EXPECT_EQ(client.find(handle), client.edit(handle));
  EXPECT_EQ(client.find({handle.value + 1}), nullptr);
  EXPECT_EQ(client.edit({handle.value + 1}), nullptr);
  EXPECT_EQ(client.find({}), nullptr) << "a handle that nobody gave names nothing";
}

TEST_F(EndpointTest, WhatEditIsUsedForIsSentInTheNextPoll) {
  const ConnectionHandle handle = connect();
  EXPECT_GE(poll(kNow), 1) << "the first flight";
  EXPECT_EQ(poll(kNow), 0);
  client.edit(handle)->close(kNow, 0, {});
  EXPECT_EQ(poll(kNow), 1) << "CONNECTION_CLOSE";
}

TEST_F(EndpointTest, TellsOnceThatItHasDrained) {
  const ConnectionHandle handle = connect();
  EXPECT_GE(poll(kNow), 1);
  while (client.poll_event()) {
  }
  client.shut_down(kNow, 0, {});
  Instant now = kNow;
  int closed = 0;
  int drained = 0;
  for (int i = 0; i < 100; ++i) {
    while (const auto event = client.poll_event()) {
      EXPECT_EQ(drained, 0) << "the last event";
      if (event->kind == EndpointEvent::Kind::drained) {
        EXPECT_TRUE(client.idle());
        EXPECT_FALSE(event->event) << "no connection looks like a new one";
        ++drained;
      } else {
        EXPECT_EQ(event->connection, handle);
        ASSERT_TRUE(event->event);
        closed += event->event->kind == ConnectionEvent::Kind::closed ? 1 : 0;
      }
    }
    if (drained == 0) (void)poll(now);  // Not needed for the last event.
    if (client.next_deadline() == kNever) continue;
    EXPECT_EQ(drained, 0);
    now = std::max(now, client.next_deadline());
    client.on_deadline(now);
  }
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(drained, 1);
}

// Each connection drains three PTOs after its end, and each PTO depends on the round trip. Nothing is
// sent meanwhile, so that nothing need be polled for datagrams.
TEST_F(EndpointTest, HasDrainedWhenTheLastOfSeveralConnectionsHas) {
  const ConnectionHandle slow = connect({.initial_rtt = 500ms});
  const ConnectionHandle quick = connect({.initial_rtt = 50ms});
  EXPECT_GE(poll(kNow), 2);
  client.shut_down(kNow, 0, {});
  const auto event = [&] {
    auto out = client.poll_event();
    EXPECT_TRUE(!out || out->kind == EndpointEvent::Kind::drained ||
                out->event->kind == ConnectionEvent::Kind::closed);
    return out;
  };
  EXPECT_TRUE(event());
  EXPECT_TRUE(event());
  EXPECT_FALSE(event());
  EXPECT_EQ(poll(kNow), 2) << "CONNECTION_CLOSE of both";
  const Instant first = client.next_deadline();
  client.on_deadline(first);
  EXPECT_FALSE(event()) << "the other one has not drained";
  EXPECT_FALSE(client.idle());
  const Instant second = client.next_deadline();
  ASSERT_GT(second, first);
  ASSERT_NE(second, kNever);
  client.on_deadline(second);
  const auto last = event();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, EndpointEvent::Kind::drained);
  EXPECT_TRUE(client.idle());
  EXPECT_EQ(client.find(slow), nullptr);
  EXPECT_EQ(client.find(quick), nullptr);
}

TEST_F(EndpointTest, HasDrainedAtOnceWithoutAConnectionButOnlyAfterItsShutDown) {
  EXPECT_FALSE(client.poll_event());
  client.shut_down(kNow, 0, {});
  const auto event = client.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, EndpointEvent::Kind::drained);
  EXPECT_FALSE(client.poll_event());
}

}  // namespace
}  // namespace qpeer::transport
