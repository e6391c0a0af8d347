// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a stream set writes, and when: order, credit, resets, events.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

using Kind = StreamEvent::Kind;
using wire::FrameType;

TEST(StreamSet, OpensNothingBeforeThePeerAllowsIt) {
  StreamSet set{Side::client, {}};
  EXPECT_EQ(set.open(true).error(), StreamError::limit_reached);
  EXPECT_FALSE(set.has_frames()) << "there is no limit yet to complain about";
  wire::TransportParameters parameters;
  parameters.initial_max_streams_bidi = 1;
  set.set_peer_parameters(parameters);
  const auto event = set.poll_event();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, Kind::can_open);
  EXPECT_TRUE(event->stream_id.is_bidirectional());
  EXPECT_EQ(set.open(true), StreamId{0});
}

// [rfc9000-4.6-2] [rfc9000-4.6-4] [rfc9000-4.6-5] [rfc9000-19.11-2] [rfc9000-19.11-3]
// [rfc9000-19.14-1] [rfc9000-2.1-1]
TEST(StreamSet, StopsAtThePeersStreamLimitAndSaysSoOnce) {
  Pair pair{{}, {.max_streams_uni = 2}};
  EXPECT_EQ(pair.client.open(false), StreamId{2});
  EXPECT_EQ(pair.client.open(false), StreamId{6});
  EXPECT_EQ(pair.client.open(false).error(), StreamError::limit_reached);
  EXPECT_EQ(pair.client.open(false).error(), StreamError::limit_reached);
  const Packet packet = write_packet(pair.client);
  ASSERT_EQ(kinds_of(packet), std::vector<u8>{code(FrameType::streams_blocked_uni)});
  EXPECT_EQ(packet.sent[0].offset, 2U);
  EXPECT_FALSE(pair.client.has_frames());
  tell(packet, pair.client, Fate::lost);
  EXPECT_TRUE(pair.client.has_frames()) << "still blocked, so told again";
  ASSERT_TRUE(pair.client.on_frame(wire::MaxStreamsFrame{false, 2}).has_value());
  EXPECT_EQ(pair.client.open(false).error(), StreamError::limit_reached);
  ASSERT_TRUE(pair.client.on_frame(wire::MaxStreamsFrame{false, 3}).has_value());
  EXPECT_FALSE(pair.client.has_frames()) << "no longer blocked";
  EXPECT_EQ(count(events_of(pair.client), Kind::can_open), 1U);
  EXPECT_EQ(pair.client.open(false), StreamId{10});
}

TEST(StreamSet, GivesStreamCreditAsStreamsClose) {  // [rfc9000-4.6-6]
  Pair pair{{}, {.max_streams_uni = 8}};
  std::vector<StreamId> open;
  while (const auto id = pair.client.open(false)) open.push_back(*id);
  ASSERT_EQ(open.size(), 8U);
  for (const StreamId id : open) ASSERT_TRUE(pair.client.finish(id).has_value());
  pair.settle();
  EXPECT_EQ(pair.client.open(false).error(), StreamError::limit_reached);
  events_of(pair.server);
  events_of(pair.client);
  for (int i = 0; i < 2; ++i) pair.server.consume(*pair.server.accept(false), 0);
  const Packet packet = write_packet(pair.server);
  ASSERT_EQ(kinds_of(packet), std::vector<u8>{code(FrameType::max_streams_uni)});
  EXPECT_EQ(packet.sent[0].offset, 10U);
  tell(packet, pair.server, Fate::lost);
  EXPECT_EQ(write_packet(pair.server).payload, packet.payload);
  pair.server.consume(*pair.server.accept(false), 0);
  tell(packet, pair.server, Fate::lost);
  ASSERT_TRUE(deliver(write_packet(pair.server), pair.client).has_value());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pair.client.open(false).has_value());
  EXPECT_FALSE(pair.client.open(false).has_value());
}

TEST(StreamSet, OpensLowerStreamsToo) {  // [rfc9000-3.2-1]
  StreamSet set{Side::server, {}};
  ASSERT_TRUE(set.on_frame(wire::StreamFrame{{12}, 0, {}, false}).has_value());
  const auto events = events_of(set);
  ASSERT_EQ(events.size(), 4U);
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(events[i].kind, Kind::opened);
    EXPECT_EQ(events[i].stream_id, StreamId{4 * i});
    EXPECT_EQ(set.accept(true), StreamId{4 * i});
  }
  EXPECT_EQ(set.accept(true), std::nullopt);
  EXPECT_EQ(set.accept(false), std::nullopt);
}

