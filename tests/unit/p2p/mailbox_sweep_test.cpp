// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Messages that take too long: what trickles comes to nothing, what moves has the time that it needs,
// and what is slow does not keep others out.
#include <gtest/gtest.h>

#include <vector>

#include "qpeer/tests/unit/p2p/mailbox_fixture.hpp"

namespace qpeer::p2p {
namespace {

class MailboxSweepTest : public MailboxTest {
 protected:
  MailboxSweepTest() {
    config.message_timeout = 60s;
    config.min_message_rate = 1'000;
    config.max_message_size = 100'000;
  }

  void time_passes(Duration time) {
    const Instant end = now + time;
    while (mailbox.next_deadline() <= end) {
      now = mailbox.next_deadline();
      mailbox.on_deadline(now);
      while (mailbox.room_was_made()) mailbox.resume_paused(now);
      ASSERT_TRUE(mailbox.consistent());
    }
    now = end;
  }
  [[nodiscard]] bool is_there(const PeerConnection& on, StreamId stream) const {
    return index.find(on.slot, stream).has_value();
  }
  /// More of a stream comes, if anybody still reads it.
  void comes(PeerConnection& on, StreamId stream, std::size_t size) {
    if (!is_there(on, stream)) return;
    source.of(on).receives(stream, Octets(size, 7));
    happens(on, StreamEvent::Kind::readable, stream);
  }
  PeerConnection& sender(u8 number) { return connections[linked(number).inbound.front()]; }
};

TEST_F(MailboxSweepTest, WhatTricklesIsInterrupted) {
  PeerConnection& inbound = sender(1);
  const StreamId stream = arrives(inbound, message(10), false);
  for (int i = 0; i < 3; ++i) {
    time_passes(30s);
    comes(inbound, stream, 1);
  }
  EXPECT_FALSE(is_there(inbound, stream));
  ASSERT_EQ(emitted<IncomingInterrupted>().size(), 1U);
  EXPECT_EQ(mailbox.inbox_bytes(), 0U);
}

TEST_F(MailboxSweepTest, WhatMovesHasTheTimeThatItNeeds) {
  PeerConnection& inbound = sender(1);
  const StreamId stream = arrives(inbound, message(1), false);
  for (int i = 0; i < 75; ++i) {
    time_passes(1s);
    comes(inbound, stream, 1'200);
  }
  EXPECT_TRUE(is_there(inbound, stream));
  // The time of the largest message is the most.
  for (int i = 0; i < 200 && is_there(inbound, stream); ++i) {
    time_passes(1s);
    comes(inbound, stream, 10);
  }
  EXPECT_FALSE(is_there(inbound, stream));
}

TEST_F(MailboxSweepTest, ManyAtOnceShareTheTimeOfTheirPeer) {
  PeerConnection& inbound = sender(1);
  std::vector<StreamId> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(arrives(inbound, message(1), false));
  for (int i = 0; i < 100; ++i) {
    time_passes(1s);
    for (const StreamId stream : streams) comes(inbound, stream, 150);
  }
  for (const StreamId stream : streams) EXPECT_TRUE(is_there(inbound, stream));
  // But none for ever: at most as long as the largest message takes.
  for (int i = 0; i < 80; ++i) {
    time_passes(1s);
    for (const StreamId stream : streams) comes(inbound, stream, 150);
  }
  for (const StreamId stream : streams) EXPECT_FALSE(is_there(inbound, stream));
}

TEST_F(MailboxSweepTest, AnAnswerThatIsReadByTheByteIsGivenUp) {
  PeerConnection& inbound = connections[linked(1, Role::client).inbound.front()];
  source.of(inbound).write_room = 100;
  const StreamId stream = arrives(inbound, {kMessageStream, 1}, true, true);
  const auto request = mailbox.next_request(now);
  ASSERT_TRUE(request);
  ASSERT_TRUE(mailbox.reply(now, request->id, Octets(10'000)));
  for (int i = 0; i < 3 && is_there(inbound, stream); ++i) {
    time_passes(30s);
    if (!is_there(inbound, stream)) break;
    source.of(inbound).write_room = 1;
    happens(inbound, StreamEvent::Kind::writable, stream);
  }
  EXPECT_FALSE(is_there(inbound, stream));
  const auto failed = emitted<Failed>();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].error, PeerError::timed_out);
  EXPECT_EQ(mailbox.outbox_bytes(), 0U);
}

TEST_F(MailboxSweepTest, SlowHalvesThatFillTheInboxMakeRoomForOthers) {
  config.max_inbox_bytes = 10'000;
  config.max_inbox_total = 40'000;
  std::vector<std::pair<PeerConnection*, StreamId>> halves;
  for (u8 i = 1; i <= 6; ++i) {
    PeerConnection& inbound = sender(i);
    halves.emplace_back(&inbound, arrives(inbound, message(9'000), false));
  }
  PeerConnection& honest = sender(7);
  const StreamId whole = arrives(honest, message(5'000));
  EXPECT_TRUE(is_there(honest, whole)) << "there is no room";
  time_passes(10s);
  EXPECT_FALSE(is_there(honest, whole));
  EXPECT_EQ(emitted<Incoming>().size(), 1U);
  ASSERT_TRUE(mailbox.next_message());
}

TEST_F(MailboxSweepTest, SlowReadersThatFillTheOutboxMakeRoomForOthers) {
  config.max_queued_total = 20'000;
  std::vector<StreamId> unread;
  std::vector<PeerConnection*> readers;
  for (u8 i = 1; i <= 4; ++i) {
    readers.push_back(&connections[linked(i, Role::client).inbound.front()]);
    unread.push_back(arrives(*readers.back(), {kMessageStream, 1}, true, true));
    const auto request = mailbox.next_request(now);
    if (!request) break;
    ASSERT_TRUE(mailbox.reply(now, request->id, Octets(9'000)));
  }
  EXPECT_GE(mailbox.outbox_bytes(), 20'000U);
  PeerConnection& honest = connections[linked(7, Role::client).inbound.front()];
  arrives(honest, {kMessageStream, 1}, true, true);
  EXPECT_FALSE(mailbox.next_request(now)) << "there is no room for an answer";
  time_passes(10s);
  EXPECT_FALSE(is_there(*readers[0], unread[0]));
  std::size_t given = 0;
  while (mailbox.next_request(now)) ++given;
  EXPECT_EQ(given, 2U) << "the honest one's, and that of the fourth";
}

TEST_F(MailboxSweepTest, WhatWaitsForTheApplicationIsNotLate) {
  config.max_inbox_bytes = 10'000;
  config.max_message_size = 10'000;
  PeerConnection& inbound = sender(1);
  for (int i = 0; i < 3; ++i) arrives(inbound, message(9'500));
  const StreamId half = arrives(inbound, message(5'000), false);
  EXPECT_EQ(source.of(inbound).streams[half].incoming.size(), 5'001U) << "there is no room";
  time_passes(3min);
  EXPECT_TRUE(is_there(inbound, half));
  EXPECT_TRUE(emitted<IncomingInterrupted>().empty());
  // From now on its own time counts.
  while (mailbox.next_message()) {
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  EXPECT_TRUE(source.of(inbound).streams[half].incoming.empty());
  time_passes(30s);
  EXPECT_TRUE(is_there(inbound, half));
  time_passes(60s);
  EXPECT_FALSE(is_there(inbound, half));
}

}  // namespace
}  // namespace qpeer::p2p
