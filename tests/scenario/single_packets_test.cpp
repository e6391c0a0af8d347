// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What one packet at the wrong time, of the wrong size or with the wrong content may do: nothing, or
// end the connection with the right error. RFC 9000 §12.3, §14.1; RFC 9001 §4.1.3.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

std::uint64_t dropped(const Peer& peer, DropReason reason) {
  return peer.endpoint().stats().dropped[static_cast<std::size_t>(reason)];
}

/// An Initial of the client whose datagram `sample` is, with other frames: for keys that take any
/// tag. `size` is that of the datagram.
std::vector<u8> initial_like(Bytes sample, u8 number, Bytes frames, std::size_t size) {
  Reader in{sample.subspan(5)};
  std::vector<u8> storage(size);
  Writer out{storage};
  out.byte(0xc0);
  out.u32(1);
  for (int i = 0; i < 2; ++i) {
    const Bytes id = in.bytes(in.byte());
    out.byte(static_cast<u8>(id.size()));
    out.bytes(id);
  }
  out.varint(0);
  out.varint_of_size(size - out.size() - 2, 2);
  out.byte(number);
  out.bytes(frames);
  return storage;
}

/// The datagram up to its Handshake packet, and that with its frames twice; empty without one.
std::vector<u8> with_doubled_frames(Bytes datagram) {
  for (Reader in{datagram}; !in.empty();) {
    const u8 first = in.byte();
    if ((first & 0x80) == 0) break;
    const bool is_initial = (first & 0x30) == 0;
    in.u32();
    in.bytes(in.byte());
    in.bytes(in.byte());
    if (is_initial) in.bytes(in.varint());
    const std::size_t length_position = in.position();
    const auto length = static_cast<std::size_t>(in.varint());
    const Bytes rest = in.bytes(length);
    if (is_initial) continue;
    const std::size_t number_length = (first & 3U) + 1;
    const Bytes frames = rest.subspan(number_length, length - number_length - 16);
    std::vector<u8> storage(datagram.size() * 2);
    Writer out{storage};
    out.bytes(datagram.first(length_position));
    out.varint_of_size(length + frames.size(), 2);
    out.bytes(rest.first(number_length));
    out.bytes(frames);
    out.bytes(frames);
    out.zeros(16);
    storage.resize(out.size());
    return storage;
  }
  return {};
}

PeerConfig taking_any_tag(NullKeys& keys) {
  PeerConfig config;
  config.keys = &keys;
  return config;
}

/// Dials, lets the server hear the whole ClientHello but the client nothing, and gives the first
/// datagram of the client.
std::vector<u8> half_open(PeerNetwork& network, Peer& client, Peer& server) {
  std::vector<u8> first;
  network.on_send([&](const Passing& datagram) {
    if (first.empty()) first.assign(datagram.payload.begin(), datagram.payload.end());
  });
  network.pipe(server, client).link.blocked = true;
  network.run_for(100ms);
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
  return first;
}

