// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Two endpoints of one port: what the system gives to the wrong one is handed over. RFC 9000 §5.2, §10.3.
#include <algorithm>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/crypto/address_token.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/endpoint/cid_router.hpp"

namespace qpeer::sim {
namespace {

/// Keeps what is handed over until the test delivers it.
class TestPort final : public transport::SharedPort {
 public:
  struct Kept {
    std::size_t member;
    Path path;
    std::vector<u8> payload;
  };

  bool hand_over(std::size_t member, const ReceivedDatagram& datagram) override {
    kept.push_back({member, datagram.path, {datagram.payload.begin(), datagram.payload.end()}});
    return true;
  }
  std::optional<std::size_t> find(const ConnectionId& id) override {
    return router_.find(id.bytes());
  }
  std::size_t claim(const ConnectionId& id, std::size_t member) override {
    router_.add(id, static_cast<transport::CidRouter::Slot>(member));
    return *find(id);
  }
  void release(const ConnectionId& id, std::size_t member) override {
    router_.remove(id, static_cast<transport::CidRouter::Slot>(member));
  }
  void watch_reset(const StatelessResetToken& token, std::size_t member) override {
    router_.add_reset(token, static_cast<transport::CidRouter::Slot>(member));
    ++watched;
  }
  void unwatch_reset(const StatelessResetToken& token, std::size_t member) override {
    router_.remove_reset(token, static_cast<transport::CidRouter::Slot>(member));
    --watched;
  }
  std::optional<std::size_t> find_reset(const StatelessResetToken& token) override {
    return router_.find_reset(token);
  }
  bool is_unused_token(Instant, std::uint64_t) override { return true; }
  bool use_token(Instant, std::uint64_t) override { return true; }

  std::vector<Kept> kept;
  int watched = 0;

 private:
  SeededRandom random_{1};
  transport::CidRouter router_{random_};
};

/// What a client that has lost its state answers to a packet with this Destination Connection ID.
std::vector<u8> stateless_reset(const crypto::ResetTokens::Key& key, const ConnectionId& id) {
  std::vector<u8> out(24, 0x55);
  const StatelessResetToken token = crypto::ResetTokens(key).token(id);
  out.insert(out.end(), token.begin(), token.end());
  return out;
}

// RFC 9000 §10.3 [rfc9000-10.3-9]: also when the system gives the reset to another endpoint, for the client
// is at another address than the one that it began at.
SIMULATE(SharedPort, TheStatelessResetOfAClientThatHasMovedReachesItsEndpoint) {
  const auto port = std::make_shared<TestPort>();
  PeerConfig of_server;
  of_server.endpoint.reset_key.fill(1);
  of_server.endpoint.token_key.fill(2);
  of_server.endpoint.shared_port = {.port = port, .index = 0, .count = 2, .id_key = {3}};
  PeerConfig of_client;
  of_client.endpoint.reset_key.fill(4);
  auto [client, first] = network.pair(Link{.delay = 10ms}, of_client, of_server);
  of_server.endpoint.shared_port->index = 1;
  Peer& second = network.add_peer(of_server);
  ASSERT_TRUE(run_until(first.confirmed(), 5s));
  ConnectionId id_of_client;
  network.on_send([&, from = first.address()](const Passing& passing) {
    if (passing.from != from || (passing.payload[0] & 0x80) != 0) return;
    id_of_client = ConnectionId(Bytes(passing.payload).subspan(1, 8));
  });
  const SocketAddress moved = network.new_address();
  network.rebind(client.host(), client.address(), moved);
  ASSERT_TRUE(client.connection().rotate_connection_ids());  // An ID of the handshake has no token.
  client.sends(1'000);
  ASSERT_TRUE(run_until(first.received(1'000), 5s));
  run_for(1s);
  ASSERT_EQ(first.session().connection().path().remote, moved);

  const auto give_to_second = [&](std::vector<u8> datagram) {
    second.endpoint().on_datagram(
        network.now(),
        {.path = {.local = second.address(), .remote = moved}, .payload = MutableBytes(datagram)});
  };
  std::vector<u8> reset = stateless_reset(of_client.endpoint.reset_key, id_of_client);
  reset.back() ^= 1;
  give_to_second(reset);
  EXPECT_TRUE(port->kept.empty()) << "noise is for nobody";
  reset.back() ^= 1;
  give_to_second(reset);
  ASSERT_EQ(port->kept.size(), 1U);
  auto& kept = port->kept.front();
  EXPECT_EQ(kept.member, 0U);
  first.endpoint().on_handed_over(network.now(),
                                  {.path = kept.path, .payload = MutableBytes(kept.payload)});
  first.wake();
  run_for(10ms);
  ASSERT_TRUE(first.session().closed());
  EXPECT_EQ(first.session().close->kind, transport::CloseReason::Kind::stateless_reset);
  run_for(10s);
  EXPECT_EQ(first.endpoint().stats().connections, 0U);
  EXPECT_EQ(port->watched, 0);
}

}  // namespace
}  // namespace qpeer::sim
