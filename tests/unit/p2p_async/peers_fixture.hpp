// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nodes and clients on real loopback sockets in one loop.
#pragma once

#include <gtest/gtest.h>
#include "qpeer/qpeer.hpp"

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/support.hpp"

namespace qpeer::p2p {

using test::pattern;

class PeersFixture : public testing::Test {
 protected:
  static NodeOptions options() {
    NodeOptions out;
    out.identity = make_identity();
    out.listen = SocketAddress::loopback4(0);
    return out;
  }
  AsyncNode node(NodeOptions with = options()) {
    auto out = AsyncNode::start(loop, std::move(with));
    EXPECT_TRUE(out) << to_string(out.error());
    return std::move(*out);
  }
  AsyncClient client(NodeOptions with = options()) {
    auto out = AsyncClient::start(loop, std::move(with));
    EXPECT_TRUE(out) << to_string(out.error());
    return std::move(*out);
  }

  /// Runs a task to its end, at most ten seconds.
  void finish(async::Task<void> task) {
    async::TaskGroup group;
    group.spawn(std::move(task));
    EXPECT_TRUE(turn_until([&] { return group.size() == 0; })) << "the task still waits";
  }
  template <class Predicate>
  bool turn_until(Predicate&& done) {
    return loop.run_until(std::forward<Predicate>(done), io::now() + 10s);
  }
  void turn_for(Duration time) {
    loop.run_until([] { return false; }, io::now() + time);
  }

  /// From `from` to `to`.
  NodePeer link(AsyncNode& from, const AsyncNode& to) { return link<NodePeer>(from, to); }
  ServerPeer link(AsyncClient& from, const AsyncNode& to) { return link<ServerPeer>(from, to); }

  /// Somebody who never answers.
  [[nodiscard]] PeerAddress mute_contact() const {
    return {.id = make_identity().id, .host = "127.0.0.1", .port = mute_.local_address().port()};
  }

  io::EventLoop loop;

 private:
  io::UdpSocket mute_ = *io::UdpSocket::bind(SocketAddress::loopback4(0));

  template <class Peer, class From>
  Peer link(From& from, const AsyncNode& to) {
    std::optional<Peer> out;
    auto body = [&]() -> async::Task<void> {
      const PeerAddress contact = to.contact();
      auto peer = co_await from.connect(contact);
      EXPECT_TRUE(peer) << to_string(peer.error());
      if (peer) out = *peer;
    };
    finish(body());
    return out.value_or(from.peer(to.id()));
  }
};

}  // namespace qpeer::p2p
