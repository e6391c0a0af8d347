// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Answers that a client does not read: what is kept of them is bounded, for each client, for each
// network and for all, and beyond it requests are not read.
#include <gtest/gtest.h>

#include <vector>

#include "qpeer/tests/unit/p2p/mailbox_fixture.hpp"

namespace qpeer::p2p {
namespace {

class MailboxAnswersTest : public MailboxTest {
 protected:
  MailboxAnswersTest() {
    config.max_queued_bytes = 4'000;
    config.max_queued_network = 6'000;
    config.max_queued_total = 8'000;
  }

  PeerConnection& client(u8 number, SocketAddress address = {}) {
    PeerConnection& out = connections[linked(number, Role::client).inbound.front()];
    if (address.valid()) out.remote = address;
    return out;
  }
  /// A client at the host of this number in one and the same /24.
  PeerConnection& neighbour(u8 number) {
    return client(number, SocketAddress::ipv4({9, 9, 9, number}, 443));
  }
  StreamId asks(PeerConnection& from) { return arrives(from, {kMessageStream, 1}, true, true); }
  /// Answers all that can be asked with `size` bytes each; how many.
  std::size_t answers_all(std::size_t size) {
    std::size_t out = 0;
    while (const auto request = mailbox.next_request(now)) {
      EXPECT_TRUE(mailbox.reply(now, request->id, Octets(size)));
      EXPECT_TRUE(mailbox.consistent());
      ++out;
    }
    return out;
  }
};

TEST_F(MailboxAnswersTest, BeyondTheShareOfAClientItsRequestsAreNotRead) {
  PeerConnection& greedy = client(1);
  std::vector<StreamId> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(asks(greedy));
  const auto announced = emitted<Incoming>();
  EXPECT_EQ(announced.size(), 10U) << "they came before there was an answer";
  EXPECT_EQ(answers_all(1'000), 4U) << "three of 1,256, and one that goes beyond";
  const StreamId late = asks(greedy);
  EXPECT_EQ(source.of(greedy).streams[late].incoming.size(), 2U) << "it is not read";
  EXPECT_TRUE(emitted<Incoming>().empty());
  // Others are answered.
  asks(client(2));
  EXPECT_EQ(answers_all(1'000), 1U);

  // It reads one: the six that were withheld, and the late one, may have their turn.
  is_confirmed(greedy, streams[0]);
  is_confirmed(greedy, streams[1]);
  EXPECT_TRUE(source.of(greedy).streams[late].incoming.empty());
  EXPECT_FALSE(emitted<Incoming>().empty());
  EXPECT_EQ(answers_all(1'000), 2U);
}

TEST_F(MailboxAnswersTest, ANetworkHasAShare) {
  for (u8 i = 1; i <= 4; ++i) {
    PeerConnection& one = neighbour(i);
    for (int k = 0; k < 3; ++k) asks(one);
  }
  const std::size_t answered = answers_all(1'000);
  EXPECT_EQ(answered, 5U) << "6,000 bytes of 1,256 each, the last goes beyond";
  asks(client(10));
  EXPECT_EQ(answers_all(1'000), 1U) << "another network has room";
}

TEST_F(MailboxAnswersTest, AllTogetherAreBounded) {
  for (u8 i = 2; i <= 10; ++i) {
    PeerConnection& one = client(i);
    for (int k = 0; k < 3; ++k) asks(one);
  }
  (void)answers_all(1'000);
  EXPECT_LE(mailbox.outbox_bytes(), 8'000U + 1'256U);
  EXPECT_GE(mailbox.outbox_bytes(), 8'000U);
  // A peer that goes makes room.
  for (u8 i = 2; i <= 4; ++i) {
    mailbox.on_streams_lost(peers.find(id_of(i))->inbound.front());
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  EXPECT_LT(mailbox.outbox_bytes(), 8'000U);
  EXPECT_GT(answers_all(1'000), 0U);
}

// Streams can be opened to it again at a time when answers to others leave no room.
TEST_F(MailboxAnswersTest, WhoWaitsToSendGoesOnWhenThereIsRoomAgain) {
  PeerConnection& first = client(2);
  std::vector<StreamId> streams;
  for (int k = 0; k < 3; ++k) streams.push_back(asks(first));
  for (u8 i = 3; i <= 4; ++i) {
    PeerConnection& one = client(i);
    for (int k = 0; k < 3; ++k) asks(one);
  }
  (void)answers_all(1'000);
  ASSERT_GE(mailbox.outbox_bytes(), 8'000U);
  const Peer& waits = linked(9);
  mailbox.want_writable(waits.id);
  mailbox.on_can_open(now, waits);
  EXPECT_TRUE(emitted<Writable>().empty());
  for (const StreamId stream : streams) is_confirmed(first, stream);
  const auto writable = emitted<Writable>();
  ASSERT_EQ(writable.size(), 1U);
  EXPECT_EQ(writable[0].peer, waits.id);
}

TEST_F(MailboxAnswersTest, WhoWaitsToSendGoesOnWhenThePeerIsGone) {
  const PeerId peer = linked(9).id;
  mailbox.want_writable(peer);
  mailbox.on_peer_erased(peer);
  EXPECT_EQ(emitted<Writable>().size(), 1U);
}

TEST_F(MailboxAnswersTest, AReplyWithoutRoomMayBeGivenAgain) {
  PeerConnection& one = client(1);
  std::vector<StreamId> streams;
  std::vector<Request> taken;
  for (int i = 0; i < 3; ++i) streams.push_back(asks(one));
  while (auto request = mailbox.next_request(now)) taken.push_back(*request);
  ASSERT_EQ(taken.size(), 3U) << "nothing is answered yet";
  EXPECT_TRUE(mailbox.reply(now, taken[0].id, Octets(2'000)));
  EXPECT_TRUE(mailbox.reply(now, taken[1].id, Octets(2'000)));
  const auto refused = mailbox.reply(now, taken[2].id, Octets(2'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), PeerError::queue_full);
  EXPECT_TRUE(emitted<Writable>().empty());
  is_confirmed(one, streams[0]);
  EXPECT_EQ(emitted<Writable>().size(), 1U);
  EXPECT_TRUE(mailbox.reply(now, taken[2].id, Octets(2'000)));
  for (const StreamId stream : {streams[1], streams[2]}) {
    is_confirmed(one, stream);
  }
  EXPECT_EQ(mailbox.outbox_bytes(), 0U);
}

// A request that waits for answers is not the oldest that may go on in a full inbox.
TEST_F(MailboxAnswersTest, AnUnreadRequestDoesNotStandInTheWayOfAFullInbox) {
  config.max_inbox_bytes = 1'000;
  config.max_inbox_total = 1'000;
  config.max_message_size = 2'000;
  PeerConnection& greedy = client(1);
  for (int i = 0; i < 3; ++i) asks(greedy);
  EXPECT_EQ(answers_all(1'500), 3U);
  asks(greedy);
  const StreamId half = arrives(connections[linked(2).inbound.front()], message(1'100), false);
  EXPECT_TRUE(
      source.of(connections[peers.find(id_of(2))->inbound.front()]).streams[half].incoming.empty());
}

}  // namespace
}  // namespace qpeer::p2p
