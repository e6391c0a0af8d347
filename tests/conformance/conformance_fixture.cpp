// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/conformance/conformance_fixture.hpp"

#include <utility>

namespace qpeer::sim {
namespace {

AdversaryConfig at_side(Side side, AdversaryConfig config) {
  config.side = side;
  return config;
}

Stage stage_of(EncryptionLevel level) {
  switch (level) {
    case EncryptionLevel::initial:
      return Stage::initial;
    case EncryptionLevel::handshake:
      return Stage::handshake;
    default:
      return Stage::connected;
  }
}

}  // namespace

PeerConfig small_limits() {
  PeerConfig config;
  transport::ConnectionConfig& connection = config.connection;
  connection.streams.max_streams_bidi = connection.streams.max_streams_uni = 4;
  connection.streams.stream_receive_window = 1'000;
  connection.streams.receive_window = 2'000;
  connection.max_datagram_frame_size = 500;
  connection.grease.quic_bit = false;
  config.endpoint.connection = connection;
  return config;
}

ConformanceFixture::ConformanceFixture(Side victim_side, AdversaryConfig config, PeerConfig ours)
    : side(victim_side),
      victim(network.add_peer(std::move(ours))),
      adversary(network, at_side(other(victim_side), std::move(config))) {
  victim.reads = false;
  victim.checks = false;
}

void ConformanceFixture::begin() {
  if (side == Side::client) {
    victim.connect(adversary.address());
  } else {
    adversary.dials(victim.address());
  }
  run();
}

void ConformanceFixture::send(EncryptionLevel level, const Octets& frames,
                              const PacketOptions& options) {
  adversary.send(level, frames, options);
  run();
}

std::uint64_t ConformanceFixture::dropped(DropReason reason) const {
  return victim.endpoint().stats().dropped[static_cast<std::size_t>(reason)];
}

bool ConformanceFixture::alive(EncryptionLevel level) {
  if (victim.has_session() && victim.session().closed()) return false;
  const PacketNumber number = adversary.next_number(level);
  send(level, {0x01});
  return adversary.acknowledged(level, number);
}

void ConformanceFixture::expect(EncryptionLevel level, const Expected& expected,
                                std::uint64_t dropped_before) {
  if (!expected.closes) {
    if (expected.drop) {
      EXPECT_GT(dropped(*expected.drop), dropped_before) << "not dropped";
    }
    EXPECT_TRUE(alive(level)) << "no answer; "
                              << (victim.has_session() && victim.session().closed()
                                      ? to_string(*victim.session().close)
                                      : "not closed");
    return;
  }
  ASSERT_TRUE(victim.has_session()) << "no connection";
  expect_closed(victim.session(), adversary, expected);
}

void expect_closed(const Session& session, const Adversary& adversary, const Expected& expected) {
  ASSERT_TRUE(session.closed()) << "still open";
  const transport::CloseReason& reason = *session.close;
  EXPECT_EQ(reason.kind, transport::CloseReason::Kind::local_transport) << to_string(reason);
  EXPECT_EQ(to_string(TransportErrorCode{reason.code}), to_string(expected.code));
  EXPECT_EQ(reason.code, std::to_underlying(expected.code)) << to_string(reason);
  EXPECT_EQ(reason.frame_type, expected.frame_type) << to_string(reason);
  // And the peer is told the same.
  const auto told = adversary.last<wire::ConnectionCloseFrame>();
  ASSERT_TRUE(told.has_value()) << "closed without a word";
  EXPECT_FALSE(told->application);
  EXPECT_EQ(told->error_code, std::to_underlying(expected.code));
  EXPECT_EQ(told->frame_type, expected.frame_type);
}

void run_cases(Side victim, std::span<const FrameCase> cases, const AdversaryConfig& config,
               const PeerConfig& ours) {
  for (const FrameCase& one : cases) {
    SCOPED_TRACE(testing::Message() << (victim == Side::client ? "client: " : "server: ")
                                    << one.what << " [" << one.ids << "]");
    AdversaryConfig staged = config;
    staged.stage = stage_of(one.level);
    ConformanceFixture fixture(victim, staged, ours);
    fixture.begin();
    ASSERT_TRUE(fixture.adversary.can_send(one.level));
    const std::uint64_t before = one.expected.drop ? fixture.dropped(*one.expected.drop) : 0;
    fixture.send(one.level, one.frames, one.options);
    fixture.expect(one.level, one.expected, before);
  }
}

}  // namespace qpeer::sim
