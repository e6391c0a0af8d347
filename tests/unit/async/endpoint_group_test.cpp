// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server with several threads on one port, over real sockets. RFC 9000 §5.2, §9.
#include <gtest/gtest.h>
#include "qpeer/transport.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/async/rebinding_relay.hpp"

namespace qpeer::async {
namespace {

constexpr std::string_view kAlpn = "group/1";
constexpr int kClients = 16;

Task<void> echo(AsyncStream stream) {
  const auto question = co_await stream.read_all(1'000);
  if (!question) co_return;
  (void)co_await stream.write(*question);
  (void)stream.finish();
  (void)co_await stream.finished();
}

Task<void> echo_all(AsyncConnection connection) {
  TaskGroup streams;
  for (;;) {
    auto stream = co_await connection.accept_stream();
    if (!stream) break;
    streams.spawn(echo(std::move(*stream)));
  }
}

Task<void> serve(AsyncEndpoint& endpoint) {
  TaskGroup connections;
  for (;;) {
    auto connection = co_await endpoint.accept();
    if (!connection) break;
    connections.spawn(echo_all(std::move(*connection)));
  }
}

/// Whether a question is answered.
Task<bool> ask(AsyncConnection& connection) {
  auto stream = co_await connection.open_stream();
  if (!stream) co_return false;
  const auto written = co_await stream->write(as_bytes("question"));
  if (!written) co_return false;
  (void)stream->finish();
  auto reading = stream->read_all(1'000);
  const auto answer = co_await with_timeout(5s, std::move(reading));
  co_return answer && *answer&& as_text(**answer) == "question";
}

transport::EndpointStats sum(const std::vector<transport::EndpointStats>& stats) {
  transport::EndpointStats out;
  for (const auto& each : stats) out += each;
  return out;
}

EndpointGroupOptions options_of(std::size_t threads) {
  EndpointGroupOptions options{.threads = threads};
  options.endpoint.bind = SocketAddress::loopback4(0);
  options.endpoint.endpoint.server_tls = server_tls(std::string(kAlpn));
  // A connection that is lost is to fail its test soon, not after a time-out.
  options.endpoint.endpoint.connection.max_idle_timeout = 5s;
  return options;
}

class EndpointGroupTest : public testing::TestWithParam<std::size_t> {
 protected:
  void open(const EndpointGroupOptions& options) {
    auto opened = EndpointGroup::open(options, serve);
    ASSERT_TRUE(opened) << opened.error().message();
    group.emplace(std::move(*opened));
    connect_options.tls = client_tls(std::string(kAlpn));
  }
  /// A client with its own port, so that the system may choose each time another thread for it.
  [[nodiscard]] AsyncEndpoint open_client(std::size_t more = 0) {
    const std::vector<SocketAddress> binds(more, SocketAddress::loopback4(0));
    auto client =
        AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0), .more_binds = binds});
    EXPECT_TRUE(client);
    return std::move(*client);
  }

  Task<void> move_one(int& moved) {
    AsyncEndpoint client = open_client(1);
    auto connection = co_await client.connect(group->local_address(), connect_options);
    EXPECT_TRUE(connection);
    if (!connection) co_return;
    const bool before = co_await ask(*connection);
    const auto migrated = co_await connection->migrate(client.local_addresses().back());
    const bool after = co_await ask(*connection);
    moved += before && migrated && after ? 1 : 0;
  }

  /// A NAT gives it another port, which neither side knows of.
  Task<void> rebind_one(int& moved) {
    test::RebindingRelay relay(loop, group->local_address());
    AsyncEndpoint client = open_client();
    auto connection = co_await client.connect(relay.address(), connect_options);
    EXPECT_TRUE(connection);
    if (!connection) co_return;
    (void)co_await connection->confirmed();
    const bool before = co_await ask(*connection);
    bool after = true;
    for (int i = 0; i < 3; ++i) {
      relay.rebind();
      const bool answered = co_await ask(*connection);
      after = after && answered;
    }
    moved += before && after ? 1 : 0;
  }

