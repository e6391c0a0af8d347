// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What waits in a Mailbox until the application takes it: requests and their answers, raw streams,
// and what is left when a peer is gone.
#include <gtest/gtest.h>

#include <utility>

#include "qpeer/tests/unit/p2p/mailbox_fixture.hpp"

namespace qpeer::p2p {
namespace {

TEST_F(MailboxTest, ARequestThatWasNotTakenCannotBeAnswered) {
  PeerConnection& inbound = connections[linked(1, Role::client).inbound.front()];
  const StreamId stream = arrives(inbound, {kMessageStream, 1}, true, true);
  const auto id = index.find(inbound.slot, stream);
  ASSERT_TRUE(id);
  const auto early = mailbox.reply(now, *id, {2});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error(), PeerError::unknown);
  EXPECT_TRUE(source.of(inbound).streams[stream].written.empty());
  ASSERT_TRUE(mailbox.next_request(now));
  EXPECT_TRUE(mailbox.reply(now, *id, {2}));
  happens(inbound, StreamEvent::Kind::finished, stream);
  EXPECT_FALSE(mailbox.next_request(now));
}

TEST_F(MailboxTest, ARequestThatIsCancelledIsNotGivenAnyMore) {
  PeerConnection& inbound = connections[linked(1, Role::client).inbound.front()];
  const StreamId stream = arrives(inbound, {kMessageStream, 1}, true, true);
  mailbox.cancel(*index.find(inbound.slot, stream));
  EXPECT_FALSE(mailbox.next_request(now));
}

TEST_F(MailboxTest, AReplyThatThePeerStoppedBeforeItBeganHasFailedAtOnce) {
  PeerConnection& inbound = connections[linked(1, Role::client).inbound.front()];
  for (const auto& [code, error] :
       {std::pair{ErrorCode::not_allowed, PeerError::refused},
        std::pair{ErrorCode::message_too_large, PeerError::too_large}}) {
    const StreamId stream = arrives(inbound, {kMessageStream, 1}, true, true);
    const auto request = mailbox.next_request(now);
    ASSERT_TRUE(request);
    happens(inbound, StreamEvent::Kind::stopped, stream, std::to_underlying(code));
    EXPECT_TRUE(emitted<Failed>().empty()) << "nothing was asked of us yet";
    EXPECT_TRUE(mailbox.reply(now, request->id, {2}));
    const auto failed = emitted<Failed>();
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_EQ(failed[0].id, request->id);
    EXPECT_EQ(failed[0].error, error);
  }
  EXPECT_EQ(index.size(), 0U);
}

TEST_F(MailboxTest, RawStreamsFillAnInboxUntilTheyAreTaken) {
  config.max_inbox_bytes = 10 * Mailbox::kTransferCost;
  config.max_message_size = 2 * Mailbox::kTransferCost;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  StreamId last{};
  for (int i = 0; i < 50; ++i) last = arrives(inbound, {kRawStream});
  EXPECT_LE(raw.size(), 12U) << "ten, and what the oldest may take beyond";
  EXPECT_EQ(mailbox.inbox_bytes(), raw.size() * Mailbox::kTransferCost);
  EXPECT_FALSE(source.of(inbound).streams[last].incoming.empty()) << "it is not read";
  std::size_t taken = 0;
  for (; raw.next(); ++taken) {
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  EXPECT_EQ(taken, 50U);
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
}

TEST_F(MailboxTest, RawStreamsThatAreLostMakeRoom) {
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  arrives(inbound, {kRawStream});
  const StreamId cancelled = arrives(inbound, {kRawStream});
  EXPECT_EQ(mailbox.inbox_bytes(), 2 * Mailbox::kTransferCost);
  mailbox.cancel(*index.find(inbound.slot, cancelled));
  EXPECT_EQ(mailbox.inbox_bytes(), Mailbox::kTransferCost);
  mailbox.on_streams_lost(inbound.slot);
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
  EXPECT_FALSE(raw.next());
}

TEST_F(MailboxTest, APeerThatIsErasedWaitsForNoRoom) {
  config.max_inbox_bytes = 1'000;
  config.max_message_size = 500;
  Peer& peer = linked(1);
  PeerConnection& inbound = connections[peer.inbound.front()];
  for (int i = 0; i < 4; ++i) arrives(inbound, message(400));
  EXPECT_GT(index.size(), 0U) << "not all found room";
  mailbox.on_streams_lost(inbound.slot);
  peers.close_directions(now, peer, ErrorCode::not_needed, "");
  peers.give_up(peer);
  mailbox.on_peer_erased(peer.id);
  peers.erase(peer);
  EXPECT_TRUE(mailbox.consistent());
  EXPECT_TRUE(mailbox.next_message()) << "what is whole outlasts the peer";
}

}  // namespace
}  // namespace qpeer::p2p
