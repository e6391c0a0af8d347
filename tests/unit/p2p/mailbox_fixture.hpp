// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A Mailbox and its RawStreams without a network: a test fills the streams of a peer.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "qpeer/p2p/mailbox.hpp"
#include "qpeer/p2p/stream_prefix.hpp"
#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {

using Octets = std::vector<u8>;
using transport::StreamEvent;

class MailboxTest : public OwnersFixture {
 protected:
  explicit MailboxTest(Role role = Role::node) : OwnersFixture(role) {}
  ~MailboxTest() override { EXPECT_TRUE(mailbox.consistent()); }

  static StreamEvent event(StreamEvent::Kind kind, StreamId id, std::uint64_t code = 0) {
    return {.kind = kind, .stream_id = id, .error_code = code};
  }
  void happens(const PeerConnection& on, StreamEvent::Kind kind, StreamId id,
               std::uint64_t code = 0) {
    const auto operation = index.find(on.slot, id);
    ASSERT_TRUE(operation);
    mailbox.on_stream_event(now, *operation, event(kind, id, code));
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  /// The transport of the peer has all of what was sent on a stream, and then its inbox has it.
  void is_confirmed(PeerConnection& on, StreamId id) {
    happens(on, StreamEvent::Kind::finished, id);
    Receipts receipts;
    receipts.streams.push_back(id);
    EXPECT_FALSE(mailbox.on_receipts(on, receipts));
    while (mailbox.room_was_made()) mailbox.resume_paused(now);
  }
  /// The peer opens a stream with this content.
  StreamId arrives(PeerConnection& on, const Octets& data, bool fin = true,
                   bool bidirectional = false) {
    const StreamId id = StreamId::make(other(source.of(on).side()), bidirectional, ++opened_);
    source.of(on).receives(id, data, fin);
    EXPECT_FALSE(mailbox.on_stream_opened(now, on, id));
    return id;
  }
  /// A message of so many bytes.
  static Octets message(std::size_t size) {
    Octets out(size + 1, 7);
    out[0] = kMessageStream;
    return out;
  }
  /// The stream that we wrote a message on, the newest one.
  StreamId last_stream(const PeerConnection& on) { return source.of(on).streams.rbegin()->first; }

  StreamIndex index{};
  InboxBudget budget{config};
  RawStreams raw{connections, queue, index, budget};
  Mailbox mailbox{config, queue, connections, peers, index, budget, raw};

 private:
  std::uint64_t opened_ = 0;
};

}  // namespace qpeer::p2p
