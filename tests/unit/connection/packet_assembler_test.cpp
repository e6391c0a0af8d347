// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PacketAssembler and FrameSources: what goes into packets, in which order, and how packets become
// datagrams. The keys of both directions are the same, so that a side can open what it sealed.
// RFC 9000 §12.2, §13, §14.1; RFC 9221 §5.
#include "qpeer/transport/connection/packet_assembler.hpp"

#include <array>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/handshake_fixture.hpp"
#include "qpeer/tests/unit/connection/paths_fixture.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"

namespace qpeer::transport::test {
namespace {

using Train = PacketAssembler::Train;

struct AssemblerFixture : HandshakeFixture {
  explicit AssemblerFixture(Side side, ConnectionSetup setup = {})
      : HandshakeFixture(side, std::move(setup)),
        recovery(side, {.pacing = false}, make_new_reno(1200)),
        streams(side, StreamConfig{}),
        local_cids(issuer),
        remote_cids(issuer, id_of(50), 4),
        paths(side, config, from_peer(address(kPeer)), recovery, remote_cids, path_record),
        sources({.lifetime = lifetime,
                 .handshake = handshake,
                 .spaces = spaces,
                 .recovery = recovery,
                 .paths = paths,
                 .pings = pings,
                 .ack_frequency = ack_frequency,
                 .observed_addresses = observed_addresses,
                 .new_tokens = new_tokens,
                 .local_cids = local_cids,
                 .remote_cids = remote_cids,
                 .streams = streams,
                 .datagrams = datagrams},
                random),
        assembler({.sources = sources,
                   .handshake = handshake,
                   .key_phases = key_phases,
                   .spaces = spaces,
                   .recovery = recovery,
                   .lifetime = lifetime},
                  8, random) {}

  /// The handshake is confirmed and streams may send.
  void connect() {
    run();
    handshake.confirm(kNow);
    paths.on_handshake_confirmed(kNow);
    recovery.on_handshake_confirmed(kNow);
    streams.set_peer_parameters({.initial_max_data = 1 << 20,
                                 .initial_max_stream_data_bidi_remote = 1 << 20,
                                 .initial_max_streams_bidi = 10});
    datagrams.set_peer_max_frame_size(1000);
  }
  void write_stream(std::size_t size) {
    const auto id = streams.open(true);
    ASSERT_TRUE(id);
    ASSERT_TRUE(streams.write(*id, std::vector<u8>(size)));
  }
  /// An ACK is due.
  void receive_packet() {
    spaces.application().acks.on_packet_received(kNow, received++, true, Ecn::not_ect);
    spaces.application().acks.on_packet_received(kNow, received++, true, Ecn::not_ect);
  }

  /// One datagram of `limit` bytes at most; empty when there is nothing to send.
  MutableBytes datagram(std::size_t limit = 1200) {
    Train train(Ecn::not_ect);
    const std::size_t size =
        assembler.add_datagram(kNow, id_of(50), MutableBytes(storage).first(limit), train);
    assembler.protect_headers(train);
    padded = train.is_padded();
    EXPECT_TRUE(assembler.consistent() && sources.consistent());
    return MutableBytes(storage).first(size);
  }
  /// The types of the frames of a 1-RTT datagram; ACK_ECN and STREAM with flags count as the plain.
  std::vector<wire::FrameType> frames_of(MutableBytes datagram) {
    constexpr std::size_t kNumberOffset = 1 + 8;
    const auto mask =
        key_phases.receive_header_protection().mask(wire::header_sample(datagram, kNumberOffset));
    const auto plain = wire::unprotect_header(datagram, kNumberOffset, mask);
    number = wire::decode_packet_number(number, plain.truncated, plain.packet_number_length);
    const MutableBytes sealed = datagram.subspan(plain.header_size);
    EXPECT_EQ(key_phases.open(*number, false, datagram.first(plain.header_size), sealed, 0, kNever),
              KeyPhases::Opened::yes);
    std::vector<wire::FrameType> out;
    Reader in(Bytes(sealed).first(sealed.size() - crypto::kTagSize));
    while (!in.empty()) {
      const u8 type = in.peek();
      const auto frame = wire::decode_frame(in, PacketType::one_rtt);
      EXPECT_TRUE(frame);
      if (!frame) break;
      if (std::holds_alternative<wire::PaddingFrame>(*frame)) continue;
      out.push_back(wire::is_stream(type)     ? wire::FrameType::stream
                    : wire::is_datagram(type) ? wire::FrameType::datagram
                                              : wire::FrameType{type});
    }
    return out;
  }