TEST(StreamSet, FillsThePacketAndLeavesOutTheLengthOnlyThere) {
  Pair pair;
  const StreamId big = *pair.client.open(false);
  write_all(pair.client, big, 5000);
  const Packet full = write_packet(pair.client, 1200);
  EXPECT_EQ(full.payload.size(), 1200U);
  EXPECT_EQ(full.payload[0] & wire::kStreamLengthBit, 0);
  ASSERT_EQ(full.sent.size(), 1U);
  EXPECT_EQ(full.sent[0].length, 1200U - 2);
  const StreamId small = *pair.client.open(false);
  write_all(pair.client, small, 10);
  for (std::size_t size = 3; size < 300; ++size) {
    const Packet packet = write_packet(pair.client, size);
    if (!packet.payload.empty()) frames_of(packet);  // Decodes.
    EXPECT_LE(packet.payload.size(), size);
    tell(packet, pair.client, Fate::lost);
  }
}

TEST(StreamSet, TakesTurnsPacketByPacket) {  // [rfc9000-2.3-1] is open: there are no priorities.
  Pair pair;
  std::vector<StreamId> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(*pair.client.open(false));
    write_all(pair.client, ids.back(), 10'000);
  }
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(write_packet(pair.client).sent.at(0).stream, ids[static_cast<std::size_t>(i % 3)]);
  }
}

TEST(StreamSet, SendsControlBeforeLostBeforeNewData) {  // [rfc9000-13.3-4]
  Pair pair;
  const StreamId a = *pair.client.open(false);
  const StreamId b = *pair.client.open(false);
  write_all(pair.client, a, 5000);
  const Packet first = write_packet(pair.client);
  tell(first, pair.client, Fate::lost);
  write_all(pair.client, b, 10);
  ASSERT_TRUE(pair.client.reset(b, 7).has_value());
  const Packet second = write_packet(pair.client);
  ASSERT_EQ(kinds_of(second),
            (std::vector<u8>{code(FrameType::reset_stream), code(FrameType::stream)}));
  EXPECT_EQ(second.sent[1].offset, 0U);
}

TEST(StreamSet, SendsAFinThatWasLostAgain) {
  Pair pair;
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 10);
  const Packet data = write_packet(pair.client);
  ASSERT_TRUE(pair.client.finish(id).has_value());
  const Packet fin = write_packet(pair.client);
  tell(data, pair.client, Fate::acked);
  tell(fin, pair.client, Fate::lost);
  const Packet again = write_packet(pair.client);
  ASSERT_EQ(again.sent.size(), 1U);
  EXPECT_TRUE(again.sent[0].fin);
  EXPECT_EQ(again.sent[0].offset, 10U);
  EXPECT_TRUE(events_of(pair.client).empty());
  tell(again, pair.client, Fate::acked);
  EXPECT_EQ(count(events_of(pair.client), Kind::finished), 1U);
  EXPECT_EQ(pair.client.open_streams(), 0U);
}

// [rfc9000-13.3-1] [rfc9000-4.5-1] [rfc9000-3.2-2] [rfc9000-4.5-2]
TEST(StreamSet, ResetsAStreamAndItsCreditComesBack) {
  Pair pair{{}, {.receive_window = 1000}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 1500);
  const Packet data = write_packet(pair.client);  // Never arrives.
  ASSERT_TRUE(pair.client.reset(id, 77).has_value());
  EXPECT_EQ(pair.client.buffered_bytes(), 0U);
  const Packet reset = write_packet(pair.client);
  tell(data, pair.client, Fate::lost);
  EXPECT_FALSE(pair.client.has_frames()) << "its data needs no repair";
  tell(reset, pair.client, Fate::lost);
  EXPECT_EQ(write_packet(pair.client).payload, reset.payload);
  ASSERT_TRUE(deliver(reset, pair.server).has_value());
  EXPECT_EQ(count(events_of(pair.server), Kind::readable), 1U);
  EXPECT_EQ(kinds_of(write_packet(pair.server)), std::vector<u8>{code(FrameType::max_data)});
  EXPECT_EQ(pair.server.peek(id).error(), StreamError::reset);
  EXPECT_EQ(pair.server.reset_code(id), 77U);
  EXPECT_EQ(pair.server.peek(id).error(), StreamError::reset);
  EXPECT_EQ(pair.server.open_streams(), 0U);
  tell(reset, pair.client, Fate::acked);
  EXPECT_EQ(pair.client.open_streams(), 0U);
  EXPECT_TRUE(events_of(pair.client).empty());
}

