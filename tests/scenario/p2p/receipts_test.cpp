// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Receipts: a message or an answer counts as sent once the peer has the whole of it in its inbox, and
// what comes of peers that lie about that or say nothing.
#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "qpeer/p2p/receipt_book.hpp"
#include "qpeer/p2p/stream_prefix.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::PeerError;
using p2p::Role;

constexpr std::size_t kKiB = 1 << 10;

// What the transport of the receiver has acknowledged, and the receiver has no room for, is lost with
// the link.
SIMULATE_PEERS(Receipts, WhatCountsAsSentOutlastsTheLink) {
  SimPeerConfig small;
  small.node.max_inbox_bytes = 2 * kKiB;
  small.node.max_message_size = 2 * kKiB;
  auto& a = network.node();
  auto& b = network.node(small);
  b.takes_messages = false;
  ASSERT_TRUE(network.links(a, b));
  for (int i = 0; i < 60; ++i) a.sends(b, std::string(1 * kKiB, 'm'));
  run_for(5s);
  const std::size_t sent = a.sent.size();
  a.node().disconnect(network.now(), b.id());
  a.wake();
  ASSERT_TRUE(run_until([&] { return !b.losses.empty(); }, 5s));
  b.takes_all_messages();
  EXPECT_GE(sent, 1U);
  EXPECT_EQ(b.messages.size(), sent);
  EXPECT_EQ(a.sent.size(), sent);
  ASSERT_EQ(a.failed.size(), 60 - sent);
  for (const auto& failed : a.failed) EXPECT_EQ(failed.error, PeerError::link_lost);
}

// Halves of another node's answer fill the inbox of the client.
SIMULATE_PEERS(Receipts, AnAnswerCountsAsSentWhenTheClientHasIt) {
  SimPeerConfig small;
  small.node.max_message_size = 4 * kKiB;
  small.node.max_inbox_bytes = 4 * kKiB;
  small.node.max_inbox_total = 4 * kKiB;
  auto& node = network.node();
  MaliciousPeer other(network);
  auto& client = network.client(small);
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.node().connect(network.now(), other.candidate());
  client.wake();
  ASSERT_TRUE(run_until([&] { return client.links_up == 2; }, 5s));
  const auto asked = client.node().request(network.now(), other.id(), {'?'});
  ASSERT_TRUE(asked);
  client.wake();
  run_for(100ms);
  auto& line = *other.accepted().back();
  ASSERT_EQ(line.received.size(), 1U);
  other.writes(line, line.received.begin()->first, std::string(4 * kKiB, 'h'));
  run_for(100ms);
  client.requests(node, "and you?");
  run_for(1s);
  ASSERT_EQ(node.asked.size(), 1U);
  client.node().disconnect(network.now(), node.id());
  client.wake();
  ASSERT_TRUE(run_until([&] { return !node.losses.empty(); }, 5s));
  EXPECT_TRUE(client.responses.empty());
  EXPECT_TRUE(node.sent.empty());
  EXPECT_EQ(node.failed.size(), 1U);
}

// The acknowledgement of a single packet may be delayed; a receipt is not.
SIMULATE_PEERS(Receipts, MessagesOneAfterTheOtherTakeARoundTripEach) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 1ms});
  ASSERT_TRUE(network.links(a, b));
  run_for(1s);
  constexpr std::size_t kMessages = 100;
  const Instant began = network.now();
  for (std::size_t i = 0; i < kMessages; ++i) {
    a.sends(b, "next");
    ASSERT_TRUE(run_until([&] { return a.sent.size() == i + 1; }, 1s));
  }
  const Duration each = (network.now() - began) / kMessages;
  EXPECT_LE(each, 2100us) << "a round trip of two milliseconds";
}

SIMULATE_PEERS(Receipts, AnswersOneAfterTheOtherTakeARoundTripEach) {
  auto& node = network.node();
  auto& client = network.client();
  network.connect(node.host(), client.host(), Link{.delay = 1ms});
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  run_for(1s);
  client.requests(node, "next");
  const Instant began = network.now();
  ASSERT_TRUE(run_until([&] { return node.sent.size() == 1; }, 1s));
  EXPECT_LE(network.now() - began, 3100us) << "question, answer and receipt";
}

SIMULATE_PEERS(Receipts, OfWhoLeavesWithTheAnswerGoOutFirst) {
  auto& node = network.node();
  auto& client = network.client();
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.observes = [&](const p2p::NodeEvent& event) {
    if (std::holds_alternative<p2p::Response>(event)) client.shuts_down();
  };
  client.requests(node, "and goodbye");
  const Instant began = network.now();
  ASSERT_TRUE(run_until([&] { return client.node().is_idle(); }, 5s));
  EXPECT_LE(network.now() - began, 1s) << "nothing is left to wait for";
  EXPECT_EQ(client.responses.size(), 1U);
  EXPECT_EQ(node.sent.size(), 1U);
  EXPECT_TRUE(node.failed.empty());
}