  QuietIssuer issuer;
  PathRecord path_record;
  Recovery recovery;
  Lifetime lifetime{kNow, {}, kPto};
  StreamSet streams;
  DatagramQueue datagrams{1000, {}};
  LocalCids local_cids;
  RemoteCids remote_cids;
  NewTokens new_tokens;
  AckFrequency ack_frequency;
  ObservedAddresses observed_addresses{{}};
  Pings pings;
  Paths paths;
  FrameSources sources;
  PacketAssembler assembler;
  std::vector<u8> storage = std::vector<u8>(2000);
  PacketNumber received = 0;
  std::optional<PacketNumber> number;
  bool padded = false;
};

// [rfc9000-14.1-1].
TEST(PacketAssembler, AClientPadsItsInitials) {
  AssemblerFixture client(Side::client);
  EXPECT_TRUE(client.datagram().empty()) << "there is nothing to send";
  client.session().handler.on_tls_data(Level::initial, std::array<u8, 50>{});
  EXPECT_TRUE(client.sources.has_frames(kNow));
  const MutableBytes datagram = client.datagram();
  EXPECT_EQ(datagram.size(), 1200U);
  EXPECT_TRUE(client.padded);
  wire::PacketSplitter packets(datagram, 8);
  const auto header = packets.next();
  ASSERT_TRUE(header && *header);
  EXPECT_EQ((*header)->type, PacketType::initial);
  EXPECT_EQ((*header)->size, 1200U) << "the padding is inside";
  EXPECT_TRUE(client.datagram().empty());
  EXPECT_EQ(client.assembler.packets_sent(), 1U);
}

// RFC 9000 §12.2: in the order in which the peer gets their keys.
TEST(PacketAssembler, CoalescesTheLevelsThatHaveFrames) {
  AssemblerFixture server(Side::server);
  server.session().keys(Level::handshake);
  server.session().handler.on_tls_data(Level::initial, std::array<u8, 50>{});
  server.session().handler.on_tls_data(Level::handshake, std::array<u8, 60>{});
  wire::PacketSplitter packets(server.datagram(), 8);
  for (const PacketType type : {PacketType::initial, PacketType::handshake}) {
    const auto header = packets.next();
    ASSERT_TRUE(header && *header);
    EXPECT_EQ((*header)->type, type);
  }
  EXPECT_FALSE(packets.next());
}

// [rfc9001-4.9.1-1].
TEST(PacketAssembler, AClientsFirstHandshakePacketEndsItsInitialKeys) {
  AssemblerFixture client(Side::client);
  client.session().keys(Level::handshake);
  EXPECT_TRUE(client.handshake.can_send(Level::initial));
  client.session().handler.on_tls_data(Level::handshake, std::array<u8, 60>{});
  EXPECT_FALSE(client.datagram().empty());
  EXPECT_FALSE(client.handshake.can_send(Level::initial));
}

// [rfc9000-19.7-1]: and a token of no bytes is none.
TEST(PacketAssembler, WhatLetsThePeerGoOnComesBeforeData) {
  AssemblerFixture server(Side::server);
  server.connect();
  server.receive_packet();
  ASSERT_TRUE(server.new_tokens.add(std::array<u8, 10>{1}));
  EXPECT_FALSE(server.new_tokens.add({}));
  server.local_cids.set_peer_limit(2);
  server.write_stream(10);
  server.pings.ask();
  using wire::FrameType;
  EXPECT_EQ(server.frames_of(server.datagram()),
            (std::vector{FrameType::ack, FrameType::handshake_done, FrameType::new_token,
                         FrameType::new_connection_id, FrameType::stream, FrameType::ping}));
  EXPECT_TRUE(server.datagram().empty());
  EXPECT_FALSE(server.sources.has_frames(kNow));
}

TEST(PacketAssembler, WithoutAWindowOnlyAcknowledgementsLeave) {
  AssemblerFixture client(Side::client);
  client.connect();
  client.write_stream(100'000);
  while (!client.datagram().empty()) {
  }
  EXPECT_LT(client.recovery.send_allowance(kNow), 1200U);
  EXPECT_TRUE(client.sources.has_frames(kNow));
  client.receive_packet();
  client.number.reset();
  EXPECT_EQ(client.frames_of(client.datagram()), std::vector{wire::FrameType::ack});
}

// RFC 9000 §13.2.4.
TEST(FrameSources, AfterSixtyFourAcknowledgementsOneAsksForOne) {
  AssemblerFixture client(Side::client);
  client.connect();
  for (std::uint64_t i = 0; i < FrameSources::kAcksBeforePing; ++i) {
    client.receive_packet();
    ASSERT_EQ(client.frames_of(client.datagram()), std::vector{wire::FrameType::ack}) << i;
  }
  const std::vector expected{wire::FrameType::ack, wire::FrameType::ping};
  client.receive_packet();
  EXPECT_EQ(client.frames_of(client.datagram()), expected);
  client.receive_packet();
  EXPECT_EQ(client.frames_of(client.datagram()), std::vector{wire::FrameType::ack})
      << "and the count starts again";
}

struct NoFates final : FateHandler {
  void on_frame_fate(Instant, PacketNumberSpace, const SentFrame&, Fate) override {}
};

// RFC 9000 §13.2.4: once a round trip, where data begins to flow and for a while after a loss; not where
// nothing but PINGs is answered.
TEST(FrameSources, WhereDataMayGetLostAnAcknowledgementARoundTripAsksForOne) {
  AssemblerFixture client(Side::client);
  client.connect();
  const std::vector plain{wire::FrameType::ack};
  const std::vector asks{wire::FrameType::ack, wire::FrameType::ping};
  const auto next = [&client] { return client.frames_of(client.datagram()); };
  const auto answer = [&] {
    client.receive_packet();
    return next();
  };
  const auto answer_data = [&] {
    client.sources.on_data_received();
    return answer();
  };
  const auto acknowledge_newest = [&client] {
    std::array<u8, 32> bytes{};
    Writer out(bytes);
    const wire::PacketNumberRange range{.smallest = *client.number, .largest = *client.number};
    ASSERT_TRUE(wire::encode_ack(out, 0, std::span(&range, 1), nullptr));
    Reader in(out.written());
    const std::uint64_t type = in.varint();
    NoFates fates;
    ASSERT_TRUE(client.recovery.on_ack(kNow, PacketNumberSpace::application,
                                       wire::AckFrame::decode(type, in), {}, fates));
    client.sources.on_acknowledged();
  };
  EXPECT_EQ(answer(), plain) << "there was no data yet";
  for (unsigned i = 0; i < FrameSources::kPings; ++i) {
    ASSERT_EQ(answer_data(), asks) << i;
    acknowledge_newest();
    ASSERT_EQ(answer(), plain) << "no data came since";
  }
  EXPECT_EQ(answer_data(), plain) << "it flows well";

  ++client.received;
  EXPECT_EQ(answer_data(), asks) << "a packet is missing";
  const PacketNumber ping = *client.number;
  EXPECT_EQ(answer_data(), plain) << "the PING is not answered yet";
  client.number = ping;
  acknowledge_newest();
  EXPECT_EQ(next(), std::vector{wire::FrameType::ping}) << "for the data that came after it";
  acknowledge_newest();
  EXPECT_TRUE(client.datagram().empty()) << "and that is all";
}

// RFC 9221 §5: neither starves the other.
TEST(FrameSources, StreamsAndDatagramsBeginPacketsInTurns) {
  AssemblerFixture client(Side::client);
  client.connect();
  client.write_stream(100'000);
  const std::vector<u8> data(900);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(client.datagrams.send(data, client.sources.packet_room()));
  }
  std::vector<wire::FrameType> firsts;
  for (int i = 0; i < 4; ++i) firsts.push_back(client.frames_of(client.datagram()).at(0));
  using wire::FrameType;
  EXPECT_EQ(firsts, (std::vector{FrameType::datagram, FrameType::stream, FrameType::datagram,
                                 FrameType::stream}));
}

TEST(FrameSources, AClosingConnectionSendsItsCloseAlone) {
  AssemblerFixture client(Side::client);
  client.connect();
  client.write_stream(10);
  client.receive_packet();
  client.lifetime.enter_closing(kNow, application_close(1, "bye"), kPto);
  EXPECT_EQ(client.frames_of(client.datagram()),
            std::vector{wire::FrameType::connection_close_application});
}

// RFC 9000 §10.2.3: a server may have no keys for a close in 0-RTT.
TEST(FrameSources, AConnectionThatClosesEarlySendsNoEarlyPacket) {
  ConnectionSetup setup;
  setup.session_ticket = SessionTicket{};
  setup.session_ticket->session = {7, 7};
  setup.early_data = EarlyDataPolicy::resend;
  AssemblerFixture client(Side::client, std::move(setup));
  ASSERT_EQ(client.handshake.early_data(), EarlyData::offered);
  EXPECT_TRUE(client.sources.can_send(Level::zero_rtt));
  client.pings.send();
  const auto type = [](MutableBytes datagram) {
    return datagram.empty() ? 0 : (datagram[0] & 0x30) >> 4;
  };
  constexpr int kZeroRtt = 1;  // RFC 9000 §17.2.3.
  EXPECT_EQ(type(client.datagram()), kZeroRtt);
  client.pings.send();
  client.lifetime.enter_closing(kNow, application_close(1, "bye"), kPto);
  EXPECT_FALSE(client.sources.can_send(Level::zero_rtt));
  const MutableBytes last = client.datagram();
  ASSERT_FALSE(last.empty()) << "the close leaves in an Initial";
  EXPECT_NE(type(last), kZeroRtt);
}

// [rfc9000-8.2.2-5]: an answer asks for a large datagram, which a small limit does not allow.
TEST(PacketAssembler, ExpandsADatagramThatAnswersAChallenge) {
  AssemblerFixture server(Side::server);
  server.connect();
  auto incoming = server.paths.on_datagram(
      {.path = from_peer(address(kPeer)), .payload = MutableBytes(server.storage).first(1200)},
      true);
  ASSERT_TRUE(incoming);
  server.paths.on_path_challenge(kNow, *incoming, id_of(1), {.data = {1}});
  EXPECT_EQ(server.datagram().size(), 1200U);
  EXPECT_TRUE(server.padded);
  server.paths.on_path_challenge(kNow, *incoming, id_of(1), {.data = {2}});
  const MutableBytes small = server.datagram(500);
  EXPECT_EQ(small.size(), 500U);
  EXPECT_EQ(server.frames_of(small), std::vector{wire::FrameType::path_response});
}

// RFC 9000 §21.4: some numbers are never sent.
TEST(PacketAssembler, SkipsAPacketNumberNowAndThen) {
  AssemblerFixture client(Side::client);
  client.connect();
  std::uint64_t skipped = 0;
  for (int i = 0; i < 9'000; ++i) {
    const PacketNumber before = client.spaces.application().next_packet_number;
    client.receive_packet();
    ASSERT_FALSE(client.datagram().empty());
    const PacketNumber sent = client.spaces.application().next_packet_number - before;
    ASSERT_LE(sent, 2U);
    skipped += sent - 1;
  }
  EXPECT_GE(skipped, 2U);
  EXPECT_LE(skipped, 100U);
}

// 1-RTT header protection is applied to the train as a whole.
TEST(PacketAssembler, AllPacketsOfATrainAreProtected) {
  AssemblerFixture client(Side::client);
  client.connect();
  client.write_stream(10'000);
  Train train(Ecn::ect0);
  EXPECT_EQ(train.ecn(), Ecn::ect0);
  std::vector<u8> bytes(5 * 1200);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto part = MutableBytes(bytes).subspan(i * 1200, 1200);
    ASSERT_EQ(client.assembler.add_datagram(kNow, id_of(50), part, train), 1200U);
  }
  client.assembler.protect_headers(train);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(client.frames_of(MutableBytes(bytes).subspan(i * 1200, 1200)),
              std::vector{wire::FrameType::stream});
  }
  EXPECT_FALSE(train.is_padded());
}

TEST(PacketAssembler, AProbeFillsItsDatagram) {
  AssemblerFixture client(Side::client);
  client.connect();
  client.paths.active().mtu.on_full_datagram();
  const auto probe = client.paths.next_probe(kNow, 2000);
  ASSERT_TRUE(probe && probe->is_mtu_probe);
  Train train(Ecn::not_ect);
  const auto room = MutableBytes(client.storage).first(probe->size);
  ASSERT_TRUE(client.assembler.add_probe(kNow, id_of(50), *probe, room, train));
  client.assembler.protect_headers(train);
  EXPECT_EQ(client.frames_of(room), std::vector{wire::FrameType::ping});
  Train other(Ecn::not_ect);
  EXPECT_FALSE(client.assembler.add_probe(kNow, id_of(50), *probe, room.first(40), other));
}

}  // namespace
}  // namespace qpeer::transport::test