  io::EventLoop loop;
  std::optional<EndpointGroup> group;
  transport::ConnectOptions connect_options;
};

TEST_P(EndpointGroupTest, AllClientsThatMoveAreFollowed) {
  open(options_of(GetParam()));
  int moved = 0;
  for (int i = 0; i < kClients; ++i) run(loop, move_one(moved));
  EXPECT_EQ(moved, kClients);
  const auto total = sum(group->stats());
  EXPECT_EQ(total.accepted, std::uint64_t{kClients});
  EXPECT_EQ(total.taken_over > 0, GetParam() > 1) << "nobody came to another thread: no test";
  EXPECT_EQ(total.dropped[std::size_t(DropReason::handover_full)], 0U);
}

TEST_P(EndpointGroupTest, AllClientsThatANatMovesAreFollowed) {
  open(options_of(GetParam()));
  int moved = 0;
  for (int i = 0; i < kClients; ++i) run(loop, rebind_one(moved));
  EXPECT_EQ(moved, kClients);
  EXPECT_EQ(sum(group->stats()).accepted, std::uint64_t{kClients});
}

// The client's first flight is of two datagrams. The second one finds the first one's connection, which may
// drop it, for addresses do not change in a handshake; but it makes no connection of its own. RFC 9000 §9.
TEST_P(EndpointGroupTest, AFirstFlightFromTwoPortsMakesOneConnection) {
  open(options_of(GetParam()));
  connect_options.connection.initial_rtt = 10ms;
  int connected = 0;
  auto connect_one = [&]() -> Task<void> {
    test::RebindingRelay relay(loop, group->local_address());
    relay.detour(1);
    AsyncEndpoint client = open_client();
    auto connection = co_await client.connect(relay.address(), connect_options);
    if (!connection) co_return;
    const bool answered = co_await ask(*connection);
    connected += answered ? 1 : 0;
  };
  for (int i = 0; i < kClients; ++i) run(loop, connect_one());
  EXPECT_EQ(connected, kClients);
  EXPECT_EQ(sum(group->stats()).accepted, std::uint64_t{kClients});
}

TEST_P(EndpointGroupTest, RetryAndTokensWorkAcrossThreadsAndATokenCountsOnce) {
  EndpointGroupOptions options = options_of(GetParam());
  options.endpoint.endpoint.retry = transport::RetryPolicy::always;
  open(options);
  auto body = [&]() -> Task<void> {
    std::vector<u8> token;
    for (int i = 0; i < kClients; ++i) {
      AsyncEndpoint client = open_client();
      connect_options.address_token = token;
      auto connection = co_await client.connect(group->local_address(), connect_options);
      EXPECT_TRUE(connection) << i;
      if (!connection) co_return;
      const bool answered = co_await ask(*connection);
      EXPECT_TRUE(answered) << i;
      (void)co_await connection->confirmed();
      for (int wait = 0; wait < 200 && connection->address_token().empty(); ++wait) {
        co_await sleep_for(loop, 5ms);
      }
      if (i >= kClients / 2) continue;  // From then on an old one.
      const Bytes fresh = connection->address_token();
      token.assign(fresh.begin(), fresh.end());
    }
  };
  run(loop, body());
  const auto total = sum(group->stats());
  EXPECT_EQ(total.tokens_accepted, std::uint64_t{kClients / 2});
  EXPECT_GE(total.retries_sent, std::uint64_t{kClients / 2})
      << "for each datagram of a first flight";
}

INSTANTIATE_TEST_SUITE_P(Threads, EndpointGroupTest, testing::Values(1, 2, 4));

class EndpointGroupEnd : public EndpointGroupTest {};

TEST_F(EndpointGroupEnd, ClosesConnectionsWithTheReasonAndWaitsForServe) {
  std::atomic<int> returned = 0;
  auto opened = EndpointGroup::open(options_of(4), [&](AsyncEndpoint& endpoint) -> Task<void> {
    co_await serve(endpoint);
    ++returned;
  });
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(opened->threads(), 4U);
  connect_options.tls = client_tls(std::string(kAlpn));
  AsyncEndpoint client = open_client();
  auto body = [&]() -> Task<void> {
    auto connection = co_await client.connect(opened->local_address(), connect_options);
    EXPECT_TRUE(connection);
    if (!connection) co_return;
    const bool answered = co_await ask(*connection);
    EXPECT_TRUE(answered);
    opened->shut_down(7, "over");
    const CloseReason reason = co_await connection->closed();
    EXPECT_EQ(reason.kind, CloseReason::Kind::peer_application);
    EXPECT_EQ(reason.code, 7U);
    EXPECT_EQ(reason.reason, "over");
  };
  run(loop, body());
  opened->wait();
  EXPECT_EQ(returned, 4);
  EXPECT_EQ(sum(opened->stats()).accepted, 1U) << "the figures stay";
  opened->wait();
}

TEST_F(EndpointGroupEnd, CancelsAServeThatGoesOnAfterTheLimit) {
  std::atomic<int> cancelled = 0;
  struct Guard {
    std::atomic<int>& count;
    ~Guard() { ++count; }
  };
  auto opened = EndpointGroup::open(options_of(2), [&](AsyncEndpoint& endpoint) -> Task<void> {
    const Guard guard{cancelled};
    for (;;) co_await sleep_for(endpoint.loop(), 1h);
  });
  ASSERT_TRUE(opened);
  opened->shut_down(0, {}, 10ms);
  opened->wait();
  EXPECT_EQ(cancelled, 2);
}

TEST_F(EndpointGroupEnd, OfOneThreadIsThatOfAll) {
  std::atomic<int> first = 0;
  auto opened = EndpointGroup::open(options_of(4), [&](AsyncEndpoint& endpoint) -> Task<void> {
    if (first++ == 0) co_return;
    co_await serve(endpoint);
  });
  ASSERT_TRUE(opened);
  opened->wait();
}

TEST_F(EndpointGroupEnd, WhatServeThrowsIsThrownByWait) {
  std::atomic<int> first = 0;
  auto opened = EndpointGroup::open(options_of(4), [&](AsyncEndpoint& endpoint) -> Task<void> {
    if (first++ == 0) throw std::runtime_error("no");
    co_await serve(endpoint);
  });
  ASSERT_TRUE(opened);
  EXPECT_THROW(opened->wait(), std::runtime_error);
  opened->wait();
}

TEST_F(EndpointGroupEnd, ByItsDestructorFreesThePort) {
  std::optional<EndpointGroup> first;
  auto opened = EndpointGroup::open(options_of(4), serve);
  ASSERT_TRUE(opened);
  first.emplace(std::move(*opened));
  const SocketAddress address = first->local_address();
  first.reset();
  EXPECT_TRUE(io::UdpSocket::bind(address));
}

TEST_F(EndpointGroupEnd, AnAddressThatIsTakenIsAnError) {
  const auto taken = io::UdpSocket::bind(SocketAddress::loopback4(0));
  ASSERT_TRUE(taken);
  EndpointGroupOptions options = options_of(4);
  options.endpoint.bind = taken->local_address();
  const auto opened = EndpointGroup::open(options, serve);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), std::errc::address_in_use);
}

}  // namespace
}  // namespace qpeer::async
