// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Messages: whole or not at all, in bounded memory, never lost in silence.
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::PeerError;
using p2p::Role;

constexpr std::size_t kKiB = 1 << 10;
constexpr std::size_t kMiB = 1 << 20;

std::string message_of(std::size_t size) { return std::string(size, 'm'); }

SIMULATE_PEERS(Messages, OverOurOwnLimitAreRefusedAtOnce) {
  SimPeerConfig small;
  small.node.max_message_size = 64 * kKiB;
  auto& a = network.node(small);
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  a.sends(b, message_of(64 * kKiB + 1));
  ASSERT_EQ(a.failed.size(), 1U);
  EXPECT_EQ(a.failed[0].error, PeerError::too_large);
  a.sends(b, message_of(64 * kKiB));
  EXPECT_TRUE(run_until([&] { return b.messages.size() == 1 && a.sent.size() == 1; }, 5s));
}

SIMULATE_PEERS(Messages, OverThePeersLimitAreRefusedBeforeTheyLeave) {
  SimPeerConfig small;
  small.node.max_message_size = 64 * kKiB;
  auto& a = network.node();
  auto& b = network.node(small);
  ASSERT_TRUE(network.links(a, b));
  a.sends(b, message_of(64 * kKiB + 1));
  ASSERT_EQ(a.failed.size(), 1U);
  EXPECT_EQ(a.failed[0].error, PeerError::too_large);
  a.sends(b, message_of(64 * kKiB));
  EXPECT_TRUE(run_until([&] { return b.messages.size() == 1; }, 5s)) << "the link goes on";
  EXPECT_TRUE(b.all<p2p::IncomingInterrupted>().empty());
}

// Who queues before it has dialled the peer cannot know.
SIMULATE_PEERS(Messages, OverThePeersLimitFailWhenItIsKnown) {
  SimPeerConfig small;
  small.node.max_message_size = 64 * kKiB;
  auto& a = network.node();
  auto& b = network.node(small);
  b.bootstraps({a});
  ASSERT_TRUE(run_until([&] { return a.node().link(b.id()).has_value(); }, 5s));
  ASSERT_FALSE(a.node().link(b.id())->up);
  a.sends(b, message_of(64 * kKiB + 1));
  a.sends(b, message_of(64 * kKiB));
  ASSERT_TRUE(a.failed.empty());
  ASSERT_TRUE(run_until([&] { return a.failed.size() == 1 && a.sent.size() == 1; }, 5s));
  EXPECT_EQ(a.failed[0].error, PeerError::too_large);
}

SIMULATE_PEERS(Messages, OfWhoDisregardsOurLimitAreInterrupted) {
  SimPeerConfig small;
  small.node.max_message_size = 64 * kKiB;
  auto& node = network.node(small);
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& line = attacker.lines[0];
  EXPECT_EQ(line.theirs->max_message_size, 64 * kKiB);
  const auto stream = attacker.opens(line, false).value();
  attacker.writes(line, stream, std::string(1, '\0') + message_of(8 * kMiB));
  ASSERT_TRUE(run_until([&] { return line.stopped.contains(stream); }, 5s));
  EXPECT_EQ(line.stopped.at(stream), std::to_underlying(p2p::ErrorCode::message_too_large));
  const auto interrupted = node.all<p2p::IncomingInterrupted>();
  ASSERT_EQ(interrupted.size(), 1U);
  EXPECT_EQ(interrupted[0].why, "the message is too large");
  EXPECT_LE(node.node().stats().inbox_bytes, 64 * kKiB);
}

