// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A peer that is suddenly elsewhere, and what it asks and answers there. RFC 9000 §8.2, §9.
#include <set>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

/// A server, and an adversary that has a second address.
struct Elsewhere {
  explicit Elsewhere(PeerConfig ours = small_limits(), bool acknowledges = true)
      : fixture(Side::server, {.acknowledges = acknowledges}, std::move(ours)),
        other(fixture.adversary.second_address()) {
    fixture.network.on_send([this](const Passing& datagram) {
      if (datagram.from != fixture.victim.address()) return;
      auto& bytes = datagram.to == other ? sent_there : sent_home;
      bytes += datagram.payload.size();
      if (datagram.to == other) times.push_back(datagram.now);
    });
    fixture.begin();
    fixture.run(1s);
    EXPECT_TRUE(fixture.alive(kOneRtt));
    fixture.adversary.forget();
    sent_home = sent_there = 0;
  }
  /// From the other address.
  std::size_t send(const Octets& frames) {
    const Octets packet = fixture.adversary.packet(kOneRtt, frames);
    fixture.adversary.send_raw(packet, other);
    return packet.size();
  }
  [[nodiscard]] std::vector<Octets> challenges() const {
    std::vector<Octets> out;
    fixture.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
      const auto* const one = std::get_if<wire::PathChallengeFrame>(&frame);
      if (one != nullptr) out.emplace_back(one->data.begin(), one->data.end());
    });
    return out;
  }

  ConformanceFixture fixture;
  SocketAddress other;
  std::size_t sent_home = 0;
  std::size_t sent_there = 0;
  std::vector<Instant> times;
};

