// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The peer's address changes: a NAT forgets, an attacker forges, a path fails. RFC 9000 §8.2, §9.
#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::sim {
namespace {

using transport::PathError;

/// The frames of one kind in a datagram that is one 1-RTT packet, which the simulator's keys leave
/// readable.
std::size_t count_frames(Bytes datagram, wire::FrameType wanted, std::size_t cid_size = 8) {
  if (datagram.empty() || (datagram[0] & 0x80) != 0) return 0;
  const std::size_t header = 1 + cid_size + 1 + (datagram[0] & 3);
  if (datagram.size() < header + crypto::kTagSize) return 0;
  Reader in(datagram.subspan(header, datagram.size() - header - crypto::kTagSize));
  std::size_t count = 0;
  while (!in.empty()) {
    const bool hit = in.peek() == static_cast<u8>(wanted);
    if (!wire::decode_frame(in, wire::PacketType::one_rtt)) break;
    if (hit) ++count;
  }
  return count;
}

ConnectionId dcid_of(Bytes datagram, std::size_t size = 8) {
  return ConnectionId(datagram.subspan(1, size));
}

/// Notes what one host sends to and from each address.
struct Watcher {
  struct Sent {
    Instant at;
    SocketAddress from;
    SocketAddress to;
    std::size_t size = 0;
    std::size_t challenges = 0;
    std::size_t responses = 0;
    ConnectionId dcid;
  };

  Watcher(PeerNetwork& network, const Peer& sender) {
    network.on_send([this, &sender](const Passing& datagram) {
      if (std::ranges::find(sender.host().addresses(), datagram.from) ==
          sender.host().addresses().end()) {
        return;
      }
      if ((datagram.payload[0] & 0x80) != 0) return;
      sent.push_back({.at = datagram.now,
                      .from = datagram.from,
                      .to = datagram.to,
                      .size = datagram.payload.size(),
                      .challenges = count_frames(datagram.payload, wire::FrameType::path_challenge),
                      .responses = count_frames(datagram.payload, wire::FrameType::path_response),
                      .dcid = dcid_of(datagram.payload)});
    });
  }
  [[nodiscard]] std::vector<Sent> to(const SocketAddress& address) const {
    std::vector<Sent> out;
    std::ranges::copy_if(sent, std::back_inserter(out),
                         [&](const Sent& each) { return each.to == address; });
    return out;
  }
  [[nodiscard]] std::uint64_t bytes_to(const SocketAddress& address) const {
    std::uint64_t sum = 0;
    for (const Sent& each : to(address)) sum += each.size;
    return sum;
  }

