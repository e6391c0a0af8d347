// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Mailbox: messages whole or not at all, each byte charged to a peer, and each limit.
#include "qpeer/p2p/mailbox.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/p2p/mailbox_fixture.hpp"

namespace qpeer::p2p {
namespace {

class MailboxOfClientTest : public MailboxTest {
 protected:
  MailboxOfClientTest() : MailboxTest(Role::client) {}
};

TEST_F(MailboxTest, AMessageIsPrefixDataAndEnd) {
  PeerConnection& outbound = connections[linked(1).outbound];
  const auto id = mailbox.send(now, id_of(1), {5, 6});
  ASSERT_TRUE(id);
  const StreamId stream = last_stream(outbound);
  EXPECT_EQ(source.of(outbound).streams[stream].written, (Octets{kMessageStream, 5, 6}));
  EXPECT_TRUE(source.of(outbound).streams[stream].finished);
  EXPECT_TRUE(emitted_events().empty());
  is_confirmed(outbound, stream);
  const auto sent = emitted<Sent>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].id, *id);
  EXPECT_EQ(index.size(), 0U);
}

TEST_F(MailboxTest, WhoHasNoLinkOrAnotherRoleIsRefusedAtOnce) {
  EXPECT_EQ(mailbox.send(now, id_of(1), {}).error(), PeerError::not_linked);
  linked(2, Role::client);
  EXPECT_EQ(mailbox.send(now, id_of(2), {}).error(), PeerError::wrong_role);
  EXPECT_EQ(mailbox.request(now, id_of(2), {}).error(), PeerError::wrong_role);
}

TEST_F(MailboxTest, AMessageWaitsForTheLinkAndForStreams) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  EXPECT_TRUE(mailbox.send(now, id_of(1), {5}));
  EXPECT_TRUE(mailbox.consistent());
  PeerConnection& outbound = connected(1, true);
  outbound.peer_reached_us = true;
  peers.attach_outbound(now, peer, outbound);
  mailbox.write_waiting(now, peer);
  EXPECT_EQ(index.size(), 0U) << "one direction is no link";
  PeerConnection& inbound = connected(1, false);
  peers.attach_inbound(now, peer, inbound);
  inbound.stage = PeerConnection::Stage::open;
  peers.update_link(now, peer);
  ASSERT_TRUE(peer.up);
  outbound_of(peer).streams_allowed = 0;
  mailbox.write_waiting(now, peer);
  EXPECT_EQ(index.size(), 0U) << "the peer allows no stream";
  outbound_of(peer).streams_allowed = 1;
  mailbox.on_can_open(now, peer);
  EXPECT_EQ(index.size(), 1U);
  EXPECT_EQ(source.of(outbound).streams[last_stream(outbound)].written, (Octets{0, 5}));
}

TEST_F(MailboxTest, WhatDoesNotFitIsWrittenWhenThereIsRoom) {
  Peer& peer = linked(1);
  PeerConnection& outbound = connections[peer.outbound];
  outbound_of(peer).write_room = 3;
  EXPECT_TRUE(mailbox.send(now, id_of(1), {1, 2, 3, 4}));
  const StreamId stream = last_stream(outbound);
  EXPECT_FALSE(outbound_of(peer).streams[stream].finished);
  outbound_of(peer).write_room = 100;
  happens(outbound, StreamEvent::Kind::writable, stream);
  EXPECT_EQ(outbound_of(peer).streams[stream].written, (Octets{0, 1, 2, 3, 4}));
  EXPECT_TRUE(outbound_of(peer).streams[stream].finished);
}

TEST_F(MailboxTest, AFullQueueIsAnErrorAndRoomInItAnEvent) {
  config.max_queued_bytes = 10;
  Peer& peer = linked(1);
  outbound_of(peer).streams_allowed = 0;
  EXPECT_TRUE(mailbox.send(now, id_of(1), Octets(8)));
  EXPECT_EQ(mailbox.send(now, id_of(1), Octets(3)).error(), PeerError::queue_full);
  mailbox.fail_waiting(id_of(1), PeerError::link_lost);
  const auto events = emitted_events();
  EXPECT_EQ(only<Writable>(events).size(), 1U);
  EXPECT_EQ(only<Failed>(events).size(), 1U);
  EXPECT_TRUE(mailbox.send(now, id_of(1), Octets(3)));
}

