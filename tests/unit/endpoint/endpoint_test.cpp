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
  ConnectionHandle connect() {
    const auto tls = crypto::make_tls_context({.alpn = {"test/1"}});
    EXPECT_TRUE(tls);
    const ConnectOptions options{.tls = *tls};
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
        ++drained;
      } else {
        EXPECT_EQ(event->connection, handle);
        closed += event->event.kind == ConnectionEvent::Kind::closed ? 1 : 0;
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
