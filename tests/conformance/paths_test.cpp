// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A peer that is suddenly elsewhere, and what it asks and answers there. RFC 9000 §8.2, §9.
#include <set>
#include <vector>

#include "qpeer/tests/conformance/scene.hpp"

namespace qpeer::sim {
namespace {

/// A server, and an adversary that has a second address.
struct Elsewhere {
  explicit Elsewhere(PeerConfig ours = small_limits(), bool acknowledges = true)
      : scene(Side::server, {.acknowledges = acknowledges}, std::move(ours)),
        other(scene.adversary.second_address()) {
    scene.network.on_send([this](const Passing& datagram) {
      if (datagram.from != scene.victim.address()) return;
      auto& bytes = datagram.to == other ? sent_there : sent_home;
      bytes += datagram.payload.size();
      if (datagram.to == other) times.push_back(datagram.now);
    });
    scene.begin();
    scene.run(1s);
    EXPECT_TRUE(scene.alive(kOneRtt));
    scene.adversary.forget();
    sent_home = sent_there = 0;
  }
  /// From the other address.
  std::size_t send(const Octets& frames) {
    const Octets packet = scene.adversary.packet(kOneRtt, frames);
    scene.adversary.send_raw(packet, other);
    return packet.size();
  }
  [[nodiscard]] std::vector<Octets> challenges() const {
    std::vector<Octets> out;
    scene.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
      const auto* const one = std::get_if<wire::PathChallengeFrame>(&frame);
      if (one != nullptr) out.emplace_back(one->data.begin(), one->data.end());
    });
    return out;
  }

  Scene scene;
  SocketAddress other;
  std::size_t sent_home = 0;
  std::size_t sent_there = 0;
  std::vector<Instant> times;
};

