// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The fuzzers' fixtures: what was written down happens again, and random steps do no harm.
#include "qpeer/tests/sim/fuzz_fixtures.hpp"

#include <array>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace qpeer::sim {
namespace {

std::vector<u8> recorded_run(u8 options) {
  NullKeys keys;
  EndpointFuzzFixture fixture(options);
  const EndpointRecorder recorder(fixture, options);
  PeerConfig config;
  config.keys = &keys;
  config.listens = false;
  config.tls.early_data = true;
  config.early_data = transport::EarlyDataPolicy::resend;
  Peer& client = fixture.network().add_peer(config, SocketAddress::ipv4({10, 1, 0, 0}, 443));
  client.checks = false;
  client.connect(fixture.server()).sends(5'000);
  EXPECT_TRUE(fixture.network().run_until(client.acknowledged(), 5s));
  if ((options & EndpointFuzzFixture::kEarlyData) != 0) {
    client.config().session_ticket = client.session().tickets.at(0);
    client.session().closes(0, "");
    Session& again = client.connect(fixture.server());
    EXPECT_TRUE(again.sends_early(2'000).has_value());
    EXPECT_TRUE(fixture.network().run_until(
        [&] { return again.unacknowledged == 0 && again.confirmed_at.has_value(); }, 5s));
  }
  return recorder.input();
}

TEST(EndpointFuzzFixture, RepeatsWhatWasRecorded) {
  constexpr u8 kNewer = EndpointFuzzFixture::kEarlyData | EndpointFuzzFixture::kPrefersV2;
  for (const u8 options :
       {u8{0}, EndpointFuzzFixture::kAnyTag, EndpointFuzzFixture::kRetryAlways,
        EndpointFuzzFixture::kEarlyData, EndpointFuzzFixture::kPrefersV2, kNewer}) {
    const std::vector<u8> input = recorded_run(options);
    const bool early = (options & EndpointFuzzFixture::kEarlyData) != 0;
    EndpointFuzzFixture fixture(options);
    Reader in{Bytes(input).subspan(1)};
    while (!in.empty()) fixture.step(in);
    EXPECT_EQ(fixture.server().endpoint().stats().connected, early ? 2U : 1U);
    EXPECT_EQ(fixture.server().received_bytes(), early ? 7'000U : 5'000U);
    EXPECT_EQ(fixture.server().sessions().back()->early_data_accepted.value_or(false), early);
    EndpointFuzzFixture::run(input);
  }
}

TEST(EndpointFuzzFixture, RandomChangesOfARecordingDoNoHarm) {
  SeededRandom random(1);
  const std::vector<u8> input =
      recorded_run(EndpointFuzzFixture::kAnyTag | EndpointFuzzFixture::kEarlyData);
  for (int i = 0; i < 500; ++i) {
    std::vector<u8> changed = input;
    for (std::uint64_t n = 1 + random.below(20); n > 0; --n) {
      changed[random.below(changed.size())] = static_cast<u8>(random.next());
    }
    EndpointFuzzFixture::run(changed);
  }
}

/// The code with which the target closes when it gets these frames.
std::optional<std::uint64_t> closes_with(u8 options, u8 level, std::vector<u8> frames) {
  ConnectionFuzzFixture fixture(options);
  std::vector<u8> step{static_cast<u8>(0x80 | level << 5), 0, static_cast<u8>(frames.size())};
  step.insert(step.end(), frames.begin(), frames.end());
  Reader in{step};
  fixture.step(in);
  const auto& sessions = fixture.target().sessions();
  if (sessions.empty() || !sessions.back()->close) return std::nullopt;
  return sessions.back()->close->code;
}

TEST(ConnectionFuzzFixture, FramesGetThroughAtEveryLevel) {
  constexpr u8 kInitial = 0;
  constexpr u8 kHandshake = 2;
  constexpr u8 kOneRtt = 3;
  constexpr u8 kServerWaits = 2;  // It has sent its flight; the client has not answered.
  constexpr u8 kClientStarts = ConnectionFuzzFixture::kAttackClient;
  constexpr u8 kProtocolViolation = 0x0a;
  const std::vector<u8> close{0x1c, 0x02, 0x00, 0x00};
  EXPECT_EQ(closes_with(kServerWaits, kInitial, close), 2U);
  EXPECT_EQ(closes_with(kServerWaits, kHandshake, close), 2U);
  EXPECT_EQ(closes_with(kClientStarts, kInitial, close), 2U);
  for (const u8 side : {u8{0}, ConnectionFuzzFixture::kAttackClient}) {
    const auto established = static_cast<u8>(ConnectionFuzzFixture::kEstablished | side);
    EXPECT_EQ(closes_with(established, kOneRtt, close), 2U);
    EXPECT_EQ(closes_with(established, kHandshake, close), std::nullopt);  // Its keys are gone.
  }
  const std::vector<u8> handshake_done{0x1e};
  EXPECT_EQ(closes_with(ConnectionFuzzFixture::kEstablished, kOneRtt, handshake_done),
            kProtocolViolation);
  for (const std::vector<u8>& frames :
       {std::vector<u8>{0x31, 0x00}, {0x80, 0x9f, 0x81, 0xa6, 9, 10, 0, 0, 1, 0, 80}}) {
    EXPECT_EQ(closes_with(ConnectionFuzzFixture::kEstablished, kOneRtt, frames),
              kProtocolViolation);
    EXPECT_EQ(closes_with(ConnectionFuzzFixture::kEstablished | ConnectionFuzzFixture::kExtensions,
                          kOneRtt, frames),
              std::nullopt);
  }
}

TEST(ConnectionFuzzFixture, SomeComeBackAndSomeChangeTheirVersion) {
  constexpr u8 kZeroRtt = 1;
  constexpr u8 kServerWaits = ConnectionFuzzFixture::kComesBack | 2;
  EXPECT_EQ(closes_with(kServerWaits, kZeroRtt, {0x06, 0x00, 0x01, 0x00}), 0x0aU);  // CRYPTO
  EXPECT_EQ(closes_with(kServerWaits, kZeroRtt, {0x01}), std::nullopt);
  for (const u8 level : {u8{0}, u8{2}}) {
    EXPECT_EQ(closes_with(kServerWaits | ConnectionFuzzFixture::kPrefersV2, level, {0x1c, 2, 0, 0}),
              2U);
  }
  for (const u8 step : {u8{0x60}, u8{0x70}}) {
    ConnectionFuzzFixture fixture(ConnectionFuzzFixture::kAttackClient |
                                  ConnectionFuzzFixture::kComesBack);
    const Session& session = *fixture.target().sessions().back();
    EXPECT_EQ(session.connection().early_data(), crypto::EarlyData::offered);
    const std::vector<u8> version{step, 0, 4, 0x6b, 0x33, 0x43, 0xcf};
    Reader in{version};
    fixture.step(in);
    const bool refused = step == 0x60;
    EXPECT_EQ(session.connection().version(), refused ? Version::v2 : Version::v1);
    EXPECT_EQ(session.connection().early_data(),
              refused ? crypto::EarlyData::rejected : crypto::EarlyData::offered);
    EXPECT_EQ(session.stats().packets_dropped, 0U);
  }
}

TEST(ConnectionFuzzFixture, RandomFramesDoNoHarm) {
  SeededRandom random(2);
  for (int i = 0; i < 2'000; ++i) {
    std::vector<u8> input(1 + random.below(200));
    random.fill_public(input);
    // Mostly packets whose first frame has a type that exists.
    for (std::size_t at = 1; at + 4 < input.size(); at += 24) {
      input[at] |= 0x80;
      input[at + 1] = 0;
      input[at + 2] = 20;
      input[at + 3] %= 0x22;
      if (input[at + 3] >= 0x1f) input[at + 3] += 0x30 - 0x1f;  // DATAGRAM, or else ...
      if (input[at + 3] == 0x32 && at + 7 < input.size()) {
        copy(std::array<u8, 4>{0x80, 0x9f, 0x81, 0xa6}, MutableBytes(input).subspan(at + 3));
      }
    }
    ConnectionFuzzFixture::run(input);
  }
}

}  // namespace
}  // namespace qpeer::sim
