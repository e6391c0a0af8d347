// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server and a client on real loopback sockets in one loop.
#pragma once

#include <gtest/gtest.h>
#include "qpeer/transport.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/support.hpp"

namespace qpeer::async {

using test::pattern;

inline constexpr std::string_view kTestAlpn = "test/1";

struct Both {
  AsyncConnection client;
  AsyncConnection server;
};

struct BothStreams {
  AsyncStream client;
  AsyncStream server;
};

class Loopback : public testing::Test {
 protected:
  void SetUp() override { open({}); }

  /// Again, with other options.
  void open(AsyncEndpointOptions options) {
    options.bind = SocketAddress::loopback4(0);
    if (!options.endpoint.server_tls) {
      options.endpoint.server_tls = server_tls(std::string(kTestAlpn));
    }
    auto opened_server = AsyncEndpoint::open(loop, options);
    ASSERT_TRUE(opened_server) << opened_server.error().message();
    server.emplace(std::move(*opened_server));
    auto opened_client = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0)});
    ASSERT_TRUE(opened_client) << opened_client.error().message();
    client.emplace(std::move(*opened_client));
    connect_options.tls = client_tls(std::string(kTestAlpn));
  }

  /// A connection's two ends.
  Task<Both> connect() {
    auto dialled = co_await client->connect(server->local_address(), connect_options);
    auto accepted = co_await server->accept();
    co_return Both{std::move(*dialled), std::move(*accepted)};
  }

  /// A stream's two ends; the opener has said one byte, which the other has read.
  static Task<BothStreams> open_stream(Both& both, bool bidirectional = true) {
    auto opened = co_await both.client.open_stream(bidirectional);
    (void)co_await opened->write(as_bytes("!"));
    auto accepted = co_await both.server.accept_stream(bidirectional);
    std::array<u8, 1> first{};
    (void)co_await accepted->read(first);
    co_return BothStreams{std::move(*opened), std::move(*accepted)};
  }

  /// Turns the loop until `done()`, at most ten seconds.
  template <class Predicate>
  bool turn_until(Predicate&& done) {
    return loop.run_until(std::forward<Predicate>(done), io::now() + 10s);
  }
  void turn_for(Duration time) {
    loop.run_until([] { return false; }, io::now() + time);
  }

  io::EventLoop loop;
  /// Never answers.
  io::UdpSocket mute = *io::UdpSocket::bind(SocketAddress::loopback4(0));
  std::optional<AsyncEndpoint> server;
  std::optional<AsyncEndpoint> client;
  transport::ConnectOptions connect_options;
};

}  // namespace qpeer::async
