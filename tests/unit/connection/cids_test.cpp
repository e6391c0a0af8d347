// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/transport/connection/local_cids.hpp"
#include "qpeer/transport/connection/path_validator.hpp"
#include "qpeer/transport/connection/remote_cids.hpp"

namespace qpeer::transport {
namespace {

ConnectionId id_of(u8 value) { return ConnectionId(std::array<u8, 8>{value}); }

/// Numbers its IDs and remembers what is in use.
class CountingIssuer final : public CidIssuer {
 public:
  ConnectionId issue() override {
    issued.insert(next_);
    return id_of(next_++);
  }
  void retire(const ConnectionId& id) override { issued.erase(id.bytes()[0]); }
  ConnectionId issue_zero_length() override { return {}; }
  StatelessResetToken reset_token(const ConnectionId& id) override { return {id.bytes()[0]}; }
  void watch_reset_token(const StatelessResetToken& token) override { watched.insert(token[0]); }
  void unwatch_reset_token(const StatelessResetToken& token) override { watched.erase(token[0]); }

  std::set<u8> issued;
  std::set<u8> watched;

 private:
  u8 next_ = 1;
};

/// Of its IDs every second one has, where a STUN message has its cookie, that cookie.
class CookieIssuer final : public CidIssuer {
 public:
  ConnectionId issue() override {
    std::array<u8, 8> octets{next_++, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7};
    if (next_ % 2 == 0) octets[6] = 0;
    in_use.push_back(ConnectionId(octets));
    return in_use.back();
  }
  void retire(const ConnectionId& id) override { std::erase(in_use, id); }
  ConnectionId issue_zero_length() override { return {}; }
  StatelessResetToken reset_token(const ConnectionId&) override { return {}; }
  void watch_reset_token(const StatelessResetToken&) override {}
  void unwatch_reset_token(const StatelessResetToken&) override {}

  std::vector<ConnectionId> in_use;

 private:
  u8 next_ = 0;
};

template <class Source>
std::vector<SentFrame> write(Source& source) {
  std::vector<u8> storage(1200);
  PacketWriter out(storage, wire::PacketType::one_rtt);
  source.write_frames(out);
  return {out.sent_frames().begin(), out.sent_frames().end()};
}

wire::NewConnectionIdFrame offer(std::uint64_t number, std::uint64_t retire_prior_to = 0) {
  return {.sequence_number = number,
          .retire_prior_to = retire_prior_to,
          .connection_id = id_of(static_cast<u8>(100 + number)),
          .stateless_reset_token = {static_cast<u8>(number)}};
}

// [rfc9000-5.1.1-1], [rfc9000-5.1.1-4]
TEST(LocalCids, IssuesUpToThePeersLimitInSequence) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  EXPECT_FALSE(cids.has_frames());
  cids.set_peer_limit(3);
  const auto frames = write(cids);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].offset, 1U);
  EXPECT_EQ(frames[1].offset, 2U);
  cids.on_fate(frames[1], Fate::lost);
  const auto again = write(cids);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].offset, 2U);
}

// A packet with a short header, whose first bits may be greased, would look like STUN.
TEST(LocalCids, NoneHasTheStunCookieWhereStunHasIt) {
  CookieIssuer issuer;
  LocalCids cids(issuer);
  cids.issue_preferred();
  cids.set_peer_limit(4);
  write(cids);
  EXPECT_TRUE(cids.rotate());
  EXPECT_TRUE(cids.consistent());
  EXPECT_EQ(issuer.in_use.size(), 8U);
  for (const ConnectionId& id : issuer.in_use) {
    EXPECT_FALSE(equal(id.bytes().subspan(3, 4), std::array<u8, 4>{0x21, 0x12, 0xa4, 0x42}))
        << int{id.bytes()[0]};
  }
}

// [rfc9000-5.1.1-7], [rfc9000-19.16-1], [rfc9000-19.16-2]
TEST(LocalCids, ReplacesWhatThePeerRetires) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  cids.set_peer_limit(2);
  write(cids);
  EXPECT_TRUE(cids.on_retire(0, id_of(2)));
  const auto frames = write(cids);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].offset, 2U);
  EXPECT_TRUE(cids.on_retire(0, id_of(2))) << "a repeat is no fault";
  EXPECT_EQ(cids.on_retire(3, id_of(2)).error().code, TransportErrorCode::protocol_violation);
  EXPECT_EQ(cids.on_retire(1, id_of(2)).error().code, TransportErrorCode::protocol_violation);
}

// [rfc9000-19.16-1]
TEST(LocalCids, NobodyCanRetireWhatWasNotSent) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  cids.set_peer_limit(3);
  EXPECT_EQ(cids.on_retire(2, id_of(1)).error().code, TransportErrorCode::protocol_violation);
  const auto frames = write(cids);
  ASSERT_EQ(frames.size(), 2U);
  cids.on_fate(frames[1], Fate::lost);  // It may have arrived all the same.
  EXPECT_TRUE(cids.on_retire(2, id_of(1)));
}

