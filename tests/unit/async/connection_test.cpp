// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <gtest/gtest.h>

#include <algorithm>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

using Kind = CloseReason::Kind;
using AsyncConnectionTest = Loopback;
using AsyncEndpointTest = Loopback;

TEST_F(AsyncConnectionTest, BothSidesLearnWhatTheHandshakeDecided) {
  const Both both = run(loop, connect());
  EXPECT_EQ(both.client.info().alpn, kTestAlpn);
  EXPECT_EQ(both.server.info().alpn, kTestAlpn);
  EXPECT_EQ(both.client.info().remote, server->local_address());
  EXPECT_EQ(both.server.info().remote, client->local_address());
  EXPECT_EQ(both.client.info().cipher_suite, both.server.info().cipher_suite);
  EXPECT_FALSE(both.client.info().key_exchange_group.empty());
  EXPECT_FALSE(both.client.info().peer_certificate.der.empty());
  EXPECT_TRUE(both.server.info().peer_certificate.der.empty());
  EXPECT_GT(both.client.stats().handshake_time, Duration{});
}

TEST_F(AsyncConnectionTest, MutualAuthenticationShowsEachTheOthersKey) {
  const auto credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "peer");
  crypto::TlsConfig config{.credentials = credentials, .alpn = {std::string(kTestAlpn)}};
  const auto tls = crypto::make_tls_context(config);
  ASSERT_TRUE(tls) << to_string(tls.error());
  open({.endpoint = {.server_tls = *tls}});
  connect_options.tls = *tls;
  const Both both = run(loop, connect());
  const auto id = crypto::spki_sha256(credentials.private_key_pem);
  EXPECT_EQ(both.client.info().peer_certificate.spki_sha256, *id);
  EXPECT_EQ(both.server.info().peer_certificate.spki_sha256, *id);
}

TEST_F(AsyncConnectionTest, CloseTellsBothSidesCodeAndReason) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    both.client.close(7, "enough");
    const CloseReason here = co_await both.client.closed();
    EXPECT_EQ(here.kind, Kind::local_application);
    EXPECT_EQ(here.code, 7U);
    const CloseReason there = co_await both.server.closed();
    EXPECT_EQ(there.kind, Kind::peer_application);
    EXPECT_EQ(there.code, 7U);
    EXPECT_EQ(there.reason, "enough");
    EXPECT_TRUE(both.server.is_closed());
    const auto stream = co_await both.server.open_stream();
    EXPECT_EQ(stream.error(), StreamError::closed);
    const auto pong = co_await both.client.ping();
    EXPECT_EQ(pong.error(), StreamError::closed);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, DestroyingTheLastHandleClosesIt) {
  auto body = [this]() -> Task<void> {
    AsyncConnection there = co_await [](Loopback*, auto connecting) -> Task<AsyncConnection> {
      const Both both = co_await std::move(connecting);
      co_return both.server;  // The client's handle goes.
    }(this, connect());
    const CloseReason reason = co_await there.closed();
    EXPECT_EQ(reason.kind, Kind::peer_application);
    EXPECT_EQ(reason.code, 0U);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, AStreamKeepsItsConnectionOpen) {
  auto body = [this]() -> Task<void> {
    std::optional<AsyncStream> kept;
    std::optional<AsyncConnection> there;
    {
      Both both = co_await connect();
      BothStreams streams = co_await open_stream(both);
      kept.emplace(std::move(streams.client));
      there = both.server;
    }
    co_await sleep_for(loop, 20ms);
    EXPECT_FALSE(there->is_closed());
    kept.reset();
    const CloseReason reason = co_await there->closed();
    EXPECT_EQ(reason.kind, Kind::peer_application);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, CloseEndsEveryWait) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    int ended = 0;
    auto read = [](AsyncStream& stream, int& count) -> Task<void> {
      std::array<u8, 8> buffer{};
      const auto size = co_await stream.read(buffer);
      EXPECT_EQ(size.error(), StreamError::closed);
      ++count;
    };
    auto write = [](AsyncStream& stream, int& count) -> Task<void> {
      const std::vector<u8> much = pattern(64 << 20);
      const auto written = co_await stream.write(much);
      EXPECT_EQ(written.error(), StreamError::closed);
      ++count;
    };
    auto finished = [](AsyncStream& stream, int& count) -> Task<void> {
      const auto done = co_await stream.finished();
      EXPECT_EQ(done.error(), StreamError::closed);
      ++count;
    };
    auto accept = [](AsyncConnection& connection, int& count) -> Task<void> {
      const auto stream = co_await connection.accept_stream();
      EXPECT_EQ(stream.error(), StreamError::closed);
      ++count;
    };
    TaskGroup group;
    group.spawn(read(streams.client, ended));
    group.spawn(write(streams.client, ended));
    group.spawn(finished(streams.client, ended));
    group.spawn(accept(both.client, ended));
    group.spawn(accept(both.client, ended));
    co_await sleep_for(loop, 10ms);
    EXPECT_EQ(ended, 0);
    both.server.close(1, "over");
    co_await group.join();
    EXPECT_EQ(ended, 5);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, OpenStreamWaitsForThePeersLimit) {
  AsyncEndpointOptions options;
  options.endpoint.connection.streams.max_streams_bidi = 2;
  open(options);
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    std::optional<BothStreams> first = co_await open_stream(both);
    const BothStreams second = co_await open_stream(both);
    int opened = 0;
    auto one_more = [](AsyncConnection& connection, int& count) -> Task<void> {
      const auto stream = co_await connection.open_stream();
      EXPECT_TRUE(stream);
      ++count;
    };
    TaskGroup group;
    group.spawn(one_more(both.client, opened));
    co_await sleep_for(loop, 20ms);
    EXPECT_EQ(opened, 0);
    first.reset();  // Both ends: it is done with.
    co_await group.join();
    EXPECT_EQ(opened, 1);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, BothSidesLearnThatTheHandshakeIsConfirmed) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    const auto here = co_await both.client.confirmed();
    EXPECT_TRUE(here);
    const auto there = co_await both.server.confirmed();
    EXPECT_TRUE(there);
    both.client.close();
    (void)co_await both.client.closed();
    const auto still = co_await both.client.confirmed();
    EXPECT_TRUE(still);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, PingIsAnswered) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    const auto once = co_await both.client.ping();
    EXPECT_TRUE(once);
    EXPECT_LT(*once, 5s);
    const auto again = co_await both.server.ping();
    EXPECT_TRUE(again);
    EXPECT_GT(both.server.stats().smoothed_rtt, Duration{});
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, KeysCanBeUpdatedWhileDataFlows) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    (void)co_await both.client.ping();
    EXPECT_TRUE(both.client.initiate_key_update());
    BothStreams streams = co_await open_stream(both);
    EXPECT_EQ(both.client.stats().key_updates, 1U);
    const auto pong = co_await both.server.ping();
    EXPECT_TRUE(pong);
  };
  run(loop, body());
}

