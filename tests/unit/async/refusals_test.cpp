// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the operating system refuses for good ends a connect() at once, and a socket that fails all.
// RFC 9000 §14.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/async/loopback.hpp"
#include "qpeer/tests/unit/io/broken_socket.hpp"

namespace qpeer::async {
namespace {

class AsyncRefusals : public Loopback {
 protected:
  Task<bool> timed(Task<void> task) {
    const auto done = co_await with_timeout(loop, 10s, std::move(task));
    co_return done.has_value();
  }
};

TEST_F(AsyncRefusals, AnAddressThatTheSocketCannotReachFailsAtOnce) {
  const auto body = [this]() -> Task<void> {
    const SocketAddress other = SocketAddress::ipv6({0x20, 0x01, 0x0d, 0xb8}, 4433);
    const auto failed = co_await client->connect(other, connect_options);
    if (failed) co_return ADD_FAILURE() << "connected";
    if (failed.error().refused) co_return ADD_FAILURE() << to_string(*failed.error().refused);
    EXPECT_NE(failed.error().reason.kind, CloseReason::Kind::handshake_timeout);
    EXPECT_NE(to_string(failed.error()).find("family"), std::string::npos);
  };
  run(loop, body());
  // Other connections are not disturbed.
  const Both both = run(loop, connect());
  EXPECT_EQ(both.client.info().remote, server->local_address());
}

TEST_F(AsyncRefusals, AClosedPortFailsAtOnce) {
  const SocketAddress nobody = server->local_address();
  server.reset();
  const auto body = [&]() -> Task<void> {
    const Instant begin = io::now();
    const auto failed = co_await client->connect(nobody, connect_options);
    if (failed) co_return ADD_FAILURE() << "connected";
    EXPECT_NE(to_string(failed.error()).find("closed"), std::string::npos);
    EXPECT_LT(io::now() - begin, 1s);
  };
  run(loop, body());
}

// What has a connection ID of a server's is no attempt any more.
TEST_F(AsyncRefusals, AServerThatIsGoneEndsNoConnection) {
  Both both = run(loop, connect());
  io::testing_support::break_socket(server->local_address().port());
  const auto body = [&]() -> Task<void> {
    (void)co_await with_timeout(loop, 300ms, both.client.ping());
    EXPECT_FALSE(both.client.is_closed());
  };
  run(loop, body());
}

TEST_F(AsyncRefusals, ASocketThatFailsEndsEveryWait) {
  Both both = run(loop, connect());
  io::testing_support::break_socket(client->local_address().port());
  const auto body = [&]() -> Task<void> {
    EXPECT_FALSE(co_await both.client.ping());
    EXPECT_TRUE(client->error());
    EXPECT_TRUE(both.client.is_closed());
    const auto again = co_await client->connect(server->local_address(), connect_options);
    if (again) co_return ADD_FAILURE() << "connected";
    EXPECT_EQ(to_string(again.error()), to_string(co_await both.client.closed()));
    auto early = client->connect_early(server->local_address(), connect_options);
    if (!early) co_return ADD_FAILURE() << to_string(early.error());
    EXPECT_TRUE(early->is_closed());
    EXPECT_FALSE(co_await early->open_stream());
    EXPECT_FALSE(co_await early->established());
    co_await client->shut_down();
  };
  const auto result = run(loop, timed(body()));
  EXPECT_TRUE(result) << "an operation still waits";
}

}  // namespace
}  // namespace qpeer::async