TEST(LocalCids, TheLastRetiredStayRoutedForStragglers) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  cids.set_peer_limit(2);
  write(cids);
  constexpr u8 kRetired = 20;
  for (u8 number = 0; number < kRetired; ++number) {
    ASSERT_TRUE(cids.on_retire(number, id_of(static_cast<u8>(number + 2))));
    write(cids);
    EXPECT_TRUE(issuer.issued.contains(static_cast<u8>(number + 1))) << "just retired";
    EXPECT_LE(issuer.issued.size(), 2 + LocalCids::kMaxRetired);
  }
  EXPECT_FALSE(issuer.issued.contains(1));
}

// [rfc9000-5.1.2-8]: a peer that is asked to retire all of its IDs gets as many in their place, so that
// it can move at once.
TEST(LocalCids, ARotationReplacesAsManyAsThePeerMayHave) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  cids.set_peer_limit(LocalCids::kMaxActive);
  EXPECT_EQ(write(cids).size(), LocalCids::kMaxActive - 1);
  ASSERT_TRUE(cids.rotate());
  const auto frames = write(cids);
  ASSERT_EQ(frames.size(), LocalCids::kMaxActive);
  EXPECT_EQ(frames.front().offset, LocalCids::kMaxActive);
  EXPECT_FALSE(cids.rotate()) << "the peer has yet to retire the others";
  for (u8 number = 0; number < LocalCids::kMaxActive; ++number) {
    ASSERT_TRUE(cids.on_retire(number, id_of(LocalCids::kMaxActive + 1)));
    EXPECT_FALSE(cids.has_frames()) << "it has all that it may have";
  }
  EXPECT_TRUE(issuer.issued.contains(1)) << "the first one is still routed";
  EXPECT_TRUE(cids.rotate());
}

// A peer that is cut off cannot retire anything: it is not asked for the same IDs again, and has new ones.
TEST(LocalCids, ARotationThatIsNotAnsweredCanBeRepeated) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  cids.set_peer_limit(LocalCids::kMaxActive);
  write(cids);
  ASSERT_TRUE(cids.rotate());
  write(cids);
  ASSERT_FALSE(cids.rotate());
  ASSERT_TRUE(cids.rotate_again());
  const auto frames = write(cids);
  ASSERT_EQ(frames.size(), LocalCids::kMaxActive);
  EXPECT_EQ(frames.front().offset, 2 * LocalCids::kMaxActive);
  EXPECT_TRUE(cids.on_retire(0, id_of(1))) << "late retirements are no fault";
  EXPECT_FALSE(cids.has_frames());
  EXPECT_LE(issuer.issued.size(), 2 * LocalCids::kMaxActive + LocalCids::kMaxRetired);
}

// A peer that hears us no longer, but reaches us, goes on with the ID that it has: each sign of life starts
// the probe time-outs anew, and each of their rotations would push that ID further out.
TEST(LocalCids, WhatThePeerMayStillUseOutlivesEveryRotation) {
  CountingIssuer issuer;
  LocalCids cids(issuer);
  cids.set_peer_limit(LocalCids::kMaxActive);
  write(cids);
  ASSERT_TRUE(cids.rotate());
  write(cids);
  ASSERT_TRUE(cids.rotate_again());
  const auto frames = write(cids);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(cids.rotate());
    EXPECT_FALSE(cids.rotate_again());
    EXPECT_FALSE(cids.has_frames());
  }
  for (u8 id = 1; id <= LocalCids::kMaxActive; ++id)
    EXPECT_TRUE(issuer.issued.contains(id)) << int{id};
  cids.on_fate(frames.back(), Fate::acked);
  EXPECT_TRUE(cids.rotate_again()) << "it has heard, and need not be able to answer";
}

TEST(LocalCids, ReturnsAllWhenItGoes) {
  CountingIssuer issuer;
  {
    LocalCids cids(issuer);
    cids.set_peer_limit(4);
    write(cids);
    EXPECT_TRUE(cids.on_retire(0, id_of(2)));
  }
  EXPECT_TRUE(issuer.issued.empty());
}

// [rfc9000-19.15-4], [rfc9000-19.15-5]
TEST(RemoteCids, ToleratesRepeatsButNoContradiction) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 4);
  EXPECT_TRUE(cids.on_frame(offer(1)));
  EXPECT_TRUE(cids.on_frame(offer(1)));
  auto other_token = offer(1);
  other_token.stateless_reset_token = {9};
  EXPECT_EQ(cids.on_frame(other_token).error().code, TransportErrorCode::protocol_violation);
  auto other_number = offer(2);
  other_number.connection_id = offer(1).connection_id;
  EXPECT_EQ(cids.on_frame(other_number).error().code, TransportErrorCode::protocol_violation);
}