// [rfc9000-8.2.1-4]: no challenge is like another; [rfc9000-9.4-4] [rfc9000-8.2.1-3] they come no
// faster than a first flight would be repeated, [rfc9000-8.2.1-2] one a packet; [rfc9000-8-1] and all of it is not more than three
// times what came from there.
TEST(Paths, ChallengesAreUnpredictableAndRare) {
  Elsewhere fixture;
  const std::size_t came = fixture.send(join({kPing, zeros(1'300)}));
  fixture.fixture.run(5s);
  const auto challenges = fixture.challenges();
  EXPECT_GE(challenges.size(), 2U);
  EXPECT_EQ(std::set(challenges.begin(), challenges.end()).size(), challenges.size());
  EXPECT_LE(fixture.sent_there, 3 * came);
  std::set<PacketNumber> packets;
  fixture.fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    if (!std::holds_alternative<wire::PathChallengeFrame>(frame)) return;
    EXPECT_TRUE(packets.insert(packet.number).second);
  });
  ASSERT_FALSE(fixture.times.empty());
  std::set<Instant> moments(fixture.times.begin(), fixture.times.end());
  std::optional<Instant> before;
  std::size_t quick = 0;
  for (const Instant each : moments) {
    if (before && each - *before < 60ms) ++quick;
    before = each;
  }
  EXPECT_LE(quick, 1U) << "the acknowledgement may come between";
}

// [rfc9000-8.2.1-3]: who flaps between two addresses faster than answers come does not set off a
// challenge each time, nor is it for ever unproved.
TEST(Paths, FlappingAddressesAreProvedAllTheSame) {
  Elsewhere fixture(small_limits(), false);
  std::set<Octets> answered;
  std::vector<std::pair<Instant, Octets>> answers;
  PeerNetwork& network = fixture.fixture.network;
  for (int i = 0; i < 40; ++i) {
    if (i % 2 == 0) {
      fixture.send(join({kPing, zeros(100)}));
    } else {
      fixture.fixture.adversary.send(kOneRtt, kPing);
    }
    fixture.fixture.run(5ms);
    for (const Octets& data : fixture.challenges()) {
      if (answered.insert(data).second) answers.emplace_back(network.now() + 20ms, data);
    }
    for (auto& [at, data] : answers) {
      if (data.empty() || network.now() < at) continue;
      fixture.fixture.adversary.send(kOneRtt, join({{0x1b}, data}));
      data.clear();
    }
  }
  fixture.send(kPing);
  fixture.fixture.run(1ms);
  fixture.sent_home = fixture.sent_there = 0;
  fixture.fixture.victim.session().sends(9'000);
  fixture.fixture.run(11ms);
  EXPECT_GT(fixture.sent_there, 5'000U) << "it was proved while it flapped";
}

// What may not be sent for want of credit wakes nobody: a deadline that has passed and stays would
// keep the server busy for as long as the address is unproved. [rfc9000-8.1-2]
TEST(Paths, AnAcknowledgementWithoutCreditWaitsQuietly) {
  Elsewhere fixture(small_limits(), false);
  fixture.send(kPing);  // Its credit is used up by the challenge.
  fixture.fixture.run(10ms);
  // A probe, which moves nothing back, but asks for an acknowledgement.
  const PacketNumber probe = fixture.fixture.adversary.next_number(kOneRtt);
  fixture.fixture.send(kOneRtt, join({{0x1a}, Octets(8, 7)}));
  fixture.fixture.run(2s);  // The simulator ends machines that spin.
  EXPECT_LT(fixture.sent_there, 200U);
  EXPECT_FALSE(fixture.fixture.adversary.acknowledged(kOneRtt, probe));
  fixture.fixture.adversary.send(kOneRtt, kPing);
  fixture.fixture.run(100ms);
  EXPECT_TRUE(fixture.fixture.adversary.acknowledged(kOneRtt, probe));
}

// [rfc9000-8.2.2-4] [rfc9000-8.2.3-1]: an answer counts, whatever path it took. It is nothing but an
// answer: an acknowledgement from there would be a move back.
TEST(Paths, AnswersCountFromAnywhere) {
  Elsewhere fixture(small_limits(), false);
  fixture.send(join({kPing, zeros(1'300)}));
  fixture.fixture.run(30ms);
  for (int i = 0; i < 3; ++i) {
    const auto challenges = fixture.challenges();
    ASSERT_FALSE(challenges.empty());
    fixture.fixture.adversary.forget();
    for (const Octets& data : challenges) fixture.fixture.send(kOneRtt, join({{0x1b}, data}));
    if (fixture.challenges().empty()) break;
  }
  fixture.fixture.run(5s);
  fixture.sent_home = fixture.sent_there = 0;
  fixture.fixture.victim.session().sends(5'000);
  fixture.fixture.run(1s);
  EXPECT_GT(fixture.sent_there, 5'000U) << "it has moved";
  EXPECT_EQ(fixture.sent_home, 0U);
}

// [rfc9000-8.2.2-6] [rfc9000-8.2.2-3]: the answer goes where the question came from, and is no larger
// than three times it.
TEST(Paths, AnswersToAnUnprovedAddressStaySmall) {
  Elsewhere fixture;
  const std::size_t came = fixture.send(join({{0x1a}, Octets(8, 7)}));
  fixture.fixture.run(20ms);
  EXPECT_GT(fixture.sent_there, 0U);
  EXPECT_LE(fixture.sent_there, 3 * came);
  const auto response = fixture.fixture.adversary.last<wire::PathResponseFrame>();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(equal(response->data, Octets(8, 7)));
  EXPECT_EQ(fixture.fixture.adversary.count<wire::PathResponseFrame>(), 1U);
}

// [rfc9000-9.6.3-5]: who is asked from an address that is new to it asks back.
TEST(Paths, AProbeIsProbed) {
  Elsewhere fixture;
  fixture.send(join({{0x1a}, Octets(8, 7), zeros(1'200)}));
  fixture.fixture.run(20ms);
  EXPECT_EQ(fixture.challenges().size(), 1U);
  EXPECT_GE(fixture.sent_there, 1'200U);
  EXPECT_EQ(fixture.sent_home, 0U) << "an acknowledgement may come later";
}

// [rfc9000-9.3.3-2]: on the path in use the answer comes with more than a probe has, so that it
// brings the connection back to where it was asked.
TEST(Paths, OnThePathInUseTheAnswerIsNoMereProbe) {
  for (const Side side : {Side::client, Side::server}) {
    ConformanceFixture fixture(side);
    fixture.begin();
    fixture.run(1s);
    fixture.adversary.forget();
    fixture.send(kOneRtt, join({{0x1a}, Octets(8, 7)}));
    std::set<PacketNumber> answers;
    std::set<PacketNumber> more;
    fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
      if (std::holds_alternative<wire::PathResponseFrame>(frame)) answers.insert(packet.number);
      if (std::holds_alternative<wire::AckFrame>(frame)) more.insert(packet.number);
    });
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(more.contains(*answers.begin()));
  }
}

// [rfc9000-8.2.2-2]: nor does an answer wait for a window that is full of what was lost as the path
// changed. But the peer cannot make use of that at will.
TEST(Paths, AFullWindowHoldsUpNoAnswer) {
  for (const Side side : {Side::client, Side::server}) {
    AdversaryConfig config{.acknowledges = false};
    config.parameters = [](wire::TransportParameters& p) {
      p.initial_max_data = p.initial_max_stream_data_bidi_remote = 1 << 20;
      p.initial_max_streams_bidi = 4;
    };
    ConformanceFixture fixture(side, config);
    fixture.begin();
    fixture.victim.session().sends(100'000);
    fixture.run(5ms);
    fixture.adversary.forget();
    const auto answers = [&] { return fixture.adversary.count<wire::PathResponseFrame>(); };
    for (u8 i = 0; i < 5; ++i) {
      fixture.adversary.send(kOneRtt, join({{0x1a}, Octets(8, i)}));
      fixture.run(i == 0 ? 21ms : 1ms);
    }
    fixture.run(20ms);
    EXPECT_EQ(answers(), 1U);
  }
}

// A packet may bring the connection ID for the answer behind the question.
TEST(Paths, AChallengeMayComeBeforeTheConnectionIdForItsAnswer) {
  AdversaryConfig config;
  config.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 4; };
  ConformanceFixture fixture(Side::server, config);
  const SocketAddress other = fixture.adversary.second_address();
  fixture.begin();
  Octets unused;  // An ID of the victim's, so that this is a move of the peer's own making.
  fixture.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
    const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
    if (one == nullptr) return;
    const Bytes id = one->connection_id.bytes();
    unused.assign(id.begin(), id.end());
  });
  ASSERT_FALSE(unused.empty());
  const Octets frames = join({{0x1a}, Octets(8, 7), {0x18, 1, 0, 8}, Octets(8, 1), Octets(16, 1)});
  fixture.adversary.send_raw(fixture.adversary.packet(kOneRtt, frames, {.dcid = unused}), other);
  fixture.run(20ms);
  const auto response = fixture.adversary.last<wire::PathResponseFrame>();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(equal(response->data, Octets(8, 7)));
}

// [rfc9000-9-3]: who moves though it may not is not told by a stateless reset.
TEST(Paths, AMoveThatIsNotAllowedIsNoReasonForAReset) {
  PeerConfig ours = small_limits();
  ours.endpoint.connection.disable_active_migration = true;
  Elsewhere fixture(ours);
  fixture.send(join({kPing, zeros(1'300)}));
  fixture.fixture.run(3s);
  EXPECT_EQ(fixture.fixture.victim.endpoint().stats().stateless_resets_sent, 0U);
  EXPECT_TRUE(fixture.fixture.alive(kOneRtt));
}

// [rfc9000-5.1.2-7] [rfc9000-19.15-9]: whatever ID is given up is told, however it comes to that.
TEST(Paths, ConnectionIdsAreRetiredAloud) {
  for (const Side side : {Side::client, Side::server}) {
    ConformanceFixture fixture(side);
    fixture.begin();
    std::set<std::uint64_t> retired;
    const auto id = [](u8 sequence, u8 prior) {
      return join({{0x18, sequence, prior, 8}, Octets(8, sequence), Octets(16, sequence)});
    };
    fixture.send(kOneRtt, id(1, 1));  // The ID in use.
    fixture.send(kOneRtt, id(3, 3));  // One that was never used, and one that has not come:
    fixture.send(kOneRtt, id(2, 0));
    fixture.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
      const auto* const one = std::get_if<wire::RetireConnectionIdFrame>(&frame);
      if (one != nullptr) retired.insert(one->sequence_number);
    });
    EXPECT_EQ(retired, (std::set<std::uint64_t>{0, 1, 2}));
    EXPECT_TRUE(fixture.alive(kOneRtt));
  }
}

// [rfc9000-19.16-4]: there is nothing to retire where there are no IDs.
TEST(Paths, NobodyRetiresAnIdOfNoBytes) {
  PeerConfig ours = small_limits();
  ours.connection.zero_length_connection_id = true;
  const std::vector<FrameCase> cases{
      {"rfc9000-19.16-4", "RETIRE_CONNECTION_ID", kOneRtt, varints({0x19, 0}),
       closes(protocol_violation, 0x19)},
  };
  run_cases(Side::client, cases, {}, ours);
  ConformanceFixture fixture(Side::client, {}, ours);
  fixture.begin();
  EXPECT_TRUE(fixture.alive(kOneRtt));
  EXPECT_EQ(fixture.adversary.count<wire::NewConnectionIdFrame>(), 0U);  // [rfc9000-19.15-2]
}

}  // namespace
}  // namespace qpeer::sim
