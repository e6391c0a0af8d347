// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Connections that move between the sockets of an endpoint. RFC 9000 §9.2, §9.6.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

class AsyncMigrationTest : public Loopback {
 protected:
  /// The client has a second socket.
  void SetUp() override {
    open({});
    auto opened = AsyncEndpoint::open(
        loop, {.bind = SocketAddress::loopback4(0), .more_binds = {SocketAddress::loopback4(0)}});
    ASSERT_TRUE(opened) << opened.error().message();
    client.emplace(std::move(*opened));
  }

  Task<void> exchange(Both& both) {
    BothStreams streams = co_await open_stream(both);
    (void)co_await streams.client.write(as_bytes("after"));
    (void)streams.client.finish();
    const auto read = co_await streams.server.read_all(100);
    EXPECT_EQ(as_text(*read), "after");
  }

  /// With another choice of sockets.
  void bind_client(SocketAddress first, SocketAddress second) {
    auto opened = AsyncEndpoint::open(loop, {.bind = first, .more_binds = {second}});
    ASSERT_TRUE(opened) << opened.error().message();
    client.emplace(std::move(*opened));
  }

  Task<void> move() {
    Both both = co_await connect();
    const SocketAddress other = client->local_addresses().back();
    const auto moved = co_await both.client.migrate(other);  // Waits until it may.
    EXPECT_TRUE(moved.has_value());
    EXPECT_EQ(both.client.info().local.port(), other.port());
    for (int i = 0; i < 100 && both.server.stats().path_changes == 0; ++i) {
      co_await exchange(both);
      co_await sleep_for(loop, 10ms);
    }
    EXPECT_EQ(both.client.stats().path_changes, 1U);
    EXPECT_EQ(both.server.stats().path_changes, 1U);
    EXPECT_EQ(both.server.info().remote, SocketAddress::loopback4(other.port()));
  }

  Task<void> wait_in_vain(Both& both, std::optional<PathError>& told) {
    const auto probed = co_await both.client.probe_path(deaf);
    EXPECT_FALSE(probed.has_value());
    if (!probed) told = probed.error();
  }

  /// The server's answers go where no socket is.
  [[nodiscard]] SocketAddress deaf_address() const {
    return SocketAddress::ipv4({127, 0, 0, 2}, client->local_addresses().back().port());
  }
  SocketAddress deaf;
};

TEST_F(AsyncMigrationTest, AClientMovesToItsSecondSocket) {
  ASSERT_EQ(client->local_addresses().size(), 2U);
  EXPECT_EQ(client->local_addresses().front(), client->local_address());
  run(loop, move());
}

TEST_F(AsyncMigrationTest, SocketsOfAnyAddressWillDo) {
  bind_client(SocketAddress::ipv4({}, 0), SocketAddress::ipv4({}, 0));
  run(loop, move());
  bind_client({}, {});  // Both families, where there are two.
  run(loop, move());
}

TEST_F(AsyncMigrationTest, APathIsProbedAndThenTakenAtOnce) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    const SocketAddress other = client->local_addresses().back();
    const auto probed = co_await both.client.probe_path(other);
    EXPECT_TRUE(probed.has_value());
    EXPECT_EQ(both.client.info().local, client->local_address());
    EXPECT_EQ(both.client.stats().path_changes, 0U);
    const auto moved = co_await both.client.migrate(other);
    EXPECT_TRUE(moved.has_value());
    EXPECT_EQ(both.client.info().local, other);
    co_await exchange(both);
  };
  run(loop, body());
}

TEST_F(AsyncMigrationTest, ImpossibleMigrationsAreErrors) {
  connect_options.connection.initial_rtt = 10ms;
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    deaf = deaf_address();
    const auto of_server = co_await both.server.migrate(server->local_address());
    EXPECT_EQ(of_server, std::unexpected(PathError::not_client));
    const auto in_use = co_await both.client.migrate(client->local_address());
    EXPECT_EQ(in_use, std::unexpected(PathError::bad_address));
    const auto unheard = co_await both.client.migrate(deaf);
    EXPECT_EQ(unheard, std::unexpected(PathError::no_answer));
    EXPECT_EQ(both.client.info().local, client->local_address());
    co_await exchange(both);
    std::optional<PathError> told;
    {
      TaskGroup cancelled;
      cancelled.spawn(wait_in_vain(both, told));
      co_await sleep_for(loop, 1ms);
    }
    EXPECT_FALSE(told.has_value());
    TaskGroup group;
    group.spawn(wait_in_vain(both, told));
    co_await sleep_for(loop, 1ms);
    both.client.close();
    co_await group.join();
    EXPECT_EQ(told, PathError::closed);
    const auto late = co_await both.client.migrate(client->local_addresses().back());
    EXPECT_EQ(late, std::unexpected(PathError::closed));
    EXPECT_FALSE(both.client.rotate_connection_ids());
  };
  run(loop, body());
}

TEST_F(AsyncMigrationTest, AProbeWhoseConnectionIdIsRetiredHasAResult) {
  connect_options.connection.initial_rtt = 10ms;
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    deaf = deaf_address();
    std::optional<PathError> told;
    TaskGroup group;
    group.spawn(wait_in_vain(both, told));
    co_await sleep_for(loop, 5ms);
    EXPECT_TRUE(both.server.rotate_connection_ids());
    for (int i = 0; i < 300 && !told; ++i) co_await sleep_for(loop, 10ms);
    EXPECT_EQ(told, PathError::no_answer);
    group.cancel();
  };
  run(loop, body());
}

TEST_F(AsyncMigrationTest, TheLastMigrationCounts) {
  auto opened = AsyncEndpoint::open(
      loop, {.bind = SocketAddress::loopback4(0),
             .more_binds = {SocketAddress::loopback4(0), SocketAddress::loopback4(0)}});
  ASSERT_TRUE(opened) << opened.error().message();
  client.emplace(std::move(*opened));
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    auto first = [&]() -> Task<void> {
      const auto moved = co_await both.client.migrate(client->local_addresses()[1]);
      EXPECT_EQ(moved, std::unexpected(PathError::superseded));
    };
    TaskGroup group;
    group.spawn(first());
    const auto moved = co_await both.client.migrate(client->local_addresses()[2]);
    EXPECT_TRUE(moved.has_value());
    co_await group.join();
    co_await exchange(both);
    EXPECT_EQ(both.client.info().local, client->local_addresses()[2]);
  };
  run(loop, body());
}

TEST_F(AsyncMigrationTest, ConnectionIdsAreChangedOnDemand) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    (void)co_await both.client.confirmed();
    EXPECT_TRUE(both.client.rotate_connection_ids());
    EXPECT_TRUE(both.server.rotate_connection_ids());
    co_await exchange(both);
  };
  run(loop, body());
}

TEST_F(AsyncMigrationTest, ASocketThatCannotBeBoundFailsTheEndpoint) {
  const auto opened = AsyncEndpoint::open(
      loop, {.bind = SocketAddress::loopback4(0), .more_binds = {client->local_address()}});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error(), std::errc::address_in_use);
}

}  // namespace
}  // namespace qpeer::async
