// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ControlChannel: the introduction comes first and once, what waits is bounded, one proof is sent.
#include "qpeer/p2p/control_channel.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/unit/p2p/encoded_control.hpp"
#include "qpeer/tests/unit/p2p/fake_connection.hpp"

namespace qpeer::p2p {
namespace {

constexpr StreamId kStream{0};

class ControlChannelTest : public testing::Test {
 protected:
  ControlChannelTest() { channel.open(kStream); }
  ~ControlChannelTest() override { EXPECT_TRUE(channel.consistent()); }

  ControlChannel::Received receive(const ControlMessage& message) {
    connection.receives(kStream, encoded(message));
    channel.begin_turn();
    return channel.receive(connection);
  }
  const std::vector<u8>& written() { return connection.streams[kStream].written; }

  FakeConnection connection;
  sim::SeededRandom random{7};
  ControlChannel channel;
};

template <class T>
bool is(const ControlChannel::Received& received) {
  const auto* message = std::get_if<ControlMessage>(&received);
  return message != nullptr && std::holds_alternative<T>(*message);
}

ErrorCode fault_of(const ControlChannel::Received& received) {
  const auto* fault = std::get_if<ControlChannel::Fault>(&received);
  return fault == nullptr ? ErrorCode::none : fault->code;
}

TEST_F(ControlChannelTest, GivesTheIntroductionAndWhatFollows) {
  EXPECT_TRUE(is<Introduction>(receive(Introduction{.role = Role::node, .max_message_size = 100})));
  ASSERT_TRUE(channel.peer_introduction());
  EXPECT_EQ(channel.peer_introduction()->role, Role::node);
  EXPECT_TRUE(is<Proof>(receive(Proof{.nonce = {1}})));
  EXPECT_TRUE(is<VerdictMessage>(receive(VerdictMessage{})));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(channel.receive(connection)));
  EXPECT_TRUE(channel.accepts_size(100));
  EXPECT_FALSE(channel.accepts_size(101));
}

TEST_F(ControlChannelTest, RefusesWhatComesBeforeTheIntroduction) {
  EXPECT_EQ(fault_of(receive(Proof{})), ErrorCode::role_violation);
}

TEST_F(ControlChannelTest, RefusesASecondIntroduction) {
  EXPECT_TRUE(is<Introduction>(receive(Introduction{})));
  EXPECT_EQ(fault_of(receive(Introduction{})), ErrorCode::role_violation);
}

TEST_F(ControlChannelTest, AnotherMajorVersionIsAFaultAndNoViolation) {
  const auto received = receive(Introduction{.major = kProtocolMajor + 1});
  ASSERT_EQ(fault_of(received), ErrorCode::unsupported_version);
  EXPECT_FALSE(std::get<ControlChannel::Fault>(received).is_violation());
  EXPECT_FALSE(channel.peer_introduction());
}

TEST_F(ControlChannelTest, RefusesWhatCannotBeRead) {
  connection.receives(kStream, {1, 1, 255});
  EXPECT_EQ(fault_of(channel.receive(connection)), ErrorCode::malformed);
}

TEST_F(ControlChannelTest, GivesNothingAfterItsFinish) {
  channel.finish(&connection);
  EXPECT_TRUE(connection.streams[kStream].finished);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(receive(Proof{})));
  EXPECT_TRUE(connection.streams[kStream].incoming.empty());
}

TEST_F(ControlChannelTest, ATurnEndsAfterItsShareOfMessages) {
  EXPECT_TRUE(is<Introduction>(receive(Introduction{})));
  for (std::size_t i = 0; i <= ControlReader::kMessagesPerTurn; ++i) {
    connection.receives(kStream, encoded(Proof{}));
  }
  channel.begin_turn();
  for (std::size_t i = 0; i < ControlReader::kMessagesPerTurn; ++i) {
    EXPECT_TRUE(is<Proof>(channel.receive(connection)));
  }
  EXPECT_TRUE(std::holds_alternative<ControlChannel::TurnOver>(channel.receive(connection)));
  channel.begin_turn();
  EXPECT_TRUE(is<Proof>(channel.receive(connection)));
}