// An answer knows the limit of who asked.
SIMULATE_PEERS(Messages, AnswersOverTheClientsLimitAreRefusedToWhoGivesThem) {
  auto& node = network.node();
  node.answers = false;
  MaliciousPeerConfig small;
  small.role = Role::client;
  small.max_message_size = 1'000;
  MaliciousPeer attacker(network, small);
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
  attacker.writes(line, *attacker.opens(line, true), std::string_view("\0how much?", 10), true);
  std::optional<p2p::Request> request;
  ASSERT_TRUE(run_until(
      [&] { return (request = node.node().next_request(network.now())).has_value(); }, 5s));
  const auto refused = node.node().reply(network.now(), request->id, std::vector<u8>(1'001));
  EXPECT_EQ(refused.error(), PeerError::too_large);
  EXPECT_TRUE(node.node().reply(network.now(), request->id, std::vector<u8>(1'000)));
}

SIMULATE_PEERS(Messages, AnEmptyOneIsOne) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  a.sends(b, "");
  EXPECT_TRUE(run_until([&] { return b.messages.size() == 1 && a.sent.size() == 1; }, 5s));
  EXPECT_TRUE(b.messages.at(0).data.empty());
}

// A stream may be known before its only byte comes.
SIMULATE_PEERS(Messages, AnEmptyOneIsOneHoweverItComes) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& line = attacker.lines[0];
  const auto message = attacker.opens(line, false).value();
  const auto raw = attacker.opens(line, false).value();
  const auto last = attacker.opens(line, false).value();
  attacker.writes(line, last, std::string_view("\0last", 5), true);
  ASSERT_TRUE(run_until([&] { return node.messages.size() == 1; }, 2s));
  attacker.writes(line, message, std::string_view("\0", 1), true);
  attacker.writes(line, raw, std::string_view("\1", 1), true);
  ASSERT_TRUE(run_until([&] { return node.messages.size() == 2; }, 2s));
  EXPECT_TRUE(node.messages[1].data.empty());
  run_for(1s);
  const auto stream = node.node().next_stream(network.now());
  ASSERT_TRUE(stream);
  const auto view = node.node().peek(stream->id);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->data.empty());
  EXPECT_TRUE(view->fin);
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U);
}

SIMULATE_PEERS(Messages, ManyOfAllSizesArriveOnceOverALossyLink) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(),
                  Link{.delay = 20ms, .jitter = 3ms, .loss = 0.05, .reorder = 0.05});
  ASSERT_TRUE(network.links(a, b));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    const std::size_t size = (i * 7'919) % 30'000;
    bytes += size;
    a.sends(b, message_of(size));
  }
  EXPECT_TRUE(a.failed.empty());
  ASSERT_TRUE(run_until([&] { return a.sent.size() == 100; }, 200s));
  EXPECT_EQ(b.messages.size(), 100U);
  EXPECT_TRUE(b.all<p2p::IncomingInterrupted>().empty());
  std::size_t arrived = 0;
  for (const auto& message : b.messages) arrived += message.data.size();
  EXPECT_EQ(arrived, bytes);
}

SIMULATE_PEERS(Messages, OneThatNeverEndsIsInterruptedInBoundedMemory) {
  SimPeerConfig small;
  small.node.max_inbox_bytes = 2 * kMiB;
  small.node.max_message_size = 1 * kMiB;
  small.node.message_timeout = 20s;
  auto& node = network.node(small);
  MaliciousPeerConfig config;
  config.connection.streams.send_buffer = 2 * kMiB;
  MaliciousPeer attacker(network, config);
  ASSERT_TRUE(attacker.links(node));
  auto& line = attacker.lines[0];
  std::string half(768 * kKiB, '\0');
  for (int i = 0; i < 16; ++i) {
    if (const auto stream = attacker.opens(line, false)) attacker.writes(line, *stream, half);
  }
  std::size_t most = 0;
  ASSERT_TRUE(run_until(
      [&] {
        most = std::max(most, node.node().stats().inbox_bytes);
        return node.all<p2p::IncomingInterrupted>().size() == 16;
      },
      300s))
      << node.all<p2p::IncomingInterrupted>().size();
  EXPECT_GT(most, 1 * kMiB);
  EXPECT_LE(most, 3 * kMiB + 16 * kKiB);
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U);
  run_for(1s);
  EXPECT_EQ(line.stopped.size(), 16U) << "the sender is told";
  EXPECT_TRUE(node.messages.empty());
}

SIMULATE_PEERS(Messages, ManyOpenStreamsAreNotManyMessages) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& line = attacker.lines[0];
  std::size_t opened = 0;
  for (int i = 0; i < 5'000; ++i) {
    const auto stream = attacker.opens(line, false);
    if (!stream) break;
    ++opened;
    attacker.writes(line, *stream, std::string_view("\0", 1));
  }
  EXPECT_LE(opened, node.config.node.connection.streams.max_streams_uni);
  run_for(node.config.node.message_timeout + 20s);
  EXPECT_EQ(node.all<p2p::IncomingInterrupted>().size(), opened);
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U);
}

SIMULATE_PEERS(Messages, ASlowReaderHoldsItsSenderBack) {
  SimPeerConfig sending;
  sending.node.max_queued_bytes = 4 * kMiB;
  SimPeerConfig reading;
  reading.node.max_inbox_bytes = 2 * kMiB;
  reading.node.max_message_size = 1 * kMiB;
  auto& a = network.node(sending);
  auto& b = network.node(reading);
  b.takes_messages = false;
  ASSERT_TRUE(network.links(a, b));
  std::size_t queued = 0;
  const auto send_until_full = [&] {
    while (a.failed.empty()) {
      a.sends(b, message_of(256 * kKiB));
      queued += a.failed.empty() ? 1 : 0;
    }
  };
  for (int i = 0; i < 40 && a.failed.empty(); ++i) {
    send_until_full();
    if (a.failed[0].error != PeerError::queue_full) break;
    run_for(200ms);
    // The receiver takes what it has room for; then nothing moves any more.
    if (!a.all<p2p::Writable>().empty() && i < 20) {
      a.failed.clear();
      a.events.clear();
    }
  }
  ASSERT_EQ(a.failed.size(), 1U);
  EXPECT_EQ(a.failed[0].error, PeerError::queue_full);
  EXPECT_LE(b.node().stats().inbox_bytes, 3 * kMiB + 64 * kKiB);
  EXPECT_LE(queued * 256 * kKiB, 16 * kMiB) << "the sender is not held back";
  const std::size_t delivered_before = b.messages.size();
  EXPECT_EQ(delivered_before, 0U);
  run_for(5s);
  b.takes_all_messages();
  EXPECT_TRUE(run_until([&] { return !a.all<p2p::Writable>().empty(); }, 5s));
  EXPECT_TRUE(run_until([&] { return b.messages.size() == queued; }, 10s));
  EXPECT_TRUE(run_until([&] { return a.sent.size() == queued; }, 10s));
}

