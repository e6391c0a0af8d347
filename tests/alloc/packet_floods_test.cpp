// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Floods of packets, of handshakes, and of what only servers send. RFC 9000 §21.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/alloc/floods.hpp"
#include "qpeer/tests/sim/counting_new.hpp"

namespace qpeer::sim {
namespace {

// --- packets and keys ----------------------------------------------------------------------------

TEST(Floods, OfPackets) {
  const auto patient = [](PeerConfig& p) {
    p.connection.handshake_timeout = p.endpoint.connection.handshake_timeout = 60s;
  };
  const std::vector<Flood> floods{
      {"packets that nothing opens", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         s.adversary.send(kOneRtt, zeros(1'000), {.forged = true});
       }},
      {"copies of one packet", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         s.adversary.send(kOneRtt, kPing, {.number = 1});
       }},
      {"key updates", Side::server, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         if (round % 50 == 0) s.adversary.update_keys();
         send(s, kPing);
       }},
      {"CRYPTO in pieces", Side::server, 192 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, many(100, [&](std::uint64_t i) {
                return varints({0x06, 1'000 + (round % 10 * 100 + i) * 60, 1, 0});
              }));
       }},
      {"CRYPTO in pieces, Initial",
       Side::server,
       192 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         s.adversary.send(kInitial, many(100, [&](std::uint64_t i) {
                            return varints({0x06, 1'000 + (round % 10 * 100 + i) * 10, 1, 0});
                          }));
       },
       {.stage = Stage::initial},
       patient},
      {"1-RTT packets before their keys",
       Side::server,
       64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         Octets packet(1'000, 0x41);
         const Octets id = s.adversary.victim_cid();
         std::copy(id.begin(), id.end(), packet.begin() + 1);
         s.adversary.send_raw(packet);
       },
       {.stage = Stage::handshake},
       patient},
      {"0-RTT packets before their keys",
       Side::server,
       64 << 10,
       [](ConformanceFixture& s, std::uint64_t) {
         Octets packet(1'000);
         Writer out(packet);
         const Octets dcid = s.adversary.original_dcid();
         const Octets scid = s.adversary.cid();
         const std::size_t length = wire::encode_long_header(out,
                                                             {.type = wire::PacketType::zero_rtt,
                                                              .version = Version::v1,
                                                              .dcid = dcid,
                                                              .scid = scid},
                                                             4);
         wire::patch_length(packet, length, packet.size() - out.size());
         s.adversary.send_raw(packet);
       },
       {.stage = Stage::initial},
       patient,
       [](ConformanceFixture& s) { s.adversary.send(kInitial, kPing); }},
  };
  run_floods(floods);
}

// What one datagram can make a server hold that knows nothing of its sender, TLS apart.
TEST(Floods, OfHandshakesThatGoNoFurther) {
  constexpr std::size_t kHandshakes = 400;
  PeerNetwork network{1};
  PeerConfig config;
  config.endpoint.retry = transport::RetryPolicy::never;
  Peer& server = network.add_peer(config);
  std::vector<std::unique_ptr<Adversary>> adversaries;
  for (std::size_t i = 0; i < kHandshakes; ++i) {
    adversaries.push_back(
        std::make_unique<Adversary>(network, AdversaryConfig{.stage = Stage::initial}));
    adversaries.back()->dials(server.address());
  }
  // A byte far ahead in each of the datagrams.
  std::vector<Octets> datagrams;
  datagrams.reserve(kHandshakes);
  for (const auto& each : adversaries) {
    datagrams.push_back(each->packet(kInitial, varints({0x06, 16'383, 1, 0})));
  }
  const std::uint64_t before = allocation_counts().live_bytes;
  for (std::size_t i = 0; i < kHandshakes; ++i) {
    adversaries[i]->send_raw(datagrams[i]);
    if (i % 10 == 0) network.run_for(1ms);
  }
  network.run_for(100ms);
  EXPECT_EQ(server.endpoint().stats().handshakes, kHandshakes);
  for (const auto& each : adversaries) each->forget();
  const std::uint64_t each = (allocation_counts().live_bytes - before) / kHandshakes;
  if (shows_figures()) {
    std::printf("a handshake: %llu\n", static_cast<unsigned long long>(each));
  }
  EXPECT_LE(each, 40U << 10);
}

// With OpenSSL, which asks malloc alone.
TEST(Floods, OfSessionTickets) {
  const auto context = [](std::string_view name) {
    crypto::TlsConfig config;
    config.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, name);
    config.alpn = {"sim"};
    auto made = crypto::make_tls_context(std::move(config));
    return made ? *made : nullptr;
  };
  PeerConfig ours = usual();
  ours.real_client_tls = context("client.example");
  ours.real_server_tls = context("server.example");
  ours.keys = &crypto::openssl_keys();
  ConformanceFixture fixture(Side::client, {.real_tls = ours.real_server_tls, .keys = ours.keys},
                             ours);
  fixture.network.reserve_packets(1'000);
  fixture.begin();
  fixture.run(1s);
  std::size_t before = 0;
  std::size_t tickets = 0;
  for (int i = 0; i < 5'000; ++i) {
    Octets ticket(300, static_cast<u8>(i));
    Writer message(ticket);
    message.byte(4);  // NewSessionTicket, RFC 8446 §4.6.1.
    message.big_endian(296, 3);
    message.u32(3'600);
    message.u32(static_cast<std::uint32_t>(i));
    message.byte(2);
    message.u16(static_cast<std::uint16_t>(i));
    message.u16(281);
    message.bytes(Octets(281, 5));
    message.u16(0);
    ASSERT_EQ(message.size(), ticket.size());
    fixture.adversary.send_post_handshake(ticket);
    fixture.run(1ms);
    tickets += fixture.victim.session().tickets.size();
    forget_notes(fixture);
    if (i == 1'000) before = mallinfo2().uordblks;
  }
  EXPECT_FALSE(fixture.victim.session().closed());
  EXPECT_GE(tickets, 5'000U);
  EXPECT_LE(mallinfo2().uordblks, before + (64 << 10));
  if (shows_figures()) std::printf("tickets: %zu to %zu\n", before, mallinfo2().uordblks);
}

TEST(Floods, AtAClient) {
  const std::vector<Flood> floods{
      {"NEW_TOKEN", Side::client, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, join({varints({0x07, 500}), Octets(500, static_cast<u8>(round))}));
       }},
      {"HANDSHAKE_DONE", Side::client, 64 << 10,
       [](ConformanceFixture& s, std::uint64_t) { send(s, Octets(1'000, 0x1e)); }},
      {"OBSERVED_ADDRESS",
       Side::client,
       64 << 10,
       [](ConformanceFixture& s, std::uint64_t round) {
         send(s, join({varints({0x9f81a6, round, 0x01020304}), {0x11, 0x51}}));
       },
       {.parameters =
            [](wire::TransportParameters& p) { p.address_discovery = {.provide = true}; }}},
  };
  run_floods(floods);
}

}  // namespace
}  // namespace qpeer::sim