TEST_F(AsyncConnectionTest, AnErrorCodeThatIsTooLargeBecomesTheLargest) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    both.client.close(std::uint64_t{1} << 62);
    const CloseReason here = co_await both.client.closed();
    const CloseReason there = co_await both.server.closed();
    EXPECT_EQ(here.code, (std::uint64_t{1} << 62) - 1);
    EXPECT_EQ(there.code, here.code);
  };
  run(loop, body());
}

// --- the endpoint --------------------------------------------------------------------------------

TEST_F(AsyncEndpointTest, ConnectGivesTheReasonWhyItWasRefused) {
  auto body = [this]() -> Task<void> {
    const auto nowhere = co_await client->connect(SocketAddress{}, connect_options);
    EXPECT_EQ(nowhere.error().refused, transport::ConnectError::bad_address);
    const auto no_tls = co_await client->connect(server->local_address(), nullptr);
    EXPECT_EQ(no_tls.error().refused, transport::ConnectError::bad_configuration);
    EXPECT_FALSE(to_string(no_tls.error()).empty());
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, ExtremeConfigurationsWorkOrAreRefused) {
  auto body = [this]() -> Task<void> {
    connect_options.connection.version = Version::negotiation;
    const auto no_version = co_await client->connect(server->local_address(), connect_options);
    EXPECT_EQ(no_version.error().refused, transport::ConnectError::bad_configuration);
    connect_options.connection.version = Version::v1;
    for (const Duration initial_rtt : {Duration::min(), Duration{}}) {
      connect_options.connection.initial_rtt = initial_rtt;
      connect_options.connection.streams.send_buffer = 0;
      connect_options.connection.congestion_controller = [](std::uint16_t) { return nullptr; };
      Both both = co_await connect();
      BothStreams streams = co_await open_stream(both);
      (void)co_await streams.client.write(as_bytes("through the eye of a needle"));
      (void)streams.client.finish();
      const auto read = co_await streams.server.read_all(100);
      EXPECT_EQ(as_text(*read), "through the eye of a needle");
    }
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, ConnectGivesTheReasonWhyTheHandshakeFailed) {
  auto body = [this]() -> Task<void> {
    connect_options.tls = client_tls("another/1");
    const auto other = co_await client->connect(server->local_address(), connect_options);
    EXPECT_FALSE(other.error().refused);
    EXPECT_EQ(other.error().reason.kind, Kind::peer_transport);
    EXPECT_EQ(other.error().reason.code, 0x178U);  // no_application_protocol
    connect_options.connection.handshake_timeout = 30ms;
    const auto nobody = co_await client->connect(mute.local_address(), connect_options);
    EXPECT_EQ(nobody.error().reason.kind, Kind::handshake_timeout);
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, CancellingAConnectLeavesNothingBehind) {
  {
    TaskGroup group;
    auto body = [this]() -> Task<void> {
      (void)co_await client->connect(mute.local_address(), connect_options);
      ADD_FAILURE() << "went on";
    };
    group.spawn(body());
    turn_for(5ms);
    EXPECT_EQ(client->stats().connections, 1U);
  }
  EXPECT_TRUE(turn_until([&] { return client->stats().connections == 0; }));
}

TEST_F(AsyncEndpointTest, AcceptEndsWithTheShutDown) {
  auto body = [this]() -> Task<void> {
    int ended = 0;
    auto accept = [](AsyncEndpoint& endpoint, int& count) -> Task<void> {
      const auto connection = co_await endpoint.accept();
      EXPECT_FALSE(connection);
      ++count;
    };
    Both both = co_await connect();
    TaskGroup group;
    group.spawn(accept(*server, ended));
    group.spawn(accept(*server, ended));
    co_await server->shut_down(3, "good night");
    EXPECT_EQ(server->stats().connections, 0U);
    EXPECT_EQ(ended, 2);
    const CloseReason reason = co_await both.client.closed();
    EXPECT_EQ(reason.code, 3U);
    EXPECT_EQ(reason.reason, "good night");
    const auto refused = co_await server->connect(client->local_address(), connect_options);
    EXPECT_EQ(refused.error().refused, transport::ConnectError::shut_down);
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, DestroyingItEndsWhatWaitsAndTellsThePeers) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    server.reset();
    std::array<u8, 8> buffer{};
    const auto size = co_await streams.server.read(buffer);
    EXPECT_EQ(size.error(), StreamError::closed);
    const CloseReason here = co_await both.server.closed();
    EXPECT_EQ(here.kind, Kind::local_application);
    const CloseReason there = co_await both.client.closed();
    EXPECT_EQ(there.kind, Kind::peer_application);
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, ATaskThatAnEventWokeMayDestroyIt) {
  auto body = [this]() -> Task<void> {
    Both both = co_await connect();
    BothStreams streams = co_await open_stream(both);
    auto destroy = [](AsyncStream& stream, std::optional<AsyncEndpoint>& endpoint) -> Task<void> {
      std::array<u8, 8> buffer{};
      (void)co_await stream.read(buffer);
      endpoint.reset();
    };
    TaskGroup group;
    group.spawn(destroy(streams.server, server));
    (void)co_await streams.client.write(as_bytes("now"));
    co_await group.join();
    const CloseReason there = co_await both.client.closed();
    EXPECT_EQ(there.kind, Kind::peer_application) << "the peer was not told";
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, TheBacklogIsBounded) {
  open({.backlog = 2});
  auto body = [this]() -> Task<void> {
    std::vector<AsyncConnection> connections;
    for (int i = 0; i < 4; ++i) {
      auto connection = co_await client->connect(server->local_address(), connect_options);
      EXPECT_TRUE(connection);
      connections.push_back(std::move(*connection));
    }
    const CloseReason third = co_await connections[2].closed();
    EXPECT_EQ(third.reason, "busy");
    const CloseReason fourth = co_await connections[3].closed();
    EXPECT_EQ(fourth.kind, Kind::peer_application);
    const auto first = co_await server->accept();
    const auto second = co_await server->accept();
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(connections[0].is_closed());
    EXPECT_FALSE(connections[1].is_closed());
  };
  run(loop, body());
}

TEST_F(AsyncEndpointTest, APortThatIsTakenIsAnError) {
  const auto second = AsyncEndpoint::open(loop, {.bind = server->local_address()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), std::errc::address_in_use);
}

}  // namespace
}  // namespace qpeer::async
