// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packets without state, and of no connection: Retry, Version Negotiation, what a server drops.
// RFC 9000 §5.2.2, §6.2, §17.2.5.
#include <algorithm>
#include <utility>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::sim {
namespace {

const Octets kOther{1, 2, 3, 4, 5, 6, 7, 8};

/// A Retry of this victim's; `tag` spoils or not.
Octets retry(const Adversary& adversary, const Octets& scid, const Octets& token, bool right_tag) {
  Octets out(200);
  Writer writer{out};
  wire::encode_retry(writer, Version::v1, adversary.victim_cid(), scid, token);
  NullKeys keys;
  const auto tag =
      keys.retry_integrity_tag(Version::v1, adversary.original_dcid(), writer.written());
  writer.bytes(tag);
  out.resize(writer.size());
  if (!right_tag) out.back() ^= 1;
  return out;
}

/// What an Initial of the client's shows, whose keys hide nothing.
struct FirstFlight {
  Octets dcid, scid, token;
  std::uint64_t number = 0;
  Octets frames;
};
FirstFlight first_flight(const Octets& datagram) {
  Reader in{Bytes(datagram).subspan(5)};
  const auto take = [&in](std::uint64_t size) {
    const Bytes bytes = in.bytes(size);
    return Octets(bytes.begin(), bytes.end());
  };
  FirstFlight out;
  out.dcid = take(in.byte());
  out.scid = take(in.byte());
  out.token = take(in.varint());
  const std::size_t number_size = (datagram[0] & 3U) + 1;
  const std::uint64_t length = in.varint();
  out.number = in.big_endian(number_size);
  out.frames = take(length - number_size - 16);
  return out;
}

/// The handshake bytes in some Initials of the client's, one after the other.
Octets hello_of(std::span<const FirstFlight> flights) {
  Octets hello;
  for (const FirstFlight& flight : flights) {
    for (Reader in{flight.frames}; !in.empty();) {
      const auto frame = wire::decode_frame(in, wire::PacketType::initial);
      if (!frame) break;
      const auto* const crypto = std::get_if<wire::CryptoFrame>(&*frame);
      if (crypto == nullptr) continue;
      EXPECT_EQ(crypto->offset, hello.size());
      hello.insert(hello.end(), crypto->data.begin(), crypto->data.end());
    }
  }
  return hello;
}

// RFC 9000 §17.2.5
TEST(PacketsOfServers, Retries) {
  ConformanceFixture fixture(Side::client, {.stage = Stage::initial, .acknowledges = false});
  Adversary& adversary = fixture.adversary;
  std::vector<FirstFlight> flights;
  fixture.network.on_send([&](const Passing& datagram) {
    flights.push_back(first_flight({datagram.payload.begin(), datagram.payload.end()}));
  });
  fixture.victim.connect(adversary.address());
  fixture.run(20ms);
  ASSERT_EQ(flights.size(), 2U);
  const FirstFlight before = flights[1];
  EXPECT_EQ(flights[0].dcid, before.dcid);  // [rfc9000-7.2-2]
  EXPECT_GE(before.dcid.size(), 8U);        // [rfc9000-7.2-1]
  EXPECT_TRUE(before.token.empty());
  const auto make = [&](const Octets& from, const Octets& token, bool right) {
    Octets out(200);
    Writer writer{out};
    wire::encode_retry(writer, Version::v1, before.scid, from, token);
    NullKeys keys;
    writer.bytes(keys.retry_integrity_tag(Version::v1, before.dcid, writer.written()));
    out.resize(writer.size());
    if (!right) out.back() ^= 1;
    return out;
  };
  const auto ignored = [&](const Octets& datagram) {
    const std::size_t sent = flights.size();
    adversary.send_raw(datagram);
    fixture.run(20ms);
    return flights.size() == sent;
  };
  EXPECT_TRUE(ignored(make(kOther, {9}, false)));      // [rfc9000-17.2.5.2-3]
  EXPECT_TRUE(ignored(make(kOther, {}, true)));        // A Retry without a token.
  EXPECT_TRUE(ignored(make(before.dcid, {9}, true)));  // [rfc9000-17.2.5.1-2]
  EXPECT_FALSE(ignored(make(kOther, {9, 9}, true)));
  ASSERT_EQ(flights.size(), 4U);
  for (const FirstFlight& after : {flights[2], flights[3]}) {
    EXPECT_EQ(after.dcid, kOther);           // [rfc9000-17.2.5.1-3] [rfc9000-7.2-4]
    EXPECT_EQ(after.scid, before.scid);      // [rfc9000-17.2.5.2-5]
    EXPECT_EQ(after.token, (Octets{9, 9}));  // [rfc9000-8.1.2-1]
    EXPECT_GT(after.number, before.number);  // [rfc9000-17.2.5.3-4]
  }
  // [rfc9000-17.2.5.3-1]
  EXPECT_EQ(hello_of(std::span(flights).first(2)), hello_of(std::span(flights).last(2)));
  // [rfc9000-17.2.5.2-1] [rfc9000-17.2.5.2-2]: there is one Retry, whoever sends the next.
  EXPECT_TRUE(ignored(make(Octets(8, 0x77), {8}, true)));
  // Nor does the token go when it is sent again. [rfc9000-8.1.2-1]
  fixture.run(3s);
  EXPECT_GT(flights.size(), 4U);
  for (std::size_t i = 2; i < flights.size(); ++i) {
    EXPECT_EQ(flights[i].token, (Octets{9, 9}));
    EXPECT_EQ(flights[i].dcid, kOther);
  }
}

/// A Retry in answer to this.
Octets retry_of(const FirstFlight& asked, const Octets& scid, const Octets& token) {
  Octets out(1'500);
  Writer writer{out};
  wire::encode_retry(writer, Version::v1, asked.scid, scid, token);
  NullKeys keys;
  writer.bytes(keys.retry_integrity_tag(Version::v1, asked.dcid, writer.written()));
  out.resize(writer.size());
  return out;
}

// The token is in each Initial [rfc9000-8.1.2-1]: one that leaves room goes, and one that leaves none
// ends the attempt at once, since nothing could follow.
TEST(PacketsOfServers, RetriesWhoseTokenFillsTheInitials) {
  for (const std::size_t size : {1'000U, 1'100U, 1'150U, 1'300U}) {
    SCOPED_TRACE(size);
    ConformanceFixture fixture(Side::client, {.stage = Stage::initial, .acknowledges = false});
    std::vector<FirstFlight> flights;
    fixture.network.on_send([&](const Passing& datagram) {
      flights.push_back(first_flight({datagram.payload.begin(), datagram.payload.end()}));
    });
    const Session& session = fixture.victim.connect(fixture.adversary.address());
    fixture.run(20ms);
    ASSERT_EQ(flights.size(), 2U);
    const Octets hello = hello_of(flights);
    fixture.adversary.send_raw(retry_of(std::exchange(flights, {})[0], kOther, zeros(size)));
    fixture.run(20ms);
    const bool fits = size < 1'120;
    ASSERT_EQ(session.closed(), !fits);
    EXPECT_EQ(flights.empty(), !fits);
    for (const FirstFlight& flight : flights) EXPECT_EQ(flight.token.size(), size);
    if (fits) {
      const Octets again = hello_of(flights);
      EXPECT_TRUE(std::ranges::equal(Bytes(hello).first(again.size()), again));
    } else {
      EXPECT_EQ(session.close->kind, transport::CloseReason::Kind::local_transport);
      EXPECT_EQ(session.close->code, std::to_underlying(TransportErrorCode::invalid_token));
    }
  }
}

// [rfc9000-17.2.5.2-2]: no Retry once the server was heard.
TEST(PacketsOfServers, RetriesThatComeLate) {
  ConformanceFixture fixture(Side::client, {.stage = Stage::initial});
  fixture.begin();
  fixture.send(kInitial, kPing);
  const std::uint64_t before = fixture.dropped(DropReason::unexpected_packet);
  fixture.adversary.send_raw(retry(fixture.adversary, kOther, {9}, true));
  fixture.run();
  EXPECT_EQ(fixture.dropped(DropReason::unexpected_packet), before + 1);
  EXPECT_TRUE(fixture.alive(kInitial));
}

Octets negotiation(const Octets& dcid, const Octets& scid, std::vector<Version> versions) {
  Octets out(200);
  Writer writer{out};
  wire::encode_version_negotiation(writer, 0x2a, dcid, scid, versions);
  out.resize(writer.size());
  return out;
}

// [rfc9000-6.2-2] [rfc9000-6.2-3] [rfc9368-4-1]: the versions of strangers count for nothing.
TEST(PacketsOfServers, VersionNegotiations) {
  const std::vector<Version> unknown{Version{0x1a2a3a4a}};
  ConformanceFixture fixture(Side::client, {.stage = Stage::initial, .acknowledges = false});
  fixture.victim.connect(fixture.adversary.address());
  fixture.run(20ms);
  const FirstFlight first = first_flight(fixture.adversary.last_datagram());
  const auto gets = [&](const Octets& datagram) {
    fixture.adversary.send_raw(datagram);
    fixture.run(5ms);
    return !fixture.victim.session().closed();
  };
  EXPECT_TRUE(gets(negotiation(first.scid, kOther, unknown))) << "not what we asked";
  EXPECT_TRUE(gets(negotiation(first.scid, first.dcid, {Version::v1, Version{0x1a2a3a4a}})));
  EXPECT_TRUE(gets(negotiation(first.scid, first.dcid, {}))) << "no version is no offer";
  fixture.send(kInitial, kPing);
  EXPECT_TRUE(gets(negotiation(first.scid, first.dcid, unknown))) << "too late";
  EXPECT_TRUE(fixture.alive(kInitial));
}

// [rfc9000-6.2-1]: and one that is none of those ends the attempt.
TEST(PacketsOfServers, AVersionNegotiationWithoutOurVersionEndsTheAttempt) {
  ConformanceFixture fixture(Side::client, {.stage = Stage::initial, .acknowledges = false});
  fixture.victim.connect(fixture.adversary.address());
  fixture.run(20ms);
  const FirstFlight first = first_flight(fixture.adversary.last_datagram());
  fixture.adversary.send_raw(negotiation(first.scid, first.dcid, {Version{0x1a2a3a4a}}));
  fixture.run(5ms);
  ASSERT_TRUE(fixture.victim.session().closed());
  EXPECT_EQ(fixture.victim.session().close->kind,
            transport::CloseReason::Kind::version_negotiation);
}

// [rfc9368-2.1-6] [rfc9000-5.2.2-7] [rfc9000-5.2.2-8]: what only servers send, and what is for no
// connection.
TEST(PacketsOfClients, ThatAServerDrops) {
  ConformanceFixture fixture(Side::server);
  fixture.begin();
  Adversary& adversary = fixture.adversary;
  const std::size_t heard = adversary.datagrams();
  adversary.send_raw(retry(adversary, kOther, {9}, true));
  adversary.send_raw(negotiation(adversary.victim_cid(), adversary.cid(), {Version::v2}));
  const std::uint64_t before = fixture.dropped(DropReason::unknown_connection);
  adversary.send_raw(adversary.packet(kHandshake, kPing, {.dcid = kOther, .pads = false}));
  adversary.send_raw(join({adversary.packet(kHandshake, kPing, {.dcid = kOther}), zeros(1'200)}));
  fixture.run();
  EXPECT_EQ(adversary.datagrams(), heard) << "it was answered";
  EXPECT_EQ(fixture.dropped(DropReason::unknown_connection), before + 1);
  EXPECT_EQ(fixture.victim.endpoint().stats().connections, 1U);
  EXPECT_TRUE(fixture.alive(kOneRtt));
}

// [rfc9000-17.2.5.1-1] [rfc9000-17.2.5.1-5]: one Retry for a datagram, whatever it holds, and with
// an ID that is not the client's.
TEST(PacketsOfClients, ThatAreAnsweredByOneRetry) {
  PeerConfig ours = small_limits();
  ours.endpoint.retry = transport::RetryPolicy::always;
  ConformanceFixture fixture(Side::server, {.stage = Stage::initial}, ours);
  fixture.begin();
  Adversary& adversary = fixture.adversary;
  adversary.send_raw(join(
      {adversary.packet(kInitial, kPing, {.pads = false}), adversary.packet(kInitial, kPing)}));
  fixture.run();
  EXPECT_EQ(adversary.datagrams(), 1U);
  EXPECT_EQ(fixture.victim.endpoint().stats().retries_sent, 1U);
  const auto retry = wire::decode_retry(adversary.last_datagram());
  ASSERT_TRUE(retry.has_value());
  EXPECT_FALSE(equal(retry->source_connection_id.bytes(), adversary.original_dcid()));
  EXPECT_TRUE(equal(retry->destination_connection_id.bytes(), adversary.cid()));
}

// [rfc9000-8.1.3-12] [rfc9000-8.1.2-2]: its token is for the attempt that it answered; in another it
// is told to be invalid.
TEST(PacketsOfClients, ThatUseARetryTokenTwice) {
  PeerConfig ours = small_limits();
  ours.endpoint.retry = transport::RetryPolicy::always;
  ConformanceFixture fixture(Side::server, {.stage = Stage::initial}, ours);
  fixture.begin();
  fixture.send(kInitial, kPing);
  const auto retry = wire::decode_retry(fixture.adversary.last_datagram());
  ASSERT_TRUE(retry.has_value());
  const Octets token(retry->token.begin(), retry->token.end());
  fixture.adversary.dials(fixture.victim.address());
  fixture.send(kInitial, kPing, {.token = token});
  EXPECT_EQ(fixture.dropped(DropReason::invalid_token), 1U);
  const auto close = fixture.adversary.last<wire::ConnectionCloseFrame>();
  ASSERT_TRUE(close.has_value());
  EXPECT_EQ(close->error_code, std::to_underlying(invalid_token));
  EXPECT_FALSE(close->application);
  EXPECT_EQ(close->frame_type, 0U);
  EXPECT_EQ(fixture.victim.endpoint().stats().accepted, 0U);
}

// [rfc9000-17.2.1-4] [rfc9000-17.2.1-5] [rfc9000-17.2.1-6] [rfc9000-17.2.1-7] [rfc8999-6-3]
// [rfc8999-6-4] [rfc9000-5.2.2-1] [rfc9000-5.2.2-4]: one Version Negotiation for a datagram, with
// the IDs crosswise, however long: what version 1 makes of them does not count.
// [rfc9000-5.2.2-3]: none for a small one.
TEST(PacketsOfClients, ThatAreAnsweredByOneVersionNegotiation) {
  const std::vector<std::pair<std::size_t, std::size_t>> sizes{
      {0, 0}, {3, 0}, {8, 8}, {20, 21}, {255, 255}};
  for (const auto& [dcid_size, scid_size] : sizes) {
    ConformanceFixture fixture(Side::server, {.stage = Stage::initial});
    fixture.begin();
    const Octets dcid(dcid_size, 0x11);
    const Octets scid(scid_size, 0x22);
    const Octets one = join({{0xc0, 0x1a, 0x2a, 0x3a, 0x4a, static_cast<u8>(dcid_size)},
                             dcid,
                             {static_cast<u8>(scid_size)},
                             scid});
    fixture.adversary.send_raw(join({one, zeros(1'199 - one.size())}));
    fixture.run();
    EXPECT_EQ(fixture.adversary.datagrams(), 0U) << "an answer to a small one";
    fixture.adversary.send_raw(join({one, one, zeros(1'200)}));
    fixture.run();
    EXPECT_EQ(fixture.adversary.datagrams(), 1U);
    const auto answer = wire::decode_version_negotiation(fixture.adversary.last_datagram());
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(equal(answer->destination_connection_id, scid));
    EXPECT_TRUE(equal(answer->source_connection_id, dcid));
    EXPECT_TRUE(answer->supported_versions.contains(Version::v1));
  }
}

// [rfc9000-7.2-1] [rfc9000-14.1-4]
TEST(PacketsOfClients, ThatOpenNoConnection) {
  const std::vector<std::pair<PacketOptions, DropReason>> cases{
      {{.dcid = Octets(7, 1)}, DropReason::malformed_header},
      {{.pads = false}, DropReason::too_small},
      {{.forged = true}, DropReason::undecryptable},
  };
  for (const auto& [options, reason] : cases) {
    ConformanceFixture fixture(Side::server, {.stage = Stage::initial});
    fixture.begin();
    fixture.send(kInitial, kPing, options);
    EXPECT_EQ(fixture.dropped(reason), 1U) << to_string(reason);
    EXPECT_EQ(fixture.victim.endpoint().stats().accepted, 0U);
    EXPECT_EQ(fixture.adversary.datagrams(), 0U);
  }
}

}  // namespace
}  // namespace qpeer::sim