// [rfc9000-14.1-4]: also once there is a connection for it.
// [rfc9000-14-4]: and the connection goes on.
SIMULATE(SinglePackets, SmallInitialsAreDropped) {
  NullKeys keys({.accept_any_tag = true});
  auto [client, server] = network.pair(Link{}, taking_any_tag(keys), taking_any_tag(keys));
  const auto sample = half_open(network, client, server);
  const std::vector<u8> ping{1};
  network.inject(client.address(), server.address(), initial_like(sample, 20, ping, 1'199));
  run_for(1ms);
  EXPECT_EQ(dropped(server, DropReason::too_small), 1U);
  network.inject(client.address(), server.address(), initial_like(sample, 21, ping, 1'200));
  run_for(1ms);
  EXPECT_EQ(dropped(server, DropReason::too_small), 1U);
}

// [rfc9001-4.1.3-1], [rfc9001-4.1.3-2]
SIMULATE(SinglePackets, HandshakeDataPastALevelThatEndedIsAFault) {
  NullKeys keys({.accept_any_tag = true});
  auto [client, server] = network.pair(Link{}, taking_any_tag(keys), taking_any_tag(keys));
  const auto sample = half_open(network, client, server);
  std::vector<u8> frame(8);
  Writer out{frame};
  out.varint(6);      // CRYPTO ...
  out.varint(5'000);  // ... far behind the ClientHello.
  out.varint(1);
  out.byte(42);
  network.inject(client.address(), server.address(), initial_like(sample, 20, frame, 1'200));
  ASSERT_TRUE(run_until(server.closed(), 1s));
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::local_transport);
  EXPECT_EQ(server.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::protocol_violation));
}

SIMULATE(SinglePackets, RepeatsOfTheFinishedMessageInItsOwnPacketAreNoFault) {
  NullKeys keys({.accept_any_tag = true});
  auto [client, server] = network.pair(Link{}, taking_any_tag(keys), taking_any_tag(keys));
  int doubled = 0;
  network.pipe(client, server).filter = [&](Passing& datagram) {
    const auto changed = with_doubled_frames(datagram.payload);
    if (changed.empty()) return Verdict{};
    ++doubled;
    network.inject(datagram.from, datagram.to, changed);
    return Verdict{.drop = true};
  };
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  EXPECT_GT(doubled, 0);
  EXPECT_FALSE(server.closed()());
}

// [rfc9000-12.3-4], [rfc9000-12.3-5]: or an answer's time would tell which numbers were received.
SIMULATE(SinglePackets, ForgeriesAreUnprotectedBeforeTheirNumberIsJudged) {
  auto [client, server] = network.pair(Link{});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  std::vector<u8> last;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address()) {
      last.assign(datagram.payload.begin(), datagram.payload.end());
    }
  });
  client.sends(100);
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  run_for(1s);
  ASSERT_EQ(packet_kinds(last), "1");
  const std::uint64_t duplicates = dropped(server, DropReason::duplicate);
  const std::uint64_t forgeries = dropped(server, DropReason::undecryptable);
  network.inject(client.address(), server.address(), last);
  last.back() ^= 1;
  network.inject(client.address(), server.address(), last);
  run_for(1ms);
  EXPECT_EQ(dropped(server, DropReason::duplicate), duplicates + 1);
  EXPECT_EQ(dropped(server, DropReason::undecryptable), forgeries + 1);
}

// [rfc9000-10.3-4]: 22 bytes more than the eight of an ID that we want in front, so that a stateless
// reset in answer, which is smaller, can still look like a packet for us.
SIMULATE(SinglePackets, TheSmallestHidesAStatelessResetInAnswer) {
  auto [client, server] = network.pair(Link{});
  std::size_t smallest = 1'200;
  network.on_send(
      [&](const Passing& datagram) { smallest = std::min(smallest, datagram.payload.size()); });
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  for (Peer* peer : {&client, &server}) {
    run_for(1s);
    const std::uint64_t pongs = peer->session().pongs;
    peer->connection().ping();
    peer->wake();
    ASSERT_TRUE(run_until([&] { return peer->session().pongs > pongs; }, 5s));
  }
  EXPECT_EQ(smallest, 30U);
}

SIMULATE(SinglePackets, LateCopiesOfTheFirstOnesMakeNoSecondConnection) {
  auto [client, server] = network.pair(Link{});
  std::vector<std::vector<u8>> copies;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address() && copies.size() < 2) {
      copies.emplace_back(datagram.payload.begin(), datagram.payload.end());
    }
  });
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  for (const auto& copy : copies) network.inject(client.address(), server.address(), copy);
  run_for(100ms);
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
  EXPECT_EQ(server.endpoint().stats().connections, 1U);
  client.sends(1_KiB);
  EXPECT_TRUE(run_until(server.received(1_KiB), 5s));
}

}  // namespace
}  // namespace qpeer::sim
