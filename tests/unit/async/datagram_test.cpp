// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Unreliable datagrams and observed addresses, awaited over real sockets. RFC 9221.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

class AsyncDatagramTest : public Loopback {
 protected:
  void SetUp() override {
    transport::EndpointConfig config;
    config.connection.max_datagram_frame_size = 65'535;
    config.connection.address_discovery = {.provide = true, .request = true};
    open({.endpoint = config});
    connect_options.connection = config.connection;
  }
};

TEST_F(AsyncDatagramTest, GoBothWays) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    EXPECT_TRUE(both.client.send_datagram(as_bytes("question")));
    const auto question = co_await both.server.receive_datagram();
    EXPECT_TRUE(question && as_text(*question) == "question");
    EXPECT_TRUE(both.server.send_datagram(as_bytes("answer")));
    EXPECT_TRUE(both.server.send_datagram({}));
    const auto answer = co_await both.client.receive_datagram();
    EXPECT_TRUE(answer && as_text(*answer) == "answer");
    const auto empty = co_await both.client.receive_datagram();
    EXPECT_TRUE(empty && empty->empty());
    EXPECT_EQ(both.client.stats().datagrams.received, 2U);
    const auto largest = both.client.max_datagram_payload();
    EXPECT_TRUE(largest);
    const std::vector<u8> too_much(largest.value_or(0) + 1);
    EXPECT_EQ(both.client.send_datagram(too_much).error(), DatagramError::too_large);
  };
  run(loop, body());
}

TEST_F(AsyncDatagramTest, TheEndEndsTheWaitButLosesNothing) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    auto wait = [](AsyncConnection& connection) -> Task<void> {
      const auto first = co_await connection.receive_datagram();
      EXPECT_TRUE(first);
      const auto second = co_await connection.receive_datagram();
      EXPECT_EQ(second.error(), DatagramError::closed);
    };
    TaskGroup group;
    group.spawn(wait(both.server));
    EXPECT_TRUE(both.client.send_datagram(as_bytes("last words")));
    (void)co_await both.client.ping();
    both.client.close();
    co_await group.join();
    EXPECT_EQ(both.client.send_datagram({}).error(), DatagramError::closed);
    EXPECT_EQ(both.client.max_datagram_payload(), std::nullopt);
  };
  run(loop, body());
}

TEST_F(AsyncDatagramTest, ReceivingWithoutHavingAnnouncedThemIsAnError) {
  connect_options.connection.max_datagram_frame_size = 0;
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    const auto none = co_await both.client.receive_datagram();
    EXPECT_EQ(none.error(), DatagramError::disabled);
    EXPECT_EQ(both.server.send_datagram({}).error(), DatagramError::disabled);
  };
  run(loop, body());
}

TEST_F(AsyncDatagramTest, TheObservedAddressIsThatOfTheSocket) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    (void)co_await both.server.ping();
    EXPECT_EQ(both.client.observed_address(), client->local_address());
    EXPECT_EQ(both.server.observed_address(), server->local_address());
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::async