  std::vector<Sent> sent;
};

bool challenges(const Watcher::Sent& datagram) { return datagram.challenges > 0; }

// --- rebinding -----------------------------------------------------------------------------------

// [rfc9000-9-4], [rfc9000-9.3-1], [rfc9000-9.4-3], [rfc9000-8.2.1-5]
SIMULATE(Rebinding, OfThePortIsFollowedAndKeepsTheWindow) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.sends(2_MiB);
  ASSERT_TRUE(run_until(client.received(500_KiB), 5s));
  const Watcher watcher(network, server);
  const std::uint64_t window = server.session().stats().congestion_window;
  const SocketAddress old = client.address();
  const SocketAddress moved = old.with_port(50'000);
  network.rebind(client.host(), old, moved);
  client.sends(1);  // Until the client says something, nobody can know.
  ASSERT_TRUE(run_until(client.received(2_MiB), 10s));
  ASSERT_EQ(server.session().paths.size(), 1U);
  EXPECT_EQ(server.session().paths[0].remote, moved);
  EXPECT_EQ(server.connection().path().remote, moved);
  EXPECT_GE(server.session().stats().congestion_window, window / 4) << "the controller was kept";
  EXPECT_LT(server.session().stats().smoothed_rtt, 100ms) << "and the round trip";
  // Both are challenged, the new path in a datagram of the least size at least. [rfc9000-9.3.3-1]
  const auto to_new = watcher.to(moved);
  EXPECT_TRUE(std::ranges::any_of(
      to_new, [](const auto& each) { return challenges(each) && each.size >= 1'200; }));
  const auto to_old = watcher.to(old);
  EXPECT_TRUE(std::ranges::any_of(to_old, challenges));
  EXPECT_TRUE(client.session().paths.empty()) << "the client knows nothing of it";
}

// [rfc9000-9.4-1], [rfc9000-9.4-2], [rfc9000-9.5-4]: the client does not know of it and shows the same
// connection ID; so does the server, which may need all that it was given for real moves.
SIMULATE(Rebinding, OfTheAddressIsFollowedWithAFreshController) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 100_mbit, .queue = 4 << 20});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.sends(8_MiB);
  ASSERT_TRUE(run_until(client.received(4_MiB), 5s));
  const Watcher watcher(network, server);
  const std::uint64_t window = server.session().stats().congestion_window;
  EXPECT_GT(window, 100'000U);
  const SocketAddress old = client.address();
  const SocketAddress moved = network.new_address();
  network.rebind(client.host(), old, moved);
  client.connection().ping();
  client.wake();
  ASSERT_TRUE(run_until([&, &to = server] { return !to.session().paths.empty(); }, 5s));
  EXPECT_LT(server.session().stats().congestion_window, 20'000U) << "a new path, a new window";
  ASSERT_TRUE(run_until(client.received(8_MiB), 20s));
  const auto to_new = watcher.to(moved);
  const auto to_old = watcher.to(old);
  ASSERT_FALSE(to_new.empty());
  ASSERT_FALSE(to_old.empty());
  for (const auto& each : to_new) EXPECT_EQ(each.dcid, to_old.front().dcid);
  run_for(15s);
  EXPECT_FALSE(server.closed()());
}

// [rfc9000-8.1-2], [rfc9000-9.3-2], [rfc9000-8.2.1-6], [rfc9000-8.2.3-1]: until it has answered, the
// new address gets no more than three times what came from there.
SIMULATE(Rebinding, AnUnprovedAddressGetsLittle) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const Watcher watcher(network, server);
  const SocketAddress old = client.address();
  const SocketAddress moved = network.new_address();
  network.rebind(client.host(), old, moved);
  std::uint64_t received = 0;
  bool proved = false;
  network.on_delivery([&](const Passing& datagram) {
    if (datagram.from != moved) return;
    received += datagram.payload.size();
    proved = proved || count_frames(datagram.payload, wire::FrameType::path_response) > 0;
  });
  network.on_send([&](const Passing& datagram) {
    if (datagram.to != moved || proved) return;
    EXPECT_LE(watcher.bytes_to(moved), 3 * received);
  });
  client.connection().ping();  // A small packet, so that not even a challenge can be expanded.
  client.wake();
  server.sends(1_MiB);
  ASSERT_TRUE(run_until(client.received(1_MiB), 20s));
  const auto to_new = watcher.to(moved);
  EXPECT_EQ(to_new.front().challenges, 1U);
  EXPECT_LT(to_new.front().size, 1'200U) << "the limit is felt";
  const auto second = std::find_if(to_new.begin() + 1, to_new.end(), challenges);
  ASSERT_NE(second, to_new.end()) << "the size of the path is proved too";
  EXPECT_GE(second->size, 1'200U);
}

// [rfc9000-9.3.2-1], [rfc9000-9.3.3-1]: who races the client's packets from his own address cannot
// keep the connection.
SIMULATE(Rebinding, ASpoofedAddressIsLeftAgain) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  const SocketAddress victim = network.new_address();
  bool attacks = true;
  network.pipe(client, server).filter = [&](Passing& datagram) {
    if (attacks && (datagram.payload[0] & 0x80) == 0) {
      // The copy comes first, from elsewhere; the original is a duplicate then.
      const std::vector<u8> copied(datagram.payload.begin(), datagram.payload.end());
      network.inject(victim, datagram.to, copied);
      attacks = false;
    }
    return Verdict{};
  };
  const Watcher watcher(network, server);
  client.connection().ping();
  client.wake();
  run_for(30ms);
  ASSERT_EQ(server.session().paths.size(), 1U);
  EXPECT_EQ(server.connection().path().remote, victim);
  server.sends(100_KiB);
  ASSERT_TRUE(run_until(client.received(100_KiB), 10s)) << "the client's own packets bring it back";
  EXPECT_EQ(server.connection().path().remote, client.address());
  EXPECT_LT(watcher.bytes_to(victim), 4'000U);
}

// The same against a client that says nothing itself: only the failed validation brings it back.
// [rfc9000-8.2.4-1], [rfc9000-9.3.2-1]
SIMULATE(Rebinding, FailedValidationGoesBackToTheLastValidatedAddress) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const SocketAddress old = client.address();
  const SocketAddress moved = network.new_address();
  network.rebind(client.host(), old, moved);
  client.connection().ping();
  client.wake();
  run_for(30ms);
  ASSERT_EQ(server.connection().path().remote, moved);
  // All that is sent there is lost, and what is sent to the old address too, but not back again.
  network.pipe(server, client).link.blocked = true;
  const Watcher watcher(network, server);
  ASSERT_TRUE(run_until([&, &to = server] { return to.connection().path().remote == old; }, 20s));
  EXPECT_LE(watcher.bytes_to(moved), 3 * 1'200U);
  // The client is still at the new address, and is followed again as soon as it speaks.
  network.pipe(server, client).link.blocked = false;
  client.connection().ping();
  client.wake();
  ASSERT_TRUE(run_until([&, &to = server] { return to.connection().path().remote == moved; }, 5s));
  server.sends(10_KiB);
  EXPECT_TRUE(run_until(client.received(10_KiB), 10s));
}

SIMULATE(Rebinding, OverAndOverUnderLossLosesNothing) {
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 20_mbit, .loss = 0.02, .reorder = 0.02});
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  const SocketAddress inside = client.address();
  client.sends(4_MiB);
  server.sends(4_MiB);
  for (int i = 0; i < 10; ++i) {
    run_for(300ms);
    const SocketAddress next = i % 2 == 0 ? inside.with_port(static_cast<std::uint16_t>(6'000 + i))
                                          : network.new_address();
    network.rebind(client.host(), inside, next);
  }
  EXPECT_TRUE(run_until(client.acknowledged(), 60s));
  EXPECT_TRUE(run_until(server.acknowledged(), 60s));
  EXPECT_FALSE(client.closed()());
}

// Only the newest packet that is more than a probe moves the connection. §9.3
SIMULATE(Rebinding, LatePacketsMoveNothing) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  const SocketAddress elsewhere = network.new_address();
  std::vector<u8> held;
  network.pipe(client, server).filter = [&](Passing& datagram) {
    if (!held.empty() || (datagram.payload[0] & 0x80) != 0) return Verdict{};
    held.assign(datagram.payload.begin(), datagram.payload.end());
    return Verdict{.drop = true};
  };
  client.connection().ping();
  client.wake();
  run_for(1ms);
  ASSERT_FALSE(held.empty());
  client.sends(10_KiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  network.inject(elsewhere, server.address(), held);
  run_for(100ms);
  EXPECT_TRUE(server.session().paths.empty());
}

SIMULATE(Rebinding, DuringTheHandshakeIsNotFollowed) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  run_for(30ms);
  ASSERT_FALSE(client.connected()());
  network.rebind(client.host(), client.address(), network.new_address());
  run_for(5s);
  EXPECT_FALSE(client.connected()());
}

// Who forges many addresses makes us remember few. [rfc9000-5.1.1-10]
SIMULATE(Rebinding, ManySpoofedAddressesCostLittle) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  std::vector<SocketAddress> victims;
  network.pipe(client, server).filter = [&](Passing& datagram) {
    if ((datagram.payload[0] & 0x80) != 0) return Verdict{};
    const std::vector<u8> copied(datagram.payload.begin(), datagram.payload.end());
    victims.push_back(network.new_address());
    network.inject(victims.back(), datagram.to, copied);
    return Verdict{};
  };
  const Watcher watcher(network, server);
  client.sends(200_KiB);
  run_for(5s);
  network.pipe(client, server).filter = {};
  EXPECT_GT(victims.size(), 10U);
  for (const SocketAddress& victim : victims) EXPECT_LT(watcher.bytes_to(victim), 4 * 1'472U);
  ASSERT_TRUE(run_until(client.acknowledged(), 30s));
  EXPECT_FALSE(client.closed()());
  EXPECT_FALSE(server.closed()());
}

}  // namespace
}  // namespace qpeer::sim
