// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Introductions and roles, against a peer that keeps to no rule.
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/unit/p2p/encoded_control.hpp"

namespace qpeer::sim {
namespace {

using p2p::encoded;
using p2p::ErrorCode;
using p2p::Role;
using p2p::Verdict;

/// Says nothing by itself.
MaliciousPeerConfig silent() {
  return {.introduces = false, .proves = false, .verdict = std::nullopt};
}

MaliciousPeerConfig a_client() { return {.role = Role::client}; }

SIMULATE_PEERS(Introductions, OneThatIsCutIsMalformed) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  constexpr std::array<u8, 5> kCut{1, 3, 1, 0, 1};  // A body of three bytes.
  attacker.send_bytes(line, kCut);
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::malformed), 1s));
  EXPECT_EQ(node.node().stats().violations, 1U);
  EXPECT_EQ(node.node().stats().connections, 0U);
}

SIMULATE_PEERS(Introductions, BytesAfterTheLastAreMalformed) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  auto bytes = encoded(attacker.introduction(line));
  bytes[1] += 1;  // The length, which is one byte of a varint.
  bytes.push_back(7);
  attacker.send_bytes(line, bytes);
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::malformed), 1s));
}

SIMULATE_PEERS(Introductions, OneThatIsTooLongIsNotGathered) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  constexpr std::array<u8, 5> kLong{1, 0x80, 0x10, 0, 0};  // A body of a megabyte.
  attacker.send_bytes(line, kLong);
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::message_too_large), 1s));
}

SIMULATE_PEERS(Introductions, ASecondIsAViolation) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return attacker.verdict_on_us(line) == Verdict::reachable; }, 5s));
  attacker.send_control(line, attacker.introduction(line));
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::role_violation), 1s));
}

SIMULATE_PEERS(Introductions, AnythingElseFirstIsAViolation) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  attacker.send_control(line, p2p::PeersRequest{});
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::role_violation), 1s));
}

SIMULATE_PEERS(Introductions, WhoeverDialsAndSaysNothingIsTurnedOut) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  const Duration limit = node.config.node.introduction_timeout;
  run_for(limit - 100ms);
  EXPECT_FALSE(line.closed);
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::introduction_timeout), 300ms));
}

SIMULATE_PEERS(Introductions, WhoeverAnswersAndSaysNothingIsLeft) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  node.bootstraps({attacker.candidate()});
  ASSERT_TRUE(run_until([&] { return !attacker.accepted().empty(); }, 5s));
  EXPECT_TRUE(
      run_until(attacker.closed_with(*attacker.accepted()[0], ErrorCode::introduction_timeout),
                node.config.node.introduction_timeout + 500ms));
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 1s));
  EXPECT_EQ(node.bootstrap_failures[0].failures[0].why, "no introduction in time");
}

SIMULATE_PEERS(Introductions, AnotherMajorIsRefusedWithAReason) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.major = 2});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unsupported_version), 5s));
  EXPECT_NE(line.closed->reason.find("version 1"), std::string::npos) << line.closed->reason;
}

SIMULATE_PEERS(Introductions, AnotherMajorOfWhomWeDialledIsNamed) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.major = 2});
  node.bootstraps({attacker.candidate()});
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 5s));
  EXPECT_EQ(node.bootstrap_failures[0].failures[0].why, "it speaks version 2 of the peer protocol");
}

SIMULATE_PEERS(Introductions, ANewerMinorMayAddBytes) {
  auto& node = network.node();
  MaliciousPeerConfig newer = silent();
  newer.minor = p2p::kProtocolMinor + 1;
  newer.role = Role::client;
  MaliciousPeer attacker(network, newer);
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  auto bytes = encoded(attacker.introduction(line));
  bytes[1] += 3;
  bytes.insert(bytes.end(), {1, 2, 3});
  attacker.send_bytes(line, bytes);
  EXPECT_TRUE(run_until([&] { return node.node().link(attacker.id()).has_value(); }, 1s));
  EXPECT_FALSE(line.closed);
}

SIMULATE_PEERS(Introductions, ARoleMayChangeWithANewConnection) {
  auto& node = network.node();
  MaliciousPeer attacker(network, a_client());
  auto& first = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return first.theirs && node.is_linked(); }, 5s));
  EXPECT_EQ(node.node().link(attacker.id())->role, Role::client);
  attacker.config.role = Role::node;
  ASSERT_TRUE(attacker.links(node));
  EXPECT_EQ(node.node().link(attacker.id())->role, Role::node);
  EXPECT_TRUE(attacker.is_closed_with(first, ErrorCode::replaced));
  EXPECT_EQ(node.node().stats().links, 1U);
}

// --- streams that a role forbids -----------------------------------------------------------------

SIMULATE_PEERS(Roles, ANodeMayNotOpenABidirectionalStream) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& line = attacker.lines[0];
  attacker.writes(line, *attacker.opens(line, true), "hello");
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::role_violation), 1s));
  EXPECT_TRUE(node.asked.empty());
}