TEST_F(MailboxTest, TheNumberOfMessagesIsBoundedToo) {
  config.max_queued_messages = 2;
  linked(1);
  EXPECT_TRUE(mailbox.send(now, id_of(1), {}));
  EXPECT_TRUE(mailbox.send(now, id_of(1), {}));
  EXPECT_EQ(mailbox.send(now, id_of(1), {}).error(), PeerError::queue_full);
}

TEST_F(MailboxTest, NothingIsSentBeyondTheMaxMessageSizeOfThePeer) {
  linked(1);  // Takes 1 MiB.
  EXPECT_EQ(mailbox.send(now, id_of(1), Octets((1 << 20) + 1)).error(), PeerError::too_large);
  config.max_message_size = 10;
  EXPECT_EQ(mailbox.send(now, id_of(1), Octets(11)).error(), PeerError::too_large);
}

TEST_F(MailboxTest, WhatThePeerStopsHasFailed) {
  PeerConnection& outbound = connections[linked(1).outbound];
  EXPECT_TRUE(mailbox.send(now, id_of(1), {1}));
  happens(outbound, StreamEvent::Kind::stopped, last_stream(outbound),
          std::to_underlying(ErrorCode::message_too_large));
  ASSERT_EQ(emitted<Failed>().at(0).error, PeerError::too_large);
}

TEST_F(MailboxTest, AMessageIsDeliveredWhole) {
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  const StreamId stream = arrives(inbound, {kMessageStream, 1, 2}, false);
  EXPECT_TRUE(emitted<Incoming>().empty());
  EXPECT_EQ(mailbox.inbox_bytes(), 2 + Mailbox::kTransferCost);
  source.of(inbound).receives(stream, {3}, true);
  happens(inbound, StreamEvent::Kind::readable, stream);
  EXPECT_EQ(emitted<Incoming>().size(), 1U);
  // The end of the connection does not touch it any more.
  mailbox.on_streams_lost(inbound.slot);
  const auto message = mailbox.next_message();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, id_of(1));
  EXPECT_EQ(message->data, (Octets{1, 2, 3}));
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
  EXPECT_FALSE(mailbox.next_message());
}

TEST_F(MailboxTest, AnEmptyMessageIsOne) {
  arrives(connections[linked(1).inbound.front()], {kMessageStream});
  ASSERT_TRUE(mailbox.next_message());
}

TEST_F(MailboxTest, WhatBreaksOffIsInterrupted) {
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  const StreamId stream = arrives(inbound, {kMessageStream, 1}, false);
  source.of(inbound).streams[stream].incoming_reset = true;
  happens(inbound, StreamEvent::Kind::readable, stream);
  arrives(inbound, {kMessageStream, 1, 2}, false);
  mailbox.on_streams_lost(inbound.slot);
  const auto interrupted = emitted<IncomingInterrupted>();
  ASSERT_EQ(interrupted.size(), 2U);
  EXPECT_EQ(interrupted[1].bytes, 2U);
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
}

TEST_F(MailboxTest, AStreamOfUnknownKindIsRefused) {
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  const StreamId stream = arrives(inbound, {9, 1}, false);
  EXPECT_EQ(source.of(inbound).streams[stream].stopped_with,
            std::to_underlying(ErrorCode::malformed));
  EXPECT_EQ(emitted<IncomingInterrupted>().size(), 1U);
}

TEST_F(MailboxTest, AMessageThatIsTooLargeIsRefused) {
  config.max_message_size = 10;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  const StreamId stream = arrives(inbound, message(11), false);
  EXPECT_EQ(source.of(inbound).streams[stream].stopped_with,
            std::to_underlying(ErrorCode::message_too_large));
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
}

