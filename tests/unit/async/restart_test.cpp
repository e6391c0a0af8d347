// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server process that dies and comes back: its old peers learn at once. RFC 9000 §10.3.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "qpeer/crypto/static_key.hpp"
#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

transport::EndpointConfig with_keys(std::string_view secret) {
  transport::EndpointConfig out;
  out.server_tls = server_tls(std::string(kTestAlpn));
  out.reset_key = crypto::derive_static_key(as_bytes(secret), "reset");
  out.token_key = crypto::derive_static_key(as_bytes(secret), "token");
  return out;
}

/// Serves in a process of its own; its port comes through the pipe.
pid_t start_server(int to_parent) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  io::EventLoop loop;
  auto server =
      AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0), .endpoint = with_keys("s")});
  const std::uint16_t port = server ? server->local_address().port() : 0;
  if (::write(to_parent, &port, sizeof port) != sizeof port) ::_exit(1);
  loop.run_until([] { return false; }, io::now() + 30s);
  ::_exit(0);
}

TEST(StaticKeys, DependOnSecretAndPurpose) {
  const auto key = crypto::derive_static_key(as_bytes("secret"), "reset");
  EXPECT_EQ(key, crypto::derive_static_key(as_bytes("secret"), "reset"));
  EXPECT_NE(key, crypto::derive_static_key(as_bytes("secret"), "token"));
  EXPECT_NE(key, crypto::derive_static_key(as_bytes("another"), "reset"));
}

// [rfc9000-10.3.2-2]
TEST(Restart, OfAKilledServerResetsItsOldConnections) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = start_server(pipe[1]);
  ASSERT_GT(child, 0);
  std::uint16_t port = 0;
  ASSERT_EQ(::read(pipe[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  ASSERT_NE(port, 0);

  io::EventLoop loop;
  auto client = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0)});
  ASSERT_TRUE(client);
  auto body = [&]() -> Task<void> {
    transport::ConnectOptions options;
    options.tls = client_tls(std::string(kTestAlpn));
    auto connection = co_await client->connect(SocketAddress::loopback4(port), options);
    EXPECT_TRUE(connection);
    if (!connection) co_return;
    (void)co_await connection->confirmed();
    (void)co_await connection->ping();
    const Bytes token = connection->address_token();
    EXPECT_FALSE(token.empty());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    transport::EndpointConfig config = with_keys("s");
    config.retry = transport::RetryPolicy::always;
    auto again =
        AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(port), .endpoint = config});
    EXPECT_TRUE(again);
    if (!again) co_return;
    const Instant begin = io::now();
    (void)co_await connection->ping();
    EXPECT_EQ((co_await connection->closed()).kind, CloseReason::Kind::stateless_reset);
    EXPECT_LT(io::now() - begin, 5s);
    // And what the first process gave is good for the second.
    options.address_token.assign(token.begin(), token.end());
    const auto back = co_await client->connect(SocketAddress::loopback4(port), options);
    EXPECT_TRUE(back);
    EXPECT_EQ(again->stats().retries_sent, 0U);
    EXPECT_EQ(again->stats().tokens_accepted, 1U);
  };
  run(loop, body());
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace
}  // namespace qpeer::async
