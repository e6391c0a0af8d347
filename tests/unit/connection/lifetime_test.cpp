// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Lifetime by itself: every way from open to drained, and every timer. RFC 9000 §10.
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/fakes.hpp"
#include "qpeer/transport/connection/lifetime.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport::test {
namespace {

using Kind = CloseReason::Kind;

constexpr Duration kPto = 100ms;
constexpr LifetimeConfig kConfig{
    .max_idle_timeout = 30s, .keep_alive = {}, .handshake_timeout = 10s};
constexpr LifetimeConfig kNoTimeouts{};

CloseReason reason(Kind kind) { return {.kind = kind, .code = 7, .reason = "why"}; }

/// The CONNECTION_CLOSE that a packet of `size` bytes carries; nullopt when there is no room.
std::optional<wire::ConnectionCloseFrame> written_close(const Lifetime& lifetime,
                                                        EncryptionLevel level,
                                                        std::vector<u8>& storage) {
  const auto type =
      level == EncryptionLevel::one_rtt ? wire::PacketType::one_rtt : wire::PacketType::initial;
  PacketWriter out(storage, type);
  lifetime.write_close(level, out);
  EXPECT_FALSE(out.ack_eliciting());
  EXPECT_TRUE(out.sent_frames().empty()) << "no owner waits for its fate";
  if (out.empty()) return std::nullopt;
  Reader in(Bytes(storage).first(out.size()));
  const auto frame = wire::decode_frame(in, type);
  EXPECT_TRUE(frame);
  return std::get<wire::ConnectionCloseFrame>(*frame);
}

// [rfc9000-10.2-1]: three PTOs, but no longer than half a minute.
TEST(Lifetime, ClosingLastsThreePtos) {
  Lifetime lifetime(at(0ms), kConfig, kPto);
  EXPECT_TRUE(lifetime.is_open());
  EXPECT_FALSE(lifetime.close_reason());
  ASSERT_TRUE(lifetime.consistent());
  EXPECT_TRUE(lifetime.enter_closing(at(1s), reason(Kind::local_application), kPto));
  ASSERT_TRUE(lifetime.consistent());
  EXPECT_TRUE(lifetime.is_closing());
  EXPECT_FALSE(lifetime.is_silent());
  EXPECT_EQ(lifetime.deadline(true), at(1s + 3 * kPto));
  EXPECT_FALSE(lifetime.on_deadline(at(1s + 3 * kPto - 1ns), kPto).closed);
  EXPECT_FALSE(lifetime.is_drained());
  EXPECT_FALSE(lifetime.on_deadline(at(1s + 3 * kPto), kPto).closed) << "it was closed before";
  EXPECT_TRUE(lifetime.is_drained());
  EXPECT_EQ(lifetime.deadline(true), kNever);
  EXPECT_EQ(lifetime.close_reason()->kind, Kind::local_application);
  EXPECT_TRUE(lifetime.consistent());

  Lifetime slow(at(0ms), kConfig, 1h);
  slow.enter_closing(at(0ms), reason(Kind::local_transport), 1h);
  EXPECT_EQ(slow.deadline(false), at(30s));
}

// [rfc9000-10.2.2-1]: a connection that drains, or has drained, does not start to close again.
TEST(Lifetime, TheFirstReasonStays) {
  Lifetime lifetime(at(0ms), kConfig, kPto);
  EXPECT_TRUE(lifetime.enter_closing(at(0ms), reason(Kind::local_transport), kPto));
  EXPECT_FALSE(lifetime.enter_closing(at(50ms), reason(Kind::local_application), kPto));
  EXPECT_FALSE(lifetime.enter_draining(at(50ms), reason(Kind::peer_transport), kPto));
  EXPECT_TRUE(lifetime.is_draining());
  EXPECT_EQ(lifetime.close_reason()->kind, Kind::local_transport);
  EXPECT_EQ(lifetime.deadline(false), at(3 * kPto)) << "the end does not move";
  EXPECT_FALSE(lifetime.end_silently(reason(Kind::version_negotiation)));
  EXPECT_EQ(lifetime.close_reason()->kind, Kind::local_transport);
  EXPECT_FALSE(lifetime.enter_draining(at(60ms), reason(Kind::stateless_reset), kPto));
  EXPECT_TRUE(lifetime.is_drained()) << "nothing leads back from the end";
  EXPECT_TRUE(lifetime.consistent());
}

// [rfc9000-10.2.1-1]: the first, second, fourth, eighth datagram is answered.
TEST(Lifetime, AClosingConnectionAnswersEverMoreRarely) {
  Lifetime lifetime(at(0ms), kConfig, kPto);
  lifetime.on_datagram();
  EXPECT_FALSE(lifetime.has_close_to_send()) << "an open one has no CONNECTION_CLOSE";
  lifetime.enter_closing(at(0ms), reason(Kind::local_application), kPto);
  EXPECT_TRUE(lifetime.has_close_to_send());
  lifetime.on_close_sent();
  std::vector<int> answered;
  for (int datagram = 1; datagram <= 20; ++datagram) {
    lifetime.on_datagram();
    if (lifetime.has_close_to_send()) answered.push_back(datagram);
    lifetime.on_close_sent();
  }
  EXPECT_EQ(answered, (std::vector<int>{1, 2, 4, 8, 16}));
}

// [rfc9000-10.2.2-1].
TEST(Lifetime, ADrainingConnectionSendsNothing) {
  Lifetime lifetime(at(0ms), kConfig, kPto);
  lifetime.enter_closing(at(0ms), reason(Kind::local_application), kPto);
  lifetime.enter_draining(at(0ms), reason(Kind::peer_application), kPto);
  EXPECT_TRUE(lifetime.is_silent());
  EXPECT_FALSE(lifetime.has_close_to_send());
  lifetime.on_datagram();
  EXPECT_FALSE(lifetime.has_close_to_send());
  EXPECT_TRUE(lifetime.consistent());
}

// [rfc9000-10.2.3-6], [rfc9000-10.2.3-7].
TEST(Lifetime, TheReasonOfTheApplicationStaysOutOfHandshakePackets) {
  Lifetime lifetime(at(0ms), kConfig, kPto);
  lifetime.enter_closing(at(0ms), application_close(42, "a secret"), kPto);
  std::vector<u8> storage(100);
  const auto open = written_close(lifetime, EncryptionLevel::one_rtt, storage);
  ASSERT_TRUE(open);
  EXPECT_TRUE(open->application);
  EXPECT_EQ(open->error_code, 42U);
  EXPECT_EQ(as_text(open->reason_phrase), "a secret");
  const auto hidden = written_close(lifetime, EncryptionLevel::initial, storage);
  ASSERT_TRUE(hidden);
  EXPECT_FALSE(hidden->application);
  EXPECT_EQ(hidden->error_code, static_cast<std::uint64_t>(TransportErrorCode::application_error));
  EXPECT_TRUE(hidden->reason_phrase.empty());
  std::vector<u8> small(6);
  const auto cut = written_close(lifetime, EncryptionLevel::one_rtt, small);
  ASSERT_TRUE(cut) << "without its reason it has room";
  EXPECT_TRUE(cut->reason_phrase.empty());
  std::vector<u8> tiny(2);
  EXPECT_FALSE(written_close(lifetime, EncryptionLevel::one_rtt, tiny));
}

TEST(Lifetime, ReasonsAreCutToTheirBounds) {
  const std::string longest(300, 'x');
  EXPECT_EQ(application_close(1, longest).reason.size(), 256U);
  EXPECT_EQ(application_close(~std::uint64_t{0}, "").code, kMaxVarint);
  const CloseReason peer = close_reason_of(
      {.application = false, .error_code = 3, .frame_type = 6, .reason_phrase = as_bytes(longest)});
  EXPECT_EQ(peer.kind, Kind::peer_transport);
  EXPECT_EQ(peer.frame_type, 6U);
  EXPECT_EQ(peer.reason.size(), 256U);
}

// [rfc9000-10.1-1].
TEST(Lifetime, TheShorterIdleTimeoutHoldsButNeverLessThanThreePtos) {
  Lifetime lifetime(at(0ms), {.max_idle_timeout = 30s}, kPto);
  EXPECT_EQ(lifetime.deadline(false), at(30s));
  lifetime.set_peer_idle_timeout(5s);
  EXPECT_EQ(lifetime.deadline(false), at(30s)) << "it holds from the next restart on";
  lifetime.restart_idle_timer(at(1s), kPto);
  EXPECT_EQ(lifetime.deadline(false), at(6s));
  lifetime.restart_idle_timer(at(1s), 4s);
  EXPECT_EQ(lifetime.deadline(false), at(13s));
  const Lifetime::Due due = lifetime.on_deadline(at(13s), kPto);
  EXPECT_TRUE(due.closed);
  EXPECT_TRUE(lifetime.is_drained());
  EXPECT_EQ(lifetime.close_reason()->kind, Kind::idle_timeout);
  EXPECT_TRUE(lifetime.consistent());
}

TEST(Lifetime, WithoutTimeoutsNothingEndsAConnection) {
  Lifetime lifetime(at(0ms), kNoTimeouts, kPto);
  EXPECT_EQ(lifetime.deadline(true), kNever);
  EXPECT_FALSE(lifetime.on_deadline(at(24h), kPto).closed);
  EXPECT_TRUE(lifetime.is_open());
  lifetime.set_peer_idle_timeout(3s);
  lifetime.restart_idle_timer(at(0s), kPto);
  EXPECT_EQ(lifetime.deadline(false), at(3s)) << "the peer's alone";
  EXPECT_TRUE(lifetime.consistent());
}

// RFC 9000 §10.1: once for each silence of the peer.
TEST(Lifetime, SendingRestartsTheIdleTimerOnce) {
  Lifetime lifetime(at(0ms), {.max_idle_timeout = 30s}, kPto);
  lifetime.on_ack_eliciting_sent(at(1s), kPto);
  lifetime.on_ack_eliciting_sent(at(2s), kPto);
  EXPECT_EQ(lifetime.deadline(false), at(31s));
  lifetime.restart_idle_timer(at(3s), kPto);
  lifetime.on_ack_eliciting_sent(at(4s), kPto);
  EXPECT_EQ(lifetime.deadline(false), at(34s));
}

// RFC 9000 §10.1.2.
TEST(Lifetime, KeepsAConnectionAliveOnceItsHandshakeIsComplete) {
  Lifetime lifetime(at(0ms), {.max_idle_timeout = 30s, .keep_alive = 20s}, kPto);
  EXPECT_EQ(lifetime.deadline(false), at(30s));
  lifetime.on_handshake_complete(at(1s), kPto);
  ASSERT_TRUE(lifetime.consistent());
  EXPECT_EQ(lifetime.deadline(false), at(16s)) << "half of the idle time-out is sooner";
  EXPECT_FALSE(lifetime.on_deadline(at(15s), kPto).keep_alive);
  const Lifetime::Due due = lifetime.on_deadline(at(16s), kPto);
  EXPECT_TRUE(due.keep_alive);
  EXPECT_FALSE(due.closed);
  EXPECT_EQ(lifetime.deadline(false), at(31s)) << "the idle time-out, and the next PING";
}

// [rfc9000-4.1-5]: before the peer forgets who waits for it.
TEST(Lifetime, WhoIsBlockedSpeaksUpAtHalfTheIdleTimeout) {
  Lifetime lifetime(at(0ms), {.max_idle_timeout = 30s}, kPto);
  EXPECT_EQ(lifetime.deadline(true), at(15s));
  EXPECT_FALSE(lifetime.on_deadline(at(15s - 1ns), kPto).blocked);
  EXPECT_TRUE(lifetime.on_deadline(at(15s), kPto).blocked);
  EXPECT_EQ(lifetime.deadline(true), at(30s));
}

TEST(Lifetime, AHandshakeHasItsTime) {
  Lifetime late(at(0ms), kConfig, kPto);
  EXPECT_EQ(late.deadline(false), at(10s));
  EXPECT_TRUE(late.on_deadline(at(10s), kPto).closed);
  EXPECT_EQ(late.close_reason()->kind, Kind::handshake_timeout);
  EXPECT_TRUE(late.consistent());

  Lifetime done(at(0ms), kConfig, kPto);
  done.on_handshake_complete(at(9s), kPto);
  EXPECT_EQ(done.deadline(false), at(39s));
  EXPECT_FALSE(done.on_deadline(at(10s), kPto).closed);
  EXPECT_TRUE(done.consistent());
}

}  // namespace
}  // namespace qpeer::transport::test