// [rfc9000-8.2.1-4]: no challenge is like another; [rfc9000-9.4-4] [rfc9000-8.2.1-3] they come no
// faster than a first flight would be repeated, [rfc9000-8.2.1-2] one a packet; [rfc9000-8-1] and all of it is not more than three
// times what came from there.
TEST(Paths, ChallengesAreUnpredictableAndRare) {
  Elsewhere scene;
  const std::size_t came = scene.send(join({kPing, zeros(1'300)}));
  scene.scene.run(5s);
  const auto challenges = scene.challenges();
  EXPECT_GE(challenges.size(), 2U);
  EXPECT_EQ(std::set(challenges.begin(), challenges.end()).size(), challenges.size());
  EXPECT_LE(scene.sent_there, 3 * came);
  std::set<PacketNumber> packets;
  scene.scene.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    if (!std::holds_alternative<wire::PathChallengeFrame>(frame)) return;
    EXPECT_TRUE(packets.insert(packet.number).second);
  });
  ASSERT_FALSE(scene.times.empty());
  std::set<Instant> moments(scene.times.begin(), scene.times.end());
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
  Elsewhere scene(small_limits(), false);
  std::set<Octets> answered;
  std::vector<std::pair<Instant, Octets>> answers;
  PeerNetwork& network = scene.scene.network;
  for (int i = 0; i < 40; ++i) {
    if (i % 2 == 0) {
      scene.send(join({kPing, zeros(100)}));
    } else {
      scene.scene.adversary.send(kOneRtt, kPing);
    }
    scene.scene.run(5ms);
    for (const Octets& data : scene.challenges()) {
      if (answered.insert(data).second) answers.emplace_back(network.now() + 20ms, data);
    }
    for (auto& [at, data] : answers) {
      if (data.empty() || network.now() < at) continue;
      scene.scene.adversary.send(kOneRtt, join({{0x1b}, data}));
      data.clear();
    }
  }
  scene.send(kPing);
  scene.scene.run(1ms);
  scene.sent_home = scene.sent_there = 0;
  scene.scene.victim.session().sends(9'000);
  scene.scene.run(11ms);
  EXPECT_GT(scene.sent_there, 5'000U) << "it was proved while it flapped";
}

// What may not be sent for want of credit wakes nobody: a deadline that has passed and stays would
// keep the server busy for as long as the address is unproved. [rfc9000-8.1-2]
TEST(Paths, AnAcknowledgementWithoutCreditWaitsQuietly) {
  Elsewhere scene(small_limits(), false);
  scene.send(kPing);  // Its credit is used up by the challenge.
  scene.scene.run(10ms);
  // A probe, which moves nothing back, but asks for an acknowledgement.
  const PacketNumber probe = scene.scene.adversary.next_number(kOneRtt);
  scene.scene.send(kOneRtt, join({{0x1a}, Octets(8, 7)}));
  scene.scene.run(2s);  // The simulator ends machines that spin.
  EXPECT_LT(scene.sent_there, 200U);
  EXPECT_FALSE(scene.scene.adversary.acknowledged(kOneRtt, probe));
  scene.scene.adversary.send(kOneRtt, kPing);
  scene.scene.run(100ms);
  EXPECT_TRUE(scene.scene.adversary.acknowledged(kOneRtt, probe));
}

// [rfc9000-8.2.2-4] [rfc9000-8.2.3-1]: an answer counts, whatever path it took. It is nothing but an
// answer: an acknowledgement from there would be a move back.
TEST(Paths, AnswersCountFromAnywhere) {
  Elsewhere scene(small_limits(), false);
  scene.send(join({kPing, zeros(1'300)}));
  scene.scene.run(30ms);
  for (int i = 0; i < 3; ++i) {
    const auto challenges = scene.challenges();
    ASSERT_FALSE(challenges.empty());
    scene.scene.adversary.forget();
    for (const Octets& data : challenges) scene.scene.send(kOneRtt, join({{0x1b}, data}));
    if (scene.challenges().empty()) break;
  }
  scene.scene.run(5s);
  scene.sent_home = scene.sent_there = 0;
  scene.scene.victim.session().sends(5'000);
  scene.scene.run(1s);
  EXPECT_GT(scene.sent_there, 5'000U) << "it has moved";
  EXPECT_EQ(scene.sent_home, 0U);
}

// [rfc9000-8.2.2-6] [rfc9000-8.2.2-3]: the answer goes where the question came from, and is no larger
// than three times it.
TEST(Paths, AnswersToAnUnprovedAddressStaySmall) {
  Elsewhere scene;
  const std::size_t came = scene.send(join({{0x1a}, Octets(8, 7)}));
  scene.scene.run(20ms);
  EXPECT_GT(scene.sent_there, 0U);
  EXPECT_LE(scene.sent_there, 3 * came);
  const auto response = scene.scene.adversary.last<wire::PathResponseFrame>();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(equal(response->data, Octets(8, 7)));
  EXPECT_EQ(scene.scene.adversary.count<wire::PathResponseFrame>(), 1U);
}

// [rfc9000-9.6.3-5]: who is asked from an address that is new to it asks back.
TEST(Paths, AProbeIsProbed) {
  Elsewhere scene;
  scene.send(join({{0x1a}, Octets(8, 7), zeros(1'200)}));
  scene.scene.run(20ms);
  EXPECT_EQ(scene.challenges().size(), 1U);
  EXPECT_GE(scene.sent_there, 1'200U);
  EXPECT_EQ(scene.sent_home, 0U) << "an acknowledgement may come later";
}

// [rfc9000-9.3.3-2]: on the path in use the answer comes with more than a probe has, so that it
// brings the connection back to where it was asked.
TEST(Paths, OnThePathInUseTheAnswerIsNoMereProbe) {
  for (const Side side : {Side::client, Side::server}) {
    Scene scene(side);
    scene.begin();
    scene.run(1s);
    scene.adversary.forget();
    scene.send(kOneRtt, join({{0x1a}, Octets(8, 7)}));
    std::set<PacketNumber> answers;
    std::set<PacketNumber> more;
    scene.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
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
    Scene scene(side, config);
    scene.begin();
    scene.victim.session().sends(100'000);
    scene.run(5ms);
    scene.adversary.forget();
    const auto answers = [&] { return scene.adversary.count<wire::PathResponseFrame>(); };
    for (u8 i = 0; i < 5; ++i) {
      scene.adversary.send(kOneRtt, join({{0x1a}, Octets(8, i)}));
      scene.run(i == 0 ? 21ms : 1ms);
    }
    scene.run(20ms);
    EXPECT_EQ(answers(), 1U);
  }
}

// A packet may bring the connection ID for the answer behind the question.
TEST(Paths, AChallengeMayComeBeforeTheConnectionIdForItsAnswer) {
  AdversaryConfig config;
  config.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 4; };
  Scene scene(Side::server, config);
  const SocketAddress other = scene.adversary.second_address();
  scene.begin();
  Octets unused;  // An ID of the victim's, so that this is a move of the peer's own making.
  scene.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
    const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
    if (one == nullptr) return;
    const Bytes id = one->connection_id.bytes();
    unused.assign(id.begin(), id.end());
  });
  ASSERT_FALSE(unused.empty());
  const Octets frames = join({{0x1a}, Octets(8, 7), {0x18, 1, 0, 8}, Octets(8, 1), Octets(16, 1)});
  scene.adversary.send_raw(scene.adversary.packet(kOneRtt, frames, {.dcid = unused}), other);
  scene.run(20ms);
  const auto response = scene.adversary.last<wire::PathResponseFrame>();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(equal(response->data, Octets(8, 7)));
}

// [rfc9000-9-3]: who moves though it may not is not told by a stateless reset.
TEST(Paths, AMoveThatIsNotAllowedIsNoReasonForAReset) {
  PeerConfig ours = small_limits();
  ours.endpoint.connection.disable_active_migration = true;
  Elsewhere scene(ours);
  scene.send(join({kPing, zeros(1'300)}));
  scene.scene.run(3s);
  EXPECT_EQ(scene.scene.victim.endpoint().stats().stateless_resets_sent, 0U);
  EXPECT_TRUE(scene.scene.alive(kOneRtt));
}

// [rfc9000-5.1.2-7] [rfc9000-19.15-9]: whatever ID is given up is told, however it comes to that.
TEST(Paths, ConnectionIdsAreRetiredAloud) {
  for (const Side side : {Side::client, Side::server}) {
    Scene scene(side);
    scene.begin();
    std::set<std::uint64_t> retired;
    const auto id = [](u8 sequence, u8 prior) {
      return join({{0x18, sequence, prior, 8}, Octets(8, sequence), Octets(16, sequence)});
    };
    scene.send(kOneRtt, id(1, 1));  // The ID in use.
    scene.send(kOneRtt, id(3, 3));  // One that was never used, and one that has not come:
    scene.send(kOneRtt, id(2, 0));
    scene.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
      const auto* const one = std::get_if<wire::RetireConnectionIdFrame>(&frame);
      if (one != nullptr) retired.insert(one->sequence_number);
    });
    EXPECT_EQ(retired, (std::set<std::uint64_t>{0, 1, 2}));
    EXPECT_TRUE(scene.alive(kOneRtt));
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
  Scene scene(Side::client, {}, ours);
  scene.begin();
  EXPECT_TRUE(scene.alive(kOneRtt));
  EXPECT_EQ(scene.adversary.count<wire::NewConnectionIdFrame>(), 0U);  // [rfc9000-19.15-2]
}

}  // namespace
}  // namespace qpeer::sim
