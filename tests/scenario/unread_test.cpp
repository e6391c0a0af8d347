// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What was acknowledged stays readable after the end of its connection. Endpoint::keep_unread().
#include <optional>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

/// Reads the stream to its end; how much there was, nullopt when the end is missing.
std::optional<std::uint64_t> read_all(transport::Endpoint& endpoint,
                                      transport::ConnectionHandle handle, StreamId id) {
  std::uint64_t size = 0;
  for (;;) {
    transport::Connection* const connection = endpoint.edit(handle);
    if (connection == nullptr) return std::nullopt;
    const auto view = connection->peek(id);
    if (!view || (view->data.empty() && !view->fin)) return std::nullopt;
    size += view->data.size();
    connection->consume(id, view->data.size());
    if (view->fin) return size;
  }
}

/// The server sends, learns that all arrived, and closes. The client reads nothing meanwhile.
Peer& closed_client(PeerNetwork& network, bool keeps) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  client.reads = false;
  EXPECT_TRUE(network.run_until(server.confirmed(), 5s));
  if (keeps) client.endpoint().keep_unread(client.session().handle());
  server.sends(100_KiB, StreamKind::unidirectional);
  EXPECT_TRUE(network.run_until(server.acknowledged(), 5s));
  server.session().closes(0, "done");
  network.run_for(60s);
  EXPECT_TRUE(client.session().closed());
  EXPECT_TRUE(server.endpoint().idle());
  return client;
}

SIMULATE(Unread, DataThatWasAcknowledgedCanBeReadWhenTheConnectionHasDrained) {
  Peer& client = closed_client(network, true);
  const auto handle = client.session().handle();
  EXPECT_TRUE(client.endpoint().idle()) << "nothing is sent or waited for any more";
  EXPECT_EQ(client.endpoint().next_deadline(), kNever);
  EXPECT_EQ(client.endpoint().stats().connections, 1U);
  ASSERT_EQ(client.session().streams.size(), 1U);
  const StreamId id = client.session().streams.begin()->first;
  EXPECT_EQ(read_all(client.endpoint(), handle, id), 100_KiB);
  client.wake();
  run_for(1ms);
  EXPECT_EQ(client.endpoint().find(handle), nullptr) << "nothing is left to be read";
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
}

SIMULATE(Unread, GoesWithoutAReader) {
  EXPECT_EQ(closed_client(network, false).endpoint().stats().connections, 0U);
  Peer& client = closed_client(network, true);
  client.endpoint().release(client.session().handle());
  client.wake();
  run_for(1ms);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
}

SIMULATE(Unread, GoesWhenItsReaderStops) {
  Peer& client = closed_client(network, true);
  const auto handle = client.session().handle();
  ASSERT_EQ(client.session().streams.size(), 1U);
  const StreamId id = client.session().streams.begin()->first;
  EXPECT_EQ(client.endpoint().edit(handle)->stop_sending(id, 1).error(),
            transport::StreamError::closed);
  client.wake();
  run_for(1ms);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
}

// Its connection IDs are given back, so that the peer's packets get a stateless reset.
SIMULATE(Unread, DataOfAConnectionThatTimedOutLeavesItsConnectionIds) {
  PeerConfig config;
  config.connection.max_idle_timeout = 5s;
  auto [client, server] = network.pair(Link{.delay = 10ms}, config);
  client.reads = false;
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  const auto handle = client.session().handle();
  client.endpoint().keep_unread(handle);
  server.sends(10_KiB, StreamKind::unidirectional);
  ASSERT_TRUE(run_until(server.acknowledged(), 5s));
  network.pipe(server, client).link.blocked = true;
  network.pipe(client, server).link.blocked = true;
  ASSERT_TRUE(run_until(client.closed(), 20s));
  run_for(1s);
  EXPECT_EQ(client.endpoint().stats().connections, 1U);
  EXPECT_EQ(client.endpoint().stats().stateless_resets_sent, 0U);
  network.pipe(server, client).link.blocked = false;
  network.pipe(client, server).link.blocked = false;
  if (!server.session().closed()) {
    server.sends(10_KiB, StreamKind::unidirectional);
    EXPECT_TRUE(run_until(server.closed(), 5s));
    EXPECT_EQ(server.session().close->kind, transport::CloseReason::Kind::stateless_reset);
  }
}

}  // namespace
}  // namespace qpeer::sim
