// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Receipts: what counts as sent, what is confirmed to a peer, and what a peer may not confirm.
#include <gtest/gtest.h>

#include <vector>

#include "qpeer/tests/unit/p2p/mailbox_fixture.hpp"

namespace qpeer::p2p {
namespace {

class MailboxReceiptsTest : public MailboxTest {
 protected:
  explicit MailboxReceiptsTest(Role role = Role::node) : MailboxTest(role) {}

  /// The streams of all receipts that were written on a connection, after send_receipts().
  std::vector<StreamId> receipts_on(const PeerConnection& connection) {
    mailbox.send_receipts();
    std::vector<StreamId> out;
    for (const Receipts& one : sent_on<Receipts>(connection)) {
      out.insert(out.end(), one.streams.begin(), one.streams.end());
    }
    return out;
  }
  std::optional<std::string_view> confirms(PeerConnection& on, std::vector<StreamId> streams) {
    Receipts receipts;
    for (const StreamId stream : streams) receipts.streams.push_back(stream);
    const auto wrong = mailbox.on_receipts(on, receipts);
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
    return wrong;
  }
};

class MailboxReceiptsOfClientTest : public MailboxReceiptsTest {
 protected:
  MailboxReceiptsOfClientTest() : MailboxReceiptsTest(Role::client) {}
};

TEST_F(MailboxReceiptsTest, AMessageCountsAsSentWithItsReceipt) {
  PeerConnection& outbound = connections[linked(1).outbound];
  const auto id = mailbox.send(now, id_of(1), {5});
  ASSERT_TRUE(id);
  const StreamId stream = last_stream(outbound);
  happens(outbound, StreamEvent::Kind::finished, stream);
  EXPECT_TRUE(emitted_events().empty()) << "only the transport of the peer has it";
  EXPECT_GT(mailbox.outbox_bytes(), 0U);
  EXPECT_FALSE(confirms(outbound, {stream}));
  const auto sent = emitted<Sent>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].id, *id);
  EXPECT_EQ(mailbox.outbox_bytes(), 0U);
  EXPECT_EQ(index.size(), 0U);
}

TEST_F(MailboxReceiptsTest, AMessageWithoutAReceiptFailsWithItsConnection) {
  PeerConnection& outbound = connections[linked(1).outbound];
  ASSERT_TRUE(mailbox.send(now, id_of(1), {5}));
  happens(outbound, StreamEvent::Kind::finished, last_stream(outbound));
  mailbox.on_streams_lost(outbound.slot);
  EXPECT_EQ(emitted<Failed>().at(0).error, PeerError::link_lost);
}

TEST_F(MailboxReceiptsTest, AMessageWithoutAReceiptFailsInTheEnd) {
  PeerConnection& outbound = connections[linked(1).outbound];
  ASSERT_TRUE(mailbox.send(now, id_of(1), {5}));
  happens(outbound, StreamEvent::Kind::finished, last_stream(outbound));
  const Instant end = now + 2 * config.message_timeout;
  while (mailbox.next_deadline() < end) mailbox.on_deadline(now = mailbox.next_deadline());
  EXPECT_EQ(emitted<Failed>().at(0).error, PeerError::timed_out);
  EXPECT_EQ(mailbox.outbox_bytes(), 0U);
}

TEST_F(MailboxReceiptsTest, OfAPeerWithoutReceiptsTheTransportCounts) {
  minor = 0;
  Peer& peer = linked(1);
  PeerConnection& outbound = connections[peer.outbound];
  ASSERT_TRUE(mailbox.send(now, id_of(1), {5}));
  const StreamId stream = last_stream(outbound);
  happens(outbound, StreamEvent::Kind::finished, stream);
  EXPECT_EQ(emitted<Sent>().size(), 1U);
  EXPECT_TRUE(confirms(outbound, {stream}));
  PeerConnection& inbound = connections[peer.inbound.front()];
  arrives(inbound, message(10));
  EXPECT_TRUE(receipts_on(inbound).empty());
}

TEST_F(MailboxReceiptsTest, WhatIsWholeIsConfirmedBeforeItIsTaken) {
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  const StreamId half = arrives(inbound, message(10), false);
  const StreamId first = arrives(inbound, message(10));
  const StreamId second = arrives(inbound, {kMessageStream});
  EXPECT_TRUE(mailbox.is_owing_receipts());
  EXPECT_EQ(receipts_on(inbound), (std::vector{first, second}));
  EXPECT_EQ(sent_on<Receipts>(inbound).size(), 1U) << "both in one";
  EXPECT_FALSE(mailbox.is_owing_receipts());
  source.of(inbound).receives(half, {1}, true);
  happens(inbound, StreamEvent::Kind::readable, half);
  EXPECT_EQ(receipts_on(inbound), (std::vector{first, second, half}));
}