// [rfc9000-5.1.2-4]
TEST(RemoteCids, RetirePriorToMovesToTheNext) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 4);
  ASSERT_TRUE(cids.on_frame(offer(1)));
  ASSERT_TRUE(cids.on_frame(offer(2, 2)));
  EXPECT_EQ(cids.current(), id_of(102));
  auto retired = write(cids);
  ASSERT_EQ(retired.size(), 2U);
  EXPECT_EQ(issuer.watched, (std::set<u8>{2}));
  cids.on_fate(retired[0], Fate::lost);
  EXPECT_EQ(write(cids).size(), 1U);
}

// [rfc9000-10.3.1-3]
TEST(RemoteCids, OnlyTheTokenOfTheIdInUseIsWatched) {
  CountingIssuer issuer;
  {
    RemoteCids cids(issuer, id_of(100), 4);
    cids.set_initial_reset_token({50});
    ASSERT_TRUE(cids.on_frame(offer(1)));
    ASSERT_TRUE(cids.on_frame(offer(2)));
    EXPECT_EQ(issuer.watched, (std::set<u8>{50}));
    ASSERT_TRUE(cids.on_frame(offer(3, 1)));
    EXPECT_EQ(issuer.watched, (std::set<u8>{1}));
  }
  EXPECT_TRUE(issuer.watched.empty());
}

// [rfc9000-19.15-9]
TEST(RemoteCids, RetiresWhatArrivesTooLate) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 4);
  ASSERT_TRUE(cids.on_frame(offer(3, 3)));
  write(cids);
  ASSERT_TRUE(cids.on_frame(offer(1)));
  const auto frames = write(cids);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].offset, 1U);
}

// [rfc9000-5.1.1-6]
TEST(RemoteCids, LimitIsEnforced) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 2);
  EXPECT_TRUE(cids.on_frame(offer(1)));
  EXPECT_EQ(cids.on_frame(offer(2)).error().code, TransportErrorCode::connection_id_limit_error);
}

// [rfc9000-5.1.2-5]: retirements that are never acknowledged do not pile up.
TEST(RemoteCids, OwedRetirementsAreBounded) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 2);
  Result result;
  std::uint64_t number = 1;
  for (; result && number < 100; ++number) {
    result = cids.on_frame(offer(number, number));
    write(cids);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, TransportErrorCode::connection_id_limit_error);
  EXPECT_LT(number, 12U);
}

// [rfc9000-5.1.2-5]: a probe reports frames lost that are still on their way, and so does the loss
// that follows it; each retirement is owed once all the same.
TEST(RemoteCids, OwedRetirementsAreBoundedWhateverIsSaidToBeLost) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 2);
  Result result;
  std::uint64_t number = 1;
  for (; result && number < 100; ++number) {
    result = cids.on_frame(offer(number, number));
    const auto frames = write(cids);
    if (frames.empty()) continue;
    cids.on_fate(frames[0], Fate::lost);
    cids.on_fate(frames[0], Fate::lost);
    EXPECT_EQ(write(cids).size(), 1U);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, TransportErrorCode::connection_id_limit_error);
  EXPECT_LT(number, 12U);
}

// [rfc9000-5.1.2-5]: nor do those of numbers so old that nobody knows any more whether they came
// before. [rfc9000-5.1.2-6]: twice the limit of IDs is no fault yet.
TEST(RemoteCids, OwedRetirementsOfTheDistantPastAreBounded) {
  constexpr std::uint64_t kLimit = 4;
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(255), kLimit);
  ASSERT_TRUE(cids.on_frame(offer(150)));
  Result result;
  std::uint64_t number = 1;
  for (; result && number < 80; ++number) {
    result = cids.on_frame(offer(number));
    write(cids);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, TransportErrorCode::connection_id_limit_error);
  EXPECT_GT(number, 2 * kLimit);
  EXPECT_LT(number, 5 * kLimit);
}

TEST(RemoteCids, WhatIsAcknowledgedIsNotRetiredAgain) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, id_of(100), 2);
  ASSERT_TRUE(cids.on_frame(offer(1, 1)));
  const auto first = write(cids);
  ASSERT_EQ(first.size(), 1U);
  cids.on_fate(first[0], Fate::lost);
  const auto copy = write(cids);
  ASSERT_EQ(copy.size(), 1U);
  cids.on_fate(first[0], Fate::acked);
  cids.on_fate(copy[0], Fate::lost);
  EXPECT_FALSE(cids.has_frames());
}

// [rfc9000-19.15-3]
TEST(RemoteCids, ZeroLengthPeerIssuesNone) {
  CountingIssuer issuer;
  RemoteCids cids(issuer, ConnectionId(), 4);
  EXPECT_EQ(cids.on_frame(offer(1)).error().code, TransportErrorCode::protocol_violation);
}

TEST(PathResponder, AnswersEachOfTheNewestOnce) {
  PathResponder responder;
  for (u8 i = 0; i < 10; ++i) responder.on_challenge({.data = {i}});
  EXPECT_EQ(write(responder).size(), PathResponder::kMaxPending);
  EXPECT_FALSE(responder.has_frames());
}

}  // namespace
}  // namespace qpeer::transport