// --- peers of minor version 0 --------------------------------------------------------------------

SIMULATE_PEERS(Receipts, APeerWithoutThemGetsNoneAndNeedNotSendAny) {
  auto& node = network.node();
  MaliciousPeerConfig config;
  config.minor = 0;
  MaliciousPeer old(network, config);
  ASSERT_TRUE(old.links(node));
  ASSERT_TRUE(node.node().send(network.now(), old.id(), std::vector<u8>{1}));
  node.wake();
  EXPECT_TRUE(run_until([&] { return node.sent.size() == 1; }, 1s));
  auto& line = old.lines.front();
  old.writes(line, old.opens(line, false).value(), std::string_view("\0hello", 6), true);
  EXPECT_TRUE(run_until([&] { return node.messages.size() == 1; }, 1s));
  run_for(1s);
  EXPECT_TRUE(old.received<p2p::Receipts>(line).empty());
}

// --- peers that lie ------------------------------------------------------------------------------

/// A node that is linked to a peer, and sends it one message which the peer does not confirm.
struct LyingPeer {
  explicit LyingPeer(PeerWorld& world) : network(world), node(world.node()), peer(world) {
    peer.config.sends_receipts = false;
  }
  [[nodiscard]] bool begins() {
    if (!peer.links(node)) return false;
    if (!node.node().send(network.now(), peer.id(), {1, 2, 3})) return false;
    node.wake();
    line = peer.accepted().front();
    return network.run_until([&] { return line->received_whole.size() == 1; }, 1s);
  }
  void confirms(MaliciousPeer::Line& on, std::vector<StreamId> streams) {
    p2p::Receipts receipts;
    for (const StreamId stream : streams) receipts.streams.push_back(stream);
    peer.send_control(on, receipts);
  }
  [[nodiscard]] bool is_thrown_out(const MaliciousPeer::Line& from) const {
    return network.run_until(MaliciousPeer::closed_with(from, ErrorCode::role_violation), 1s);
  }
  [[nodiscard]] StreamId message() const { return line->received_whole.front(); }

  PeerWorld& network;
  SimPeer& node;
  MaliciousPeer peer;
  MaliciousPeer::Line* line = nullptr;  ///< That the node dialled.
};

SIMULATE_PEERS(Receipts, BeforeTheEndOfTheLinkCount) {
  LyingPeer lying(network);
  ASSERT_TRUE(lying.begins());
  EXPECT_TRUE(lying.node.sent.empty());
  lying.confirms(*lying.line, {lying.message()});
  ASSERT_TRUE(run_until([&] { return lying.node.sent.size() == 1; }, 1s));
  EXPECT_FALSE(lying.line->closed);
  EXPECT_EQ(lying.node.node().stats().outbox_bytes, 0U);
}

SIMULATE_PEERS(Receipts, ForWhatWasNeverOpenedEndTheConnection) {
  LyingPeer lying(network);
  ASSERT_TRUE(lying.begins());
  const std::uint64_t next = lying.message().index() + 1;
  lying.confirms(*lying.line, {StreamId::make(Side::client, false, next)});
  EXPECT_TRUE(lying.is_thrown_out(*lying.line));
  ASSERT_EQ(lying.node.failed.size(), 1U);
  EXPECT_EQ(lying.node.failed[0].error, PeerError::link_lost);
}

SIMULATE_PEERS(Receipts, ForTheSecondTimeEndTheConnection) {
  LyingPeer lying(network);
  ASSERT_TRUE(lying.begins());
  lying.confirms(*lying.line, {lying.message()});
  ASSERT_TRUE(run_until([&] { return lying.node.sent.size() == 1; }, 1s));
  lying.confirms(*lying.line, {lying.message()});
  EXPECT_TRUE(lying.is_thrown_out(*lying.line));
  EXPECT_EQ(lying.node.sent.size(), 1U);
}

SIMULATE_PEERS(Receipts, OfTheWrongDirectionEndTheConnection) {
  LyingPeer lying(network);
  ASSERT_TRUE(lying.begins());
  auto& dialled = lying.peer.lines.front();
  const StreamId ours = lying.peer.opens(dialled, false).value();
  lying.peer.writes(dialled, ours, std::string_view("\0mine", 5), true);
  ASSERT_TRUE(run_until([&] { return lying.node.messages.size() == 1; }, 1s));
  lying.confirms(dialled, {ours});
  EXPECT_TRUE(lying.is_thrown_out(dialled));
}

