// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The owners of a Node's state without a network: connections are FakeConnections, which a test
// controls.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/p2p/connection_table.hpp"
#include "qpeer/p2p/dialler.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/known_nodes.hpp"
#include "qpeer/p2p/peer_table.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/unit/p2p/encoded_control.hpp"
#include "qpeer/tests/unit/p2p/fake_connection.hpp"

namespace qpeer::p2p {

class FakeSource final : public ConnectionSource {
 public:
  struct Dial {
    Port port;
    SocketAddress remote;
    transport::ConnectOptions options;
  };
  std::vector<Dial> dials{};
  bool with_probe = true;
  std::optional<transport::ConnectError> refuses{};

  std::expected<transport::ConnectionHandle, transport::ConnectError> connect(
      Instant /*now*/, Port port, const SocketAddress& remote,
      const transport::ConnectOptions& options) override {
    if (refuses) return std::unexpected(*refuses);
    dials.push_back({port, remote, options});
    return make(port, Side::client);
  }
  [[nodiscard]] const transport::Connection* find(
      Port port, transport::ConnectionHandle handle) const override {
    const auto at = connections_.find({port, handle.value});
    return at == connections_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] transport::Connection* edit(Port port,
                                            transport::ConnectionHandle handle) override {
    const auto at = connections_.find({port, handle.value});
    return at == connections_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] bool has_probe() const override { return with_probe; }

  transport::ConnectionHandle make(Port port, Side side) {
    const transport::ConnectionHandle out{++last_};
    connections_.try_emplace({port, out.value}, side);
    return out;
  }
  FakeConnection& of(const PeerConnection& connection) {
    return connections_.at({connection.port, connection.handle.value});
  }

 private:
  std::map<std::pair<Port, std::uint64_t>, FakeConnection> connections_;
  std::uint64_t last_ = 0;
};

inline constexpr StreamId kControl{0};

inline PeerId id_of(u8 n) { return PeerId({n}); }
inline SocketAddress address_of(u8 n) { return SocketAddress::ipv4({5, n, 7, 8}, 443); }

class OwnersFixture : public testing::Test {
 protected:
  explicit OwnersFixture(Role role = Role::node) {
    config.role = role;
    config.listen_port = 443;
    tls.id = id_of(255);
    tls.mode = TrustMode::encrypt_only;
  }
  ~OwnersFixture() override {
    EXPECT_TRUE(connections.consistent());
    EXPECT_TRUE(peers.consistent());
    EXPECT_TRUE(known.consistent());
  }

  /// A connection whose peer has introduced itself.
  PeerConnection& connected(u8 peer, bool dialled, Role role = Role::node,
                            std::uint64_t instance = 0) {
    const Side side = dialled ? Side::client : Side::server;
    PeerConnection& out = connections.add(now, Port::first, source.make(Port::first, side));
    out.dialled = dialled;
    out.candidate = {.address = address_of(peer), .id = id_of(peer), .server_name = {}};
    introduced(out, peer, role, instance);
    return out;
  }
  void introduced(PeerConnection& connection, u8 peer, Role role = Role::node,
                  std::uint64_t instance = 0) {
    connection.peer = id_of(peer);
    connection.remote = address_of(peer);
    connection.stage = PeerConnection::Stage::introducing;
    connection.control.open(kControl);
    Introduction introduction{
        .minor = minor, .role = role, .nonce = {peer}, .max_message_size = 1 << 20};
    introduction.instance = instance;
    introduction.advertised.push_back(SocketAddress::ipv4({0, 0, 0, 0}, 443));
    source.of(connection).receives(kControl, encoded(introduction));
    (void)connection.control.receive(source.of(connection));
  }
  /// A link that is up, to a node when we are a client, else whichever way.
  Peer& linked(u8 number, Role role = Role::node, std::uint64_t instance = 0) {
    Peer& peer = *peers.admit(now, PeerKey(id_of(number), instance), role);
    peer.address = address_of(number);
    if (role == Role::node) {
      PeerConnection& outbound = connected(number, true, role, instance);
      outbound.peer_reached_us = true;
      peer.we_dialled = true;
      peers.attach_outbound(now, peer, outbound);
    }
    if (config.role == Role::node) {
      PeerConnection& inbound = connected(number, false, role, instance);
      peers.attach_inbound(now, peer, inbound);
      inbound.stage = PeerConnection::Stage::open;
      peers.update_link(now, peer);
    }
    EXPECT_TRUE(peer.up);
    posted_events();
    emitted_events();
    return peer;
  }
  FakeConnection& outbound_of(const Peer& peer) { return source.of(connections[peer.outbound]); }

  /// As the Node does with what is for the application.
  void hand_on_link_events() {
    std::vector<OwnerEvent> others;
    while (auto event = queue.take_posted()) {
      if (const auto* up = std::get_if<LinkUp>(&*event)) {
        queue.emit(*up);
      } else if (const auto* down = std::get_if<LinkDown>(&*event)) {
        queue.emit(*down);
      } else {
        others.push_back(std::move(*event));
      }
    }
    for (OwnerEvent& event : others) queue.post(std::move(event));
  }
  std::vector<OwnerEvent> posted_events() {
    hand_on_link_events();
    std::vector<OwnerEvent> out;
    while (auto event = queue.take_posted()) out.push_back(std::move(*event));
    return out;
  }
  std::vector<NodeEvent> emitted_events() {
    hand_on_link_events();
    std::vector<NodeEvent> out;
    while (auto event = queue.take_emitted()) out.push_back(std::move(*event));
    return out;
  }
  /// The events of one kind; the others are gone.
  template <class E>
  std::vector<E> posted() {
    return only<E>(posted_events());
  }
  template <class E>
  std::vector<E> emitted() {
    return only<E>(emitted_events());
  }
  template <class E, class Events>
  static std::vector<E> only(const Events& events) {
    std::vector<E> out;
    for (const auto& event : events) {
      if (const E* found = std::get_if<E>(&event)) out.push_back(*found);
    }
    return out;
  }
  /// What was written on the control stream of a connection.
  std::vector<ControlMessage> sent_on(const PeerConnection& connection) {
    FakeConnection::Stream& stream = source.of(connection).streams[kControl];
    std::vector<ControlMessage> out;
    ControlReader reader;
    Bytes left{stream.written};
    for (std::size_t taken = 1; taken > 0; left = left.subspan(taken)) {
      reader.begin_turn();
      taken = reader.feed(left);
      if (auto message = reader.next()) out.push_back(*message);
    }
    return out;
  }
  template <class Message>
  std::vector<Message> sent_on(const PeerConnection& connection) {
    return only<Message>(sent_on(connection));
  }

  Instant now{1s};
  std::uint64_t minor = kProtocolMinor;  ///< Of the peers that introduce themselves.
  NodeConfig config{};
  PeerTls tls{};
  sim::SeededRandom random{7};
  FakeSource source{};
  EventQueue queue{};
  ConnectionTable connections{source};
  PeerTable peers{config, random, connections, queue};
  KnownNodes known{config, id_of(255)};
  Dialler dialler{config, tls, random, source, connections, known};
};

}  // namespace qpeer::p2p