TEST_F(MailboxTest, AFullInboxIsNotReadUntilSomethingIsTaken) {
  config.max_inbox_bytes = 1'000;
  config.max_message_size = 2'000;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  arrives(inbound, message(800));
  // The oldest may go beyond the limit of its peer, so that something gets whole.
  arrives(inbound, message(1'500));
  const StreamId third = arrives(inbound, message(100));
  EXPECT_EQ(emitted<Incoming>().size(), 2U);
  EXPECT_FALSE(source.of(inbound).streams[third].incoming.empty());
  EXPECT_TRUE(mailbox.consistent());
  EXPECT_TRUE(mailbox.next_message());
  while (mailbox.room_was_made()) mailbox.resume_paused(now);
  EXPECT_EQ(emitted<Incoming>().size(), 1U);
}

TEST_F(MailboxTest, OfAllPeersTheOldestMayGoOnWhenTheInboxIsFull) {
  config.max_inbox_total = 1'000;
  config.max_message_size = 2'000;
  PeerConnection& first = connections[linked(1).inbound.front()];
  PeerConnection& second = connections[linked(2).inbound.front()];
  const StreamId oldest = arrives(first, message(300), false);
  const StreamId younger = arrives(second, message(600), false);
  source.of(first).receives(oldest, Octets(500), true);
  happens(first, StreamEvent::Kind::readable, oldest);
  const auto incoming = emitted<Incoming>();
  ASSERT_EQ(incoming.size(), 1U);
  EXPECT_EQ(incoming[0].from, id_of(1));
  EXPECT_FALSE(source.of(second).streams[younger].incoming.empty());
}

TEST_F(MailboxTest, EmptyMessagesFillAnInboxToo) {
  config.max_inbox_bytes = 10 * Mailbox::kTransferCost;
  config.max_message_size = 2 * Mailbox::kTransferCost;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  StreamId last{};
  for (int i = 0; i < 50; ++i) last = arrives(inbound, {kMessageStream});
  EXPECT_LE(mailbox.inbox_bytes(), config.max_inbox_bytes + config.max_message_size);
  EXPECT_LE(emitted<Incoming>().size(), 12U) << "ten, and what the oldest may take beyond";
  EXPECT_FALSE(source.of(inbound).streams[last].incoming.empty()) << "it is not read";
  std::size_t taken = 0;
  for (; mailbox.next_message(); ++taken) {
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  EXPECT_EQ(taken, 50U);
}

TEST_F(MailboxTest, StreamsWaitUntilThePeerIsVerified) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  PeerConnection& inbound = connected(1, false);
  peers.attach_inbound(now, peer, inbound);
  const StreamId stream = arrives(inbound, {kMessageStream, 1});
  EXPECT_FALSE(source.of(inbound).streams[stream].incoming.empty());
  inbound.stage = PeerConnection::Stage::open;
  EXPECT_FALSE(mailbox.on_connection_opened(now, inbound));
  EXPECT_FALSE(mailbox.next_message()) << "its link is not up";
  PeerConnection& outbound = connected(1, true);
  outbound.peer_reached_us = true;
  peers.attach_outbound(now, peer, outbound);
  ASSERT_TRUE(peer.up);
  EXPECT_FALSE(mailbox.on_connection_opened(now, inbound));
  EXPECT_TRUE(mailbox.next_message());
}

TEST_F(MailboxTest, AStreamOfTheOtherRoleIsWrong) {
  PeerConnection& of_node = connections[linked(1).inbound.front()];
  EXPECT_TRUE(mailbox.on_stream_opened(now, of_node, StreamId::make(Side::client, true, 1)));
  PeerConnection& of_client = connections[linked(2, Role::client).inbound.front()];
  EXPECT_TRUE(mailbox.on_stream_opened(now, of_client, StreamId::make(Side::client, false, 1)));
  EXPECT_EQ(index.size(), 0U);
}

TEST_F(MailboxTest, ARequestIsAnsweredOnItsStream) {
  PeerConnection& inbound = connections[linked(1, Role::client).inbound.front()];
  const StreamId stream = arrives(inbound, {kMessageStream, 1}, true, true);
  const auto request = mailbox.next_request(now);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->data, Octets{1});
  EXPECT_TRUE(mailbox.reply(now, request->id, {2}));
  EXPECT_EQ(mailbox.reply(now, request->id, {2}).error(), PeerError::unknown);
  EXPECT_EQ(source.of(inbound).streams[stream].written, Octets{2});
  is_confirmed(inbound, stream);
  EXPECT_EQ(emitted<Sent>().size(), 1U);
}

TEST_F(MailboxOfClientTest, AResponseIsGivenWhole) {
  PeerConnection& outbound = connections[linked(1).outbound];
  const auto id = mailbox.request(now, id_of(1), {1});
  ASSERT_TRUE(id);
  const StreamId stream = last_stream(outbound);
  happens(outbound, StreamEvent::Kind::finished, stream);
  source.of(outbound).receives(stream, {2, 3}, true);
  happens(outbound, StreamEvent::Kind::readable, stream);
  const auto responses = emitted<Response>();
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].data, (Octets{2, 3}));
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
}