// [rfc9000-3.5-1] [rfc9000-3.5-2] [rfc9000-3.5-5]
TEST(StreamSet, AnswersStopSendingWithTheSameCode) {
  Pair pair;
  const StreamId id = *pair.client.open(true);
  write_all(pair.client, id, 3000);
  Pair::carry(pair.client, pair.server);
  ASSERT_TRUE(pair.server.stop_sending(id, 42).has_value());
  const Packet stop = write_packet(pair.server);
  ASSERT_EQ(kinds_of(stop), std::vector<u8>{code(FrameType::stop_sending)});
  tell(stop, pair.server, Fate::lost);
  EXPECT_EQ(write_packet(pair.server).payload, stop.payload);
  ASSERT_TRUE(deliver(stop, pair.client).has_value());
  const auto events = events_of(pair.client);
  ASSERT_EQ(count(events, Kind::stopped), 1U);
  EXPECT_EQ(events.back().error_code, 42U);
  EXPECT_EQ(pair.client.write(id, {}).error(), StreamError::stopped);
  EXPECT_EQ(pair.client.finish(id).error(), StreamError::stopped);
  const Packet answer = write_packet(pair.client);
  const auto frames = frames_of(answer);
  const auto* reset = find<wire::ResetStreamFrame>(frames);
  ASSERT_NE(reset, nullptr);
  EXPECT_EQ(reset->application_error_code, 42U);
  ASSERT_TRUE(deliver(answer, pair.server).has_value());
  tell(stop, pair.server, Fate::lost);
  EXPECT_FALSE(pair.server.has_frames()) << "[rfc9000-3.5-7]: it was reset already";
}

TEST(StreamSet, ReportsEachEdgeOnce) {
  Pair pair{{.send_buffer = 1000}, {}};
  const StreamId id = *pair.client.open(false);
  EXPECT_EQ(write_all(pair.client, id, 1500), 1000U);
  EXPECT_EQ(write_all(pair.client, id, 10), 0U);
  EXPECT_TRUE(events_of(pair.client).empty());
  Pair::carry(pair.client, pair.server);
  EXPECT_EQ(count(events_of(pair.client), Kind::writable), 1U);
  EXPECT_EQ(count(events_of(pair.server), Kind::readable), 1U);
  write_all(pair.client, id, 10);
  Pair::carry(pair.client, pair.server);
  EXPECT_TRUE(events_of(pair.client).empty());
  EXPECT_TRUE(events_of(pair.server).empty()) << "nobody has found nothing since";
  pair.server.consume(id, 1010);
  write_all(pair.client, id, 10);
  Pair::carry(pair.client, pair.server);
  EXPECT_EQ(count(events_of(pair.server), Kind::readable), 1U);
}

TEST(StreamSet, SendsAllAgainWhenZeroRttWasRejectedUnderLowerLimits) {
  StreamSet set{Side::client, {}};
  wire::TransportParameters parameters;
  parameters.initial_max_data = 1000;
  parameters.initial_max_stream_data_uni = 1000;
  parameters.initial_max_streams_uni = 2;
  set.set_peer_parameters(parameters);
  const StreamId a = *set.open(false);
  const StreamId b = *set.open(false);
  write_all(set, a, 400);
  ASSERT_TRUE(set.finish(a).has_value());
  write_all(set, b, 400);
  const Packet early = write_packet(set);
  ASSERT_EQ(early.sent.size(), 2U);
  parameters.initial_max_data = 500;
  parameters.initial_max_stream_data_uni = 300;
  parameters.initial_max_streams_uni = 1;
  set.set_peer_parameters(parameters);
  tell(early, set, Fate::discarded);
  const Packet again = write_packet(set);
  EXPECT_EQ(kinds_of(again),
            (std::vector<u8>{code(FrameType::stream), code(FrameType::stream_data_blocked)}));
  EXPECT_EQ(again.sent.at(0).length, 300U);
  EXPECT_FALSE(set.has_frames()) << "the second stream is not allowed yet";
  ASSERT_TRUE(set.on_frame(wire::MaxStreamsFrame{false, 2}).has_value());
  const Packet second = write_packet(set);
  ASSERT_FALSE(second.sent.empty());
  EXPECT_EQ(second.sent[0].stream, b);
  EXPECT_EQ(second.sent[0].length, 200U) << "what the connection's limit leaves";
}

}  // namespace
}  // namespace qpeer::transport::test
