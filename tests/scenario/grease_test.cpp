// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What says nothing may be anything: the QUIC Bit, set at random towards those who agreed, and
// towards nobody else. RFC 9287.
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"

namespace qpeer::sim {
namespace {

using transport::StoredToken;

PeerConfig greasing(bool on) {
  PeerConfig config;
  config.connection.grease.quic_bit = on;
  config.endpoint.connection.grease.quic_bit = on;
  return config;
}

/// Counts the QUIC Bit of the first packet of each datagram, by sender. Lives as long as the network.
struct Bits {
  Bits(PeerNetwork& network, const Peer& client) {
    network.on_send([this, &client](const Passing& datagram) {
      auto& counts = datagram.from == client.address() ? from_client : from_server;
      ++counts[(datagram.payload[0] & 0x40) != 0 ? 1 : 0];
      if (datagram.from == client.address() && !answered) {
        ++first_flight[(datagram.payload[0] & 0x40) != 0 ? 1 : 0];
      }
    });
    network.on_delivery([this, &client](const Passing& datagram) {
      answered = answered || datagram.to == client.address();
    });
  }
  std::array<int, 2> from_client{};
  std::array<int, 2> from_server{};
  std::array<int, 2> first_flight{};  ///< Of the client, before it heard anything.
  bool answered = false;
};

// [rfc9287-3.1-1], [rfc9287-3-2]
SIMULATE(QuicBit, IsRandomBetweenThoseWhoAgreed) {
  auto [client, server] = network.pair(Link{.delay = 5ms});
  const Bits bits(network, client);
  client.sends(16_MiB);
  ASSERT_TRUE(run_until(server.received(16_MiB), 60s));
  for (const auto& counts : {bits.from_client, bits.from_server}) {
    const int total = counts[0] + counts[1];
    ASSERT_GT(total, 60);
    EXPECT_GT(counts[0], total / 4);
    EXPECT_GT(counts[1], total / 4);
  }
  // [rfc9287-3.1-2], [rfc9287-3.1-6]: nothing was known when the first ones left.
  EXPECT_EQ(bits.first_flight[0], 0);
  EXPECT_GT(bits.first_flight[1], 0);
  // What was dropped came before its time, no bit was the reason.
  const auto malformed = static_cast<std::size_t>(DropReason::malformed_header);
  EXPECT_EQ(client.endpoint().stats().dropped[malformed], 0U);
  EXPECT_EQ(server.endpoint().stats().dropped[malformed], 0U);
}

// [rfc9287-3.1-6]: who did not ask for it gets none, and who asked gives none to who did not.
SIMULATE(QuicBit, IsSetTowardsAllOthers) {
  for (const auto& [ours, theirs] : {std::pair{true, false}, std::pair{false, true}}) {
    auto [client, server] = network.pair(Link{.delay = 5ms}, greasing(ours), greasing(theirs));
    const Bits bits(network, client);
    client.sends(100_KiB);
    ASSERT_TRUE(run_until(server.received(100_KiB), 30s));
    EXPECT_EQ(bits.from_client[0], 0);
    EXPECT_EQ(bits.from_server[0], 0);
  }
}

// [rfc9000-17.2-1], [rfc9000-17.3.1-1]: without the extension such packets are discarded.
SIMULATE(QuicBit, MayNotBeMissingWithoutTheExtension) {
  for (const bool accepts : {true, false}) {
    auto [client, server] = network.quiet_pair(Link{}, {}, greasing(accepts));
    network.pipe(client, server).filter = [](Passing& datagram) {
      datagram.payload[0] &= 0xbf;  // The tag covers it: what is taken is not opened.
      return Verdict{};
    };
    client.connect(server);
    run_for(1s);
    const auto dropped = [&](DropReason reason) {
      return server.endpoint().stats().dropped[static_cast<std::size_t>(reason)] > 0;
    };
    EXPECT_EQ(dropped(DropReason::malformed_header), !accepts);
    EXPECT_EQ(dropped(DropReason::undecryptable), accepts);
  }
}

/// How many packets of the first flights lack the bit over some connections with this token.
int without_bit(PeerNetwork& network, Peer& client, Peer& server, Bits& bits, StoredToken token) {
  const int before = bits.first_flight[0];
  for (int i = 0; i < 12; ++i) {
    bits.answered = false;
    Session& session = client.connect(server, token.encode());
    EXPECT_TRUE(network.run_until([&] { return session.confirmed_at.has_value(); }, 9s));
    session.closes(0, "");
    network.run_for(1s);
  }
  return bits.first_flight[0] - before;
}

// [rfc9287-3.1-2], [rfc9287-3.1-3]: a token of a server that agreed lets its client begin so, for a week.
SIMULATE(QuicBit, MayBeMissingFromTheBeginningWithAToken) {
  auto [client, server] = network.pair();
  Bits bits(network, client);
  ASSERT_TRUE(run_until([&] { return !client.session().tokens.empty(); }, 5s));
  const auto token = *StoredToken::decode(client.session().tokens.front());
  client.session().closes(0, "");
  run_for(1s);
  EXPECT_TRUE(token.grease_quic_bit);
  auto of_another = token;
  of_another.grease_quic_bit = false;
  EXPECT_EQ(without_bit(network, client, server, bits, of_another), 0);
  EXPECT_GT(without_bit(network, client, server, bits, token), 0);
  auto from_the_future = token;
  from_the_future.received += 3'600;
  EXPECT_EQ(without_bit(network, client, server, bits, from_the_future), 0);
  // Hostile input: times that no clock shows; in nanoseconds this one would look like ours.
  for (const std::int64_t time :
       {token.received + (std::int64_t{1} << 55), std::numeric_limits<std::int64_t>::min()}) {
    auto absurd = token;
    absurd.received = time;
    EXPECT_EQ(without_bit(network, client, server, bits, absurd), 0);
  }
  run_for(24h * 7 - 90s);
  EXPECT_GT(without_bit(network, client, server, bits, token), 0);
  run_for(90s);
  EXPECT_EQ(without_bit(network, client, server, bits, token), 0);
}

// [rfc9287-3.1-3]: with the token of a Retry in its place nothing is known any more.
SIMULATE(QuicBit, IsThereAgainAfterARetry) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until([&] { return !client.session().tokens.empty(); }, 5s));
  const auto token = client.session().tokens.front();
  PeerConfig strict;
  strict.endpoint.retry = transport::RetryPolicy::always;
  Peer& replaced = network.add_peer(strict);
  auto stored = *StoredToken::decode(token);
  stored.server = replaced.address();
  std::array<int, 2> after_retry{};
  network.on_send([&](const Passing& datagram) {
    if (datagram.from != client.address() || !packet_kinds(datagram.payload).starts_with('I')) {
      return;
    }
    Reader in{datagram.payload.subspan(5)};
    in.bytes(in.byte());
    in.bytes(in.byte());
    if (in.bytes(in.varint()).size() <= stored.token.size()) return;
    ++after_retry[(datagram.payload[0] & 0x40) != 0 ? 1 : 0];
  });
  for (int i = 0; i < 12; ++i) {
    Session& session = client.connect(replaced, stored.encode());
    ASSERT_TRUE(run_until([&] { return session.connected(); }, 9s));
  }
  // The last Initials, which only acknowledge, leave when the server is known to agree.
  EXPECT_GE(after_retry[1], 24);
  EXPECT_LE(after_retry[0], 12);
}