TEST_F(MailboxReceiptsTest, WhatFindsNoRoomIsNotConfirmed) {
  config.max_inbox_bytes = 1'000;
  config.max_message_size = 1'000;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  for (int i = 0; i < 4; ++i) arrives(inbound, message(900));
  const std::size_t confirmed = receipts_on(inbound).size();
  EXPECT_EQ(confirmed, emitted<Incoming>().size());
  EXPECT_LT(confirmed, 4U);
  while (mailbox.next_message()) {
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  EXPECT_EQ(receipts_on(inbound).size(), 4U);
}

TEST_F(MailboxReceiptsTest, NoRequestRawStreamOrRefusedMessageIsConfirmed) {
  config.max_message_size = 100;
  Peer& node = linked(1);
  PeerConnection& inbound = connections[node.inbound.front()];
  arrives(inbound, {kRawStream, 1});
  arrives(inbound, {9, 1});
  arrives(inbound, message(101));
  EXPECT_TRUE(receipts_on(inbound).empty());
  PeerConnection& of_client = connections[linked(2, Role::client).inbound.front()];
  arrives(of_client, {kMessageStream, 1}, true, true);
  EXPECT_TRUE(receipts_on(of_client).empty());
}

TEST_F(MailboxReceiptsTest, AnAnswerCountsAsSentWithItsReceipt) {
  PeerConnection& inbound = connections[linked(1, Role::client).inbound.front()];
  const StreamId stream = arrives(inbound, {kMessageStream, 1}, true, true);
  EXPECT_TRUE(confirms(inbound, {stream})) << "it has no answer yet";
  const auto request = mailbox.next_request(now);
  ASSERT_TRUE(request);
  ASSERT_TRUE(mailbox.reply(now, request->id, {2}));
  happens(inbound, StreamEvent::Kind::finished, stream);
  EXPECT_TRUE(emitted<Sent>().empty());
  EXPECT_FALSE(confirms(inbound, {stream}));
  EXPECT_EQ(emitted<Sent>().size(), 1U);
  EXPECT_EQ(mailbox.outbox_bytes(), 0U);
}

TEST_F(MailboxReceiptsOfClientTest, AnAnswerIsConfirmed) {
  PeerConnection& outbound = connections[linked(1).outbound];
  ASSERT_TRUE(mailbox.request(now, id_of(1), {1}));
  const StreamId stream = last_stream(outbound);
  source.of(outbound).receives(stream, {2}, false);
  happens(outbound, StreamEvent::Kind::readable, stream);
  EXPECT_TRUE(receipts_on(outbound).empty());
  EXPECT_TRUE(confirms(outbound, {stream})) << "a request waits for its answer";
  source.of(outbound).receives(stream, {}, true);
  happens(outbound, StreamEvent::Kind::readable, stream);
  EXPECT_EQ(receipts_on(outbound), std::vector{stream});
}

// --- peers that lie ------------------------------------------------------------------------------

TEST_F(MailboxReceiptsTest, WhatWasNotSentCannotBeConfirmed) {
  Peer& peer = linked(1);
  PeerConnection& outbound = connections[peer.outbound];
  outbound_of(peer).write_room = 2;
  ASSERT_TRUE(mailbox.send(now, id_of(1), {1, 2, 3}));
  const StreamId half = last_stream(outbound);
  EXPECT_TRUE(confirms(outbound, {half})) << "its end was not written";
  outbound_of(peer).write_room = 100;
  happens(outbound, StreamEvent::Kind::writable, half);
  EXPECT_TRUE(confirms(outbound, {StreamId::make(Side::client, false, half.index() + 1)}))
      << "it was never opened";
  EXPECT_TRUE(confirms(outbound, {StreamId::make(Side::server, false, half.index())}));
  EXPECT_TRUE(confirms(outbound, {kControl}));
  EXPECT_TRUE(confirms(connections[peer.inbound.front()], {half})) << "on another connection";
  EXPECT_TRUE(emitted_events().empty());
  const auto raw_stream = raw.open(outbound, false);
  ASSERT_TRUE(raw_stream);
  EXPECT_TRUE(confirms(outbound, {last_stream(outbound)})) << "a raw stream";
  EXPECT_FALSE(confirms(outbound, {half}));
  EXPECT_TRUE(confirms(outbound, {half})) << "twice";
  EXPECT_EQ(emitted<Sent>().size(), 1U);
}

TEST_F(MailboxReceiptsTest, TheFirstOfAWrongMessageStillCount) {
  PeerConnection& outbound = connections[linked(1).outbound];
  ASSERT_TRUE(mailbox.send(now, id_of(1), {1}));
  const StreamId stream = last_stream(outbound);
  EXPECT_TRUE(confirms(outbound, {stream, stream}));
  EXPECT_EQ(emitted<Sent>().size(), 1U);
}

TEST_F(MailboxReceiptsTest, OfWhatWasCancelledAReceiptMayStillCome) {
  PeerConnection& outbound = connections[linked(1).outbound];
  const auto id = mailbox.send(now, id_of(1), {1});
  const StreamId stream = last_stream(outbound);
  mailbox.cancel(*id);
  EXPECT_FALSE(confirms(outbound, {stream}));
  EXPECT_TRUE(confirms(outbound, {stream})) << "twice";
  EXPECT_TRUE(emitted_events().empty());
}

// --- a peer that reads no receipts ---------------------------------------------------------------

TEST_F(MailboxReceiptsTest, OfAPeerThatReadsNoReceiptsFurtherMessagesAreNotRead) {
  config.max_inbox_bytes = 16 << 20;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  PeerConnection& other = connections[linked(2).inbound.front()];
  source.of(inbound).write_room = 0;
  std::vector<StreamId> streams;
  for (std::size_t i = 0; i < ReceiptBook::kMaxOwed + 500; ++i) {
    streams.push_back(arrives(inbound, message(1)));
    mailbox.send_receipts();
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  ASSERT_TRUE(mailbox.consistent());
  const std::size_t read = emitted<Incoming>().size();
  EXPECT_GE(read, ReceiptBook::kMaxOwed);
  EXPECT_LE(read, ReceiptBook::kMaxOwed + kMaxReceipts) << "those of one message are being written";
  const StreamId raw_stream = arrives(inbound, {kRawStream, 1});
  EXPECT_EQ(source.of(inbound).streams[raw_stream].incoming.size(), 1U) << "needs none";
  arrives(other, message(1));
  EXPECT_EQ(emitted<Incoming>().size(), 2U) << "others are read";
  // It reads them.
  source.of(inbound).write_room = 1'000'000;
  inbound.control.write(&source.of(inbound));
  while (mailbox.room_was_made()) mailbox.resume_paused(now);
  EXPECT_EQ(emitted<Incoming>().size(), streams.size() - read);
  EXPECT_EQ(receipts_on(inbound), streams);
}

TEST_F(MailboxReceiptsTest, WhatWaitsForReceiptsGoesWithItsConnection) {
  config.max_inbox_bytes = 16 << 20;
  PeerConnection& inbound = connections[linked(1).inbound.front()];
  source.of(inbound).write_room = 0;
  for (std::size_t i = 0; i < ReceiptBook::kMaxOwed + 500; ++i) arrives(inbound, message(1));
  const std::size_t read = emitted<Incoming>().size();
  mailbox.on_streams_lost(inbound.slot);
  EXPECT_EQ(emitted<IncomingInterrupted>().size(), ReceiptBook::kMaxOwed + 500 - read);
  EXPECT_FALSE(mailbox.is_owing_receipts());
}

TEST_F(MailboxReceiptsOfClientTest, OfANodeThatReadsNoReceiptsFurtherAnswersAreNotRead) {
  PeerConnection& outbound = connections[linked(1).outbound];
  source.of(outbound).streams_allowed = 10'000;
  std::vector<StreamId> streams;
  for (std::size_t i = 0; i < ReceiptBook::kMaxOwed + 500; ++i) {
    ASSERT_TRUE(mailbox.request(now, id_of(1), {1}));
    streams.push_back(last_stream(outbound));
  }
  source.of(outbound).write_room = 0;
  for (const StreamId stream : streams) {
    source.of(outbound).receives(stream, {}, true);
    happens(outbound, StreamEvent::Kind::readable, stream);
  }
  const std::size_t read = emitted<Response>().size();
  EXPECT_GE(read, ReceiptBook::kMaxOwed);
  EXPECT_LE(read, ReceiptBook::kMaxOwed + kMaxReceipts);
  source.of(outbound).write_room = 1'000'000;
  outbound.control.write(&source.of(outbound));
  while (mailbox.room_was_made()) mailbox.resume_paused(now);
  EXPECT_EQ(emitted<Response>().size(), streams.size() - read);
}

}  // namespace
}  // namespace qpeer::p2p