TEST_F(ControlChannelTest, EachIntroductionHasANonceOfItsOwn) {
  channel.introduce(&connection, {.role = Role::node}, random);
  Introduction expected{.role = Role::node, .nonce = channel.nonce()};
  EXPECT_EQ(written(), encoded(expected));
  ControlChannel other;
  other.open(kStream);
  other.introduce(&connection, {.role = Role::node}, random);
  EXPECT_NE(other.nonce(), channel.nonce());
}

TEST_F(ControlChannelTest, SendsOneProof) {
  channel.send_proof(&connection, {1});
  channel.send_proof(&connection, {2});
  EXPECT_EQ(written(), encoded(Proof{.nonce = {1}}));
}

TEST_F(ControlChannelTest, WhatFindsNoRoomIsWrittenLaterAndThenTheEnd) {
  connection.write_room = 5;
  channel.send(&connection, Proof{.nonce = {1}});
  channel.finish(&connection);
  EXPECT_EQ(written().size(), 5U);
  EXPECT_FALSE(connection.streams[kStream].finished);
  connection.write_room = 100;
  channel.write(&connection);
  EXPECT_EQ(written(), encoded(Proof{.nonce = {1}}));
  EXPECT_TRUE(connection.streams[kStream].finished);
}

TEST_F(ControlChannelTest, WhatIsSentBeforeThereIsAStreamWaits) {
  ControlChannel early;
  early.send(&connection, Proof{});
  EXPECT_TRUE(written().empty());
  early.open(kStream);
  early.write(&connection);
  EXPECT_EQ(written(), encoded(Proof{}));
}

TEST_F(ControlChannelTest, APeerThatReadsNothingMakesItKeepLittle) {
  connection.write_room = 0;
  for (int i = 0; i < 10'000; ++i) channel.send(&connection, Proof{});
  connection.write_room = 1'000'000;
  channel.write(&connection);
  EXPECT_LE(written().size(), ControlChannel::kMaxUnsent);
  EXPECT_GT(written().size(), ControlChannel::kMaxUnsent - 100);
}

TEST_F(ControlChannelTest, ReceiptsGoTogetherAndNoneIsDropped) {
  EXPECT_FALSE(channel.peer_sends_receipts());
  EXPECT_TRUE(is<Introduction>(receive(Introduction{})));
  EXPECT_TRUE(channel.peer_sends_receipts());
  Receipts both;
  for (const std::uint64_t id : {2, 6}) {
    channel.owe_receipt(&connection, {id});
    both.streams.push_back({id});
  }
  EXPECT_TRUE(written().empty());
  channel.write(&connection);
  EXPECT_EQ(written(), encoded(both));
  // Without room they wait, whatever else is dropped.
  connection.write_room = 0;
  for (int i = 0; i < 10'000; ++i) channel.send(&connection, Proof{});
  channel.owe_receipt(&connection, {10});
  connection.write_room = 1'000'000;
  channel.write(&connection);
  Receipts last;
  last.streams.push_back({10});
  const auto expected = encoded(last);
  ASSERT_GT(written().size(), expected.size());
  EXPECT_TRUE(equal(Bytes(written()).last(expected.size()), expected));
}

TEST_F(ControlChannelTest, AFullMessageOfReceiptsGoesAtOnce) {
  EXPECT_TRUE(is<Introduction>(receive(Introduction{})));
  for (std::uint64_t i = 0; i < kMaxReceipts; ++i) channel.owe_receipt(&connection, {4 * i + 2});
  EXPECT_FALSE(written().empty());
  EXPECT_FALSE(channel.receipts().is_owing());
}

TEST_F(ControlChannelTest, PeersRequestsAreBoundedInNumberAndInTime) {
  EXPECT_TRUE(is<Introduction>(receive(Introduction{})));
  Instant now{1s};
  EXPECT_TRUE(channel.admit_peers_request(now));
  EXPECT_FALSE(channel.admit_peers_request(now));
  EXPECT_TRUE(channel.admit_peers_request(now + ControlChannel::kPeersInterval));
  std::size_t admitted = 2;
  for (int i = 0; i < 1'000; ++i) admitted += channel.admit_peers_request(now += 10s) ? 1 : 0;
  EXPECT_EQ(admitted, ControlChannel::kMaxPeersRequests - 1);
}

}  // namespace
}  // namespace qpeer::p2p