// [rfc9287-3.1-4], [rfc9287-3.1-5]: a server knows nothing of a client before it reads what it sent.
SIMULATE(QuicBit, IsThereUntilAServerHasReadTheClientHello) {
  Peer& server = network.add_peer();
  std::array<int, 2> early{};
  for (int i = 0; i < 12; ++i) {
    PeerConfig quiet;
    quiet.listens = false;
    Peer& client = network.add_peer(quiet);
    network.connect(client.host(), server.host(), Link{.delay = 5ms});
    // The second half of the ClientHello comes late: until then the server only acknowledges.
    network.pipe(client, server).filter = [](Passing& datagram) {
      return Verdict{.delay = datagram.ordinal == 1 ? Duration(50ms) : Duration{}};
    };
    network.on_send([&, whole = false](const Passing& datagram) mutable {
      if (datagram.to != client.address()) return;
      whole = whole || has_packet(datagram.payload, 'H');
      if (!whole) ++early[(datagram.payload[0] & 0x40) != 0 ? 1 : 0];
    });
    client.connect(server);
    ASSERT_TRUE(run_until(client.confirmed(), 9s));
  }
  EXPECT_EQ(early[0], 0);
  EXPECT_GE(early[1], 12);
}

}  // namespace
}  // namespace qpeer::sim