TEST_F(MailboxOfClientTest, ARequestWhoseConnectionEndsHasFailed) {
  PeerConnection& outbound = connections[linked(1).outbound];
  EXPECT_TRUE(mailbox.request(now, id_of(1), {1}));
  mailbox.on_streams_lost(outbound.slot);
  EXPECT_EQ(emitted<Failed>().at(0).error, PeerError::link_lost);
}

TEST_F(MailboxTest, WhatStandsStillIsGivenUp) {
  Peer& peer = linked(1);
  outbound_of(peer).write_room = 0;
  EXPECT_TRUE(mailbox.send(now, id_of(1), {1}));
  arrives(connections[peer.inbound.front()], {kMessageStream, 1}, false);
  const Instant end = now + 2 * config.message_timeout;
  while (mailbox.next_deadline() < end) mailbox.on_deadline(now = mailbox.next_deadline());
  const auto events = emitted_events();
  EXPECT_EQ(only<Failed>(events).at(0).error, PeerError::timed_out);
  EXPECT_EQ(only<IncomingInterrupted>(events).size(), 1U);
  EXPECT_EQ(mailbox.next_deadline(), kNever);
}

TEST_F(MailboxTest, ACancelledMessageIsResetAndForgotten) {
  PeerConnection& outbound = connections[linked(1).outbound];
  const auto id = mailbox.send(now, id_of(1), {1});
  mailbox.cancel(*id);
  mailbox.cancel(*id);
  EXPECT_TRUE(source.of(outbound).streams[last_stream(outbound)].reset_with);
  EXPECT_EQ(index.size(), 0U);
  EXPECT_TRUE(emitted_events().empty());
}

TEST_F(MailboxTest, ShutDownFailsWhatIsNotSent) {
  linked(1);
  EXPECT_FALSE(mailbox.is_sending());
  EXPECT_TRUE(mailbox.send(now, id_of(1), {1}));
  EXPECT_TRUE(mailbox.is_sending());
  mailbox.shut_down();
  EXPECT_EQ(emitted<Failed>().at(0).error, PeerError::shut_down);
}

// So that the caller need not copy what has to wait.
TEST_F(MailboxTest, WhatIsRefusedStaysWithTheCaller) {
  Octets data(100, 7);
  EXPECT_FALSE(mailbox.send(now, id_of(9), static_cast<Octets&&>(data)));
  linked(1);
  config.max_queued_bytes = 50;
  EXPECT_FALSE(mailbox.send(now, id_of(1), static_cast<Octets&&>(data)));
  EXPECT_EQ(data, Octets(100, 7));
}

TEST_F(MailboxTest, DatagramsAreTakenInTheirOrder) {
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  for (u8 i = 0; i < 3; ++i) source.of(inbound).datagrams_in.push_back({i});
  mailbox.on_datagrams(inbound);
  for (u8 i = 0; i < 3; ++i) EXPECT_EQ(mailbox.next_datagram()->data, Octets{i});
  EXPECT_FALSE(mailbox.next_datagram());
  EXPECT_TRUE(mailbox.send_datagram(id_of(1), Octets{1}));
  EXPECT_FALSE(mailbox.send_datagram(id_of(2), Octets{1}));
}

}  // namespace
}  // namespace qpeer::p2p
