// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a client remembers of its server, and what a server owes to what it once said.
// RFC 9000 §7.4.1, §17.2.3; RFC 9001 §4.9.3; RFC 9221 §3.
#include <gtest/gtest.h>

#include "qpeer/tests/scenario/resumption_pair.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::sim {
namespace {

using wire::TransportParameters;
using Change = void (*)(TransportParameters&);

/// The ticket, had the server promised something else in it.
std::vector<u8> with(const std::vector<u8>& ticket, Change change) {
  auto decoded = transport::SessionTicket::decode(ticket);
  EXPECT_TRUE(decoded.has_value());
  change(decoded->parameters);
  return decoded->encode();
}

// [rfc9000-7.4.1-5], [rfc9000-7.4.1-6], [rfc9221-3-8], [rfc9221-3-9]
SIMULATE(EarlyLimits, AServerThatAcceptsUnderLowerOnesIsLeft) {
  const Change promises[] = {
      [](TransportParameters& p) { p.active_connection_id_limit += 1; },
      [](TransportParameters& p) { p.initial_max_data += 1; },
      [](TransportParameters& p) { p.initial_max_stream_data_bidi_local += 1; },
      [](TransportParameters& p) { p.initial_max_stream_data_bidi_remote += 1; },
      [](TransportParameters& p) { p.initial_max_stream_data_uni += 1; },
      [](TransportParameters& p) { p.initial_max_streams_bidi += 1; },
      [](TransportParameters& p) { p.initial_max_streams_uni += 1; },
      [](TransportParameters& p) { p.max_datagram_frame_size += 1; },
  };
  for (const Change promise : promises) {
    ResumptionPair pair(network);
    pair.ticket = with(pair.ticket, promise);
    Session& session = pair.again(100);
    ASSERT_TRUE(pair.early_stream.has_value());
    ASSERT_TRUE(run_until([&] { return session.closed(); }, 5s));
    EXPECT_EQ(session.close->kind, transport::CloseReason::Kind::local_transport);
    EXPECT_EQ(session.close->code,
              static_cast<std::uint64_t>(TransportErrorCode::protocol_violation));
    EXPECT_FALSE(session.connected());
  }
}

// What a server raised since is fine, and counts from the end of the handshake.
SIMULATE(EarlyLimits, HigherOnesAreTaken) {
  PeerConfig config;
  config.endpoint.connection.streams.max_streams_bidi = 1;
  ResumptionPair pair(network, {}, {}, config);
  pair.ticket = with(pair.ticket, [](TransportParameters& p) {
    p.initial_max_data = 700;
    p.initial_max_stream_data_bidi_remote = 500;
  });
  Session& session = pair.again(2'000);
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0 && session.connected(); }, 5s));
  EXPECT_EQ(session.early_data_accepted, true);
  EXPECT_EQ(pair.server->received_bytes(), 2'000U);
}

// [rfc9000-17.2.3-5]: a client that remembers what it was never told.
SIMULATE(EarlyLimits, AClientThatExceedsThemIsLeft) {
  PeerConfig config;
  config.endpoint.connection.streams.stream_receive_window = 1'000;
  ResumptionPair pair(network, {}, {}, config);
  pair.ticket = with(
      pair.ticket, [](TransportParameters& p) { p.initial_max_stream_data_bidi_remote = 10'000; });
  Session& session = pair.again(3'000);
  ASSERT_TRUE(run_until([&] { return session.closed(); }, 5s));
  ASSERT_TRUE(pair.at_server().closed());
  EXPECT_EQ(pair.at_server().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::flow_control_error));
}

// [rfc9000-7.4.1-2], [rfc9000-7.4.1-3]: these are not remembered: new ones count, or the defaults.
SIMULATE(EarlyLimits, WhatIsOfOneConnectionIsNotRemembered) {
  PeerConfig config;
  config.endpoint.connection.max_ack_delay = 90ms;
  ResumptionPair pair(network, {}, {}, config);
  const auto kept = transport::SessionTicket::decode(pair.ticket);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->parameters.max_ack_delay_ms, 25U);
  EXPECT_FALSE(kept->parameters.initial_source_connection_id.has_value());
  EXPECT_FALSE(kept->parameters.original_destination_connection_id.has_value());
  EXPECT_FALSE(kept->parameters.stateless_reset_token.has_value());
  EXPECT_EQ(kept->parameters.initial_max_streams_bidi, 100U);
  // [rfc9000-18.2-2]: one millisecond more than the timer, so that the second one is the default.
  for (const Duration delay : {Duration(70ms), Duration(24ms)}) {
    pair.server->config().endpoint.connection.max_ack_delay = delay;
    pair.server->restart();
    Session& session = pair.again(100);
    ASSERT_TRUE(run_until([&] { return session.confirmed_at.has_value(); }, 5s));
    EXPECT_EQ(session.early_data_accepted, true);
    EXPECT_EQ(session.connection().peer_parameters().max_ack_delay_ms,
              static_cast<std::uint64_t>(delay / 1ms + 1));
    session.closes(0, "");
    run_for(1s);
  }
}

// [rfc9000-17.2.3-3], [rfc9001-4.9.3-1], [rfc9001-5.6-7]: not a 0-RTT packet once there are 1-RTT keys.
SIMULATE(EarlyLimits, EarlyPacketsEndWithTheHandshake) {
  ResumptionPair pair(network);
  std::size_t early = 0;
  std::size_t late = 0;
  network.on_send([&](const Passing& datagram) {
    const bool zero_rtt = (datagram.payload[0] & 0xf0) == 0xd0;
    if (datagram.to != pair.server->address() || !zero_rtt) return;
    ++(pair.client.sessions().back()->connected() ? late : early);
  });
  Session& session = pair.again(100'000);
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0 && session.confirmed_at; }, 5s));
  EXPECT_GT(early, 2U);
  EXPECT_LE(early, 10U) << "more than a first window";
  EXPECT_EQ(late, 0U);
}

// [rfc9369-4.1-10]: nor one in the version that the server moves the connection to.
SIMULATE(EarlyLimits, EarlyPacketsKeepTheFirstVersion) {
  ResumptionPair pair(network);
  pair.server->config().endpoint.connection.preferred_version = Version::v2;
  pair.server->restart();
  std::size_t first = 0;
  std::size_t others = 0;
  network.on_send([&](const Passing& datagram) {
    Bytes rest = datagram.payload;
    while (datagram.to == pair.server->address() && !rest.empty()) {
      const auto header = wire::decode_header(rest, 8, true);
      if (!header) break;
      if (header->type == wire::PacketType::zero_rtt) {
        ++(header->version == Version::v1 ? first : others);
      }
      rest = rest.subspan(header->size);
    }
  });
  Session& session = pair.again(20'000);
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0 && session.confirmed_at; }, 5s));
  EXPECT_EQ(session.connection().version(), Version::v2);
  EXPECT_GT(first, 2U);
  EXPECT_EQ(others, 0U);
}

}  // namespace
}  // namespace qpeer::sim