SIMULATE_PEERS(Messages, OneOfASenderThatCrashedIsNeverDeliveredInPart) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 10ms, .rate = 8_mbit});
  ASSERT_TRUE(network.links(a, b));
  a.sends(b, message_of(4 * kMiB));
  run_for(1s);
  EXPECT_GT(b.node().stats().inbox_bytes, 100 * kKiB);
  a.crashes();
  ASSERT_TRUE(run_until([&] { return !b.all<p2p::IncomingInterrupted>().empty(); }, 60s));
  EXPECT_GT(b.all<p2p::IncomingInterrupted>()[0].bytes, 100 * kKiB);
  EXPECT_EQ(b.all<p2p::IncomingInterrupted>()[0].from, a.id());
  EXPECT_TRUE(b.messages.empty());
  EXPECT_EQ(b.node().stats().inbox_bytes, 0U);
}

SIMULATE_PEERS(Messages, OneThatIsCancelledIsInterruptedThere) {
  auto& a = network.node();
  auto& b = network.node();
  network.connect(a.host(), b.host(), Link{.delay = 10ms, .rate = 8_mbit});
  ASSERT_TRUE(network.links(a, b));
  const auto id = a.sends(b, message_of(4 * kMiB));
  run_for(1s);
  a.node().cancel(network.now(), id);
  a.wake();
  ASSERT_TRUE(run_until([&] { return !b.all<p2p::IncomingInterrupted>().empty(); }, 5s));
  a.sends(b, "next");
  EXPECT_TRUE(run_until([&] { return b.messages.size() == 1; }, 5s));
  EXPECT_EQ(as_text(b.messages.at(0).data), "next");
}

SIMULATE_PEERS(Messages, WaitOutAShortOutage) {
  auto& a = network.node();
  auto& b = network.node();
  ASSERT_TRUE(network.links(a, b));
  network.cuts(a.host(), b.host());
  for (int i = 0; i < 10; ++i) a.sends(b, "during the outage");
  run_for(10s);
  network.mends(a.host(), b.host());
  EXPECT_TRUE(run_until([&] { return b.messages.size() == 10 && a.sent.size() == 10; }, 20s));
  EXPECT_TRUE(a.losses.empty());
}

// --- requests ------------------------------------------------------------------------------------

SIMULATE_PEERS(Requests, EachGetsItsOwnAnswer) {
  auto& node = network.node();
  auto& client = network.client();
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  for (std::size_t i = 0; i < 250; ++i) client.requests(node, message_of(i * 100));
  ASSERT_TRUE(run_until([&] { return client.responses.size() == 250; }, 30s));
  for (const auto& response : client.responses) {
    EXPECT_EQ(response.data.size(), (response.id.value - client.responses[0].id.value) * 100);
  }
}

SIMULATE_PEERS(Requests, OneThatIsNeverAnsweredTimesOut) {
  SimPeerConfig hasty;
  hasty.node.message_timeout = 10s;
  auto& node = network.node();
  node.answers = false;
  auto& client = network.client(hasty);
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.requests(node, "anybody?");
  ASSERT_TRUE(run_until([&] { return client.failed.size() == 1; }, 15s));
  EXPECT_EQ(client.failed[0].error, PeerError::timed_out);
}

SIMULATE_PEERS(Requests, FailWhenTheNodeIsGone) {
  auto& node = network.node();
  node.answers = false;
  auto& client = network.client();
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.requests(node, "anybody?");
  run_for(1s);
  node.crashes();
  ASSERT_TRUE(run_until([&] { return client.failed.size() == 1; }, 60s));
  EXPECT_EQ(client.failed[0].error, PeerError::link_lost);
}

SIMULATE_PEERS(Requests, RolesAreKeptBetweenHonestPeersToo) {
  auto& node = network.node();
  auto& other = network.node();
  auto& client = network.client();
  ASSERT_TRUE(network.links(other, node));
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.sends(node, "no");
  node.requests(other, "no");
  node.sends(client, "no");
  ASSERT_EQ(client.failed.size(), 1U);
  EXPECT_EQ(client.failed[0].error, PeerError::wrong_role);
  ASSERT_EQ(node.failed.size(), 2U);
  EXPECT_EQ(node.failed[0].error, PeerError::wrong_role);
  EXPECT_EQ(node.failed[1].error, PeerError::wrong_role);
}

}  // namespace
}  // namespace qpeer::sim
