// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/endpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <utility>
#include <variant>

#include "qpeer/tests/unit/endpoint/endpoint_fixture.hpp"

namespace qpeer::transport::test {
namespace {

using EndpointTest = EndpointFixture;

bool is_closed(const EndpointEvent& event) {
  const auto* activity = std::get_if<ConnectionActivity>(&event);
  return activity != nullptr && std::holds_alternative<Closed>(activity->event);
}

static_assert(std::same_as<decltype(std::declval<const Endpoint&>().find({})), const Connection*>,
              "who only looks at a connection changes nothing");

TEST_F(EndpointTest, FindAndEditGiveTheSameConnectionAndNoneOfAnUnknownHandle) {
  const ConnectionHandle handle = connect();
  EXPECT_NE(endpoint.find(handle), nullptr);
  EXPECT_EQ(endpoint.find(handle), endpoint.edit(handle));
  EXPECT_EQ(endpoint.find({handle.value + 1}), nullptr);
  EXPECT_EQ(endpoint.edit({handle.value + 1}), nullptr);
  EXPECT_EQ(endpoint.find({}), nullptr) << "a default handle names no connection";
}

TEST_F(EndpointTest, WhatEditIsUsedForIsSentInTheNextPoll) {
  const ConnectionHandle handle = connect();
  EXPECT_GE(poll_all(), 1) << "the first flight";
  EXPECT_EQ(poll_all(), 0);
  endpoint.edit(handle)->close(kNow, 0, {});
  EXPECT_EQ(poll_all(), 1) << "CONNECTION_CLOSE";
}

TEST_F(EndpointTest, EmitsDrainedOnce) {
  const ConnectionHandle handle = connect();
  EXPECT_GE(poll_all(), 1);
  while (endpoint.poll_event()) {
  }
  endpoint.shut_down(kNow, 0, {});
  Instant now = kNow;
  int closed = 0;
  int drained = 0;
  for (int i = 0; i < 100; ++i) {
    while (const auto event = endpoint.poll_event()) {
      EXPECT_EQ(drained, 0) << "the last event";
      if (std::holds_alternative<Drained>(*event)) {
        EXPECT_TRUE(endpoint.idle());
        ++drained;
      } else {
        EXPECT_EQ(std::get<ConnectionActivity>(*event).connection, handle);
        closed += is_closed(*event) ? 1 : 0;
      }
    }
    if (drained == 0) (void)poll_all(now);  // Not needed for the last event.
    if (endpoint.next_deadline() == kNever) continue;
    EXPECT_EQ(drained, 0);
    now = std::max(now, endpoint.next_deadline());
    endpoint.on_deadline(now);
  }
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(drained, 1);
}

// Each connection drains three PTOs after its end, and each PTO depends on the round trip. Nothing is
// sent meanwhile, so that nothing need be polled for datagrams.
TEST_F(EndpointTest, HasDrainedWhenTheLastOfSeveralConnectionsHas) {
  const ConnectionHandle slow = connect(SocketAddress::loopback4(1), {.initial_rtt = 500ms});
  const ConnectionHandle quick = connect(SocketAddress::loopback4(1), {.initial_rtt = 50ms});
  EXPECT_GE(poll_all(kNow), 2);
  endpoint.shut_down(kNow, 0, {});
  const auto event = [&] {
    auto out = endpoint.poll_event();
    EXPECT_TRUE(!out || std::holds_alternative<Drained>(*out) || is_closed(*out));
    return out;
  };
  EXPECT_TRUE(event());
  EXPECT_TRUE(event());
  EXPECT_FALSE(event());
  EXPECT_EQ(poll_all(kNow), 2) << "CONNECTION_CLOSE of both";
  const Instant first = endpoint.next_deadline();
  endpoint.on_deadline(first);
  EXPECT_FALSE(event()) << "the other one has not drained";
  EXPECT_FALSE(endpoint.idle());
  const Instant second = endpoint.next_deadline();
  ASSERT_GT(second, first);
  ASSERT_NE(second, kNever);
  endpoint.on_deadline(second);
  const auto last = event();
  ASSERT_TRUE(last);
  EXPECT_TRUE(std::holds_alternative<Drained>(*last));
  EXPECT_TRUE(endpoint.idle());
  EXPECT_EQ(endpoint.find(slow), nullptr);
  EXPECT_EQ(endpoint.find(quick), nullptr);
}

TEST_F(EndpointTest, HasDrainedAtOnceWithoutAConnectionButOnlyAfterItsShutDown) {
  EXPECT_FALSE(endpoint.poll_event());
  endpoint.shut_down(kNow, 0, {});
  const auto event = endpoint.poll_event();
  ASSERT_TRUE(event);
  EXPECT_TRUE(std::holds_alternative<Drained>(*event));
  EXPECT_FALSE(endpoint.poll_event());
}

}  // namespace
}  // namespace qpeer::transport::test