SIMULATE_PEERS(Receipts, ForHalfAMessageEndTheConnection) {
  auto& node = network.node();
  MaliciousPeerConfig config;
  config.reads = false;
  config.connection.streams.stream_receive_window = 4 * kKiB;
  config.connection.streams.initial_receive_window = 16 * kKiB;
  MaliciousPeer peer(network, config);
  ASSERT_TRUE(peer.links(node));
  ASSERT_TRUE(node.node().send(network.now(), peer.id(), std::vector<u8>(8 << 20)));
  node.wake();
  auto& line = *peer.accepted().front();
  ASSERT_TRUE(run_until([&] { return !line.unread.empty(); }, 1s));
  p2p::Receipts receipts;
  receipts.streams.push_back(*line.unread.begin());
  peer.send_control(line, receipts);
  EXPECT_TRUE(run_until(peer.closed_with(line, ErrorCode::role_violation), 1s));
  EXPECT_TRUE(node.sent.empty());
}

SIMULATE_PEERS(Receipts, OfWhatWasCancelledMayComeLate) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 10ms});
  ASSERT_TRUE(network.links(a, b));
  for (int i = 0; i < 20; ++i) {
    const auto id = a.sends(b, "never mind");
    run_for(std::chrono::milliseconds(i));
    a.node().cancel(network.now(), id);
    a.wake();
    run_for(100ms);
  }
  EXPECT_TRUE(a.losses.empty());
  EXPECT_FALSE(b.messages.empty()) << "some were on their way";
  a.sends(b, "this one");
  EXPECT_TRUE(run_until([&] { return a.sent.size() == 1; }, 1s));
}

// --- peers that say nothing ----------------------------------------------------------------------

SIMULATE_PEERS(Receipts, OfAPeerThatSendsNoneMessagesFailInBoundedMemory) {
  SimPeerConfig small;
  small.node.max_queued_bytes = 64 * kKiB;
  small.node.message_timeout = 10s;
  auto& node = network.node(small);
  MaliciousPeerConfig config;
  config.sends_receipts = false;
  MaliciousPeer peer(network, config);
  ASSERT_TRUE(peer.links(node));
  std::size_t queued = 0;
  for (int second = 0; second < 30; ++second) {
    while (node.node().send(network.now(), peer.id(), std::vector<u8>(4 * kKiB))) ++queued;
    EXPECT_LE(node.node().stats().outbox_bytes, 64 * kKiB + 16 * 256U);
    node.wake();
    run_for(1s);
  }
  EXPECT_GE(queued, 32U) << "what has failed makes room";
  run_for(15s);
  EXPECT_TRUE(node.sent.empty());
  ASSERT_EQ(node.failed.size(), queued);
  for (const auto& failed : node.failed) EXPECT_EQ(failed.error, PeerError::timed_out);
  EXPECT_EQ(node.node().stats().outbox_bytes, 0U);
  EXPECT_EQ(peer.accepted().front()->received_whole.size(), queued) << "though it has them all";
  EXPECT_TRUE(node.losses.empty());
}

// A sender that grants no credit on its control stream cannot make us keep receipts without end.
SIMULATE_PEERS(Receipts, OfASenderThatReadsNoneNoFurtherMessagesAreRead) {
  SimPeerConfig small;
  small.node.connection.streams.send_buffer = 2 * kKiB;
  auto& node = network.node(small);
  MaliciousPeerConfig config;
  config.reads_control = false;
  config.connection.streams.stream_receive_window = 2 * kKiB;
  MaliciousPeer sender(network, config);
  auto& line = sender.dial(node);
  ASSERT_TRUE(run_until([&] { return node.is_linked(); }, 5s));
  constexpr std::array<u8, 1> kEmpty{p2p::kMessageStream};
  std::size_t sent = 0;
  for (int round = 0; round < 300; ++round) {
    while (const auto stream = sender.opens(line, false)) {
      sender.writes(line, *stream, Bytes(kEmpty), true);
      ++sent;
    }
    run_for(10ms);
  }
  const std::size_t read = node.messages.size();
  EXPECT_GE(read, p2p::ReceiptBook::kMaxOwed);
  EXPECT_LE(read, 5'000U) << "two bytes each for 2 KiB here and 2 KiB there, and what is owed";
  EXPECT_GT(sent, read) << "flow control holds the sender back";
  EXPECT_LE(sent, read + 100);
  // Others are heard, and so is this one when it reads.
  auto& honest = network.node();
  ASSERT_TRUE(network.links(honest, node));
  honest.sends(node, "and I?");
  EXPECT_TRUE(run_until([&] { return honest.sent.size() == 1; }, 1s));
  sender.reads_control_of(line);
  EXPECT_TRUE(run_until([&] { return node.messages.size() == sent + 1; }, 5s));
  const auto confirmed = [&] {
    std::size_t out = 0;
    for (const auto& each : sender.received<p2p::Receipts>(line)) out += each.streams.size();
    return out;
  };
  EXPECT_TRUE(run_until([&] { return confirmed() == sent; }, 5s)) << confirmed();
}

}  // namespace
}  // namespace qpeer::sim