SIMULATE_PEERS(Roles, AClientMayNotOpenAUnidirectionalStream) {
  auto& node = network.node();
  MaliciousPeer attacker(network, a_client());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
  attacker.writes(line, *attacker.opens(line, false), "hello");
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::role_violation), 1s));
  EXPECT_TRUE(node.messages.empty());
}

SIMULATE_PEERS(Roles, WhoeverAcceptsMayOpenNoStream) {
  for (const bool bidirectional : {false, true}) {
    auto& node = network.node();
    MaliciousPeer attacker(network);
    ASSERT_TRUE(attacker.links(node));
    auto& accepted = *attacker.accepted().at(0);
    attacker.writes(accepted, attacker.opens(accepted, bidirectional).value(), "hello");
    EXPECT_TRUE(run_until(attacker.closed_with(accepted, ErrorCode::role_violation), 1s))
        << (bidirectional ? "bidirectional" : "unidirectional");
    EXPECT_TRUE(node.messages.empty());
  }
}

SIMULATE_PEERS(Roles, AClientIsNoAcceptor) {
  auto& node = network.node();
  MaliciousPeer attacker(network, a_client());
  node.bootstraps({attacker.candidate()});
  ASSERT_TRUE(run_until([&] { return !attacker.accepted().empty(); }, 5s));
  EXPECT_TRUE(
      run_until(attacker.closed_with(*attacker.accepted()[0], ErrorCode::role_violation), 1s));
  EXPECT_FALSE(node.is_linked());
  EXPECT_EQ(node.cache().size(), 0U);
}

SIMULATE_PEERS(Roles, NobodyIsJudgedUnasked) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
  attacker.send_control(line, p2p::VerdictMessage{});
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::role_violation), 1s));
}

// --- application data that comes too early -------------------------------------------------------

constexpr std::string_view kEarly{"\0early", 6};

SIMULATE_PEERS(EarlyData, WaitsForTheProof) {
  auto& node = network.node();
  MaliciousPeer attacker(network, silent());
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  attacker.writes(line, *attacker.opens(line, false), kEarly, true);  // Before the introduction.
  run_for(1s);
  EXPECT_FALSE(line.closed);
  attacker.config.introduces = true;
  attacker.send_control(line, attacker.introduction(line));
  attacker.writes(line, *attacker.opens(line, false), kEarly, true);  // Before the verdict.
  ASSERT_TRUE(run_until([&] { return !attacker.accepted().empty(); }, 2s));
  run_for(1s);
  EXPECT_TRUE(node.messages.empty()) << "nothing is delivered before the proof";
  auto& back = *attacker.accepted()[0];
  attacker.send_control(back, p2p::Proof{.nonce = line.theirs.value().nonce});
  run_for(1s);
  EXPECT_TRUE(node.messages.empty()) << "nor before the link is up";
  attacker.send_control(back, p2p::VerdictMessage{});
  EXPECT_TRUE(run_until([&] { return node.messages.size() == 2; }, 1s));
  EXPECT_EQ(as_text(node.messages.at(0).data), "early");
}

SIMULATE_PEERS(EarlyData, IsGoneWhenTheProofFails) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.proves = false});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  attacker.writes(line, *attacker.opens(line, false), kEarly, true);
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 10s));
  EXPECT_EQ(attacker.verdict_on_us(line), Verdict::another_peer_answered);
  EXPECT_TRUE(node.messages.empty());
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U);
}

SIMULATE_PEERS(EarlyData, IsBoundedByFlowControl) {
  auto& node = network.node();
  MaliciousPeerConfig eager = silent();
  eager.connection.streams.send_buffer = 32 << 20;
  MaliciousPeer attacker(network, eager);
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  const std::vector<u8> much(8 << 20);
  for (int i = 0; i < 4; ++i) attacker.writes(line, *attacker.opens(line, false), much);
  run_for(4s);
  const auto& streams = node.config.node.connection.streams;
  const auto carried = network.pipe(attacker.host(), node.host()).stats.entered_bytes;
  // Nobody reads it, so the window does not grow.
  EXPECT_GT(carried, streams.initial_receive_window) << "it did not even try";
  EXPECT_LT(carried, streams.initial_receive_window + streams.initial_receive_window / 4);
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U);
}

SIMULATE_PEERS(EarlyData, AForbiddenStreamIsFoundWithTheIntroduction) {
  auto& node = network.node();
  MaliciousPeerConfig quiet = silent();
  quiet.role = Role::client;
  MaliciousPeer attacker(network, quiet);
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.connected; }, 5s));
  attacker.writes(line, *attacker.opens(line, false), kEarly, true);
  run_for(100ms);
  attacker.send_control(line, attacker.introduction(line));
  EXPECT_TRUE(run_until(attacker.closed_with(line, ErrorCode::role_violation), 1s));
  EXPECT_TRUE(node.messages.empty());
}

}  // namespace
}  // namespace qpeer::sim
