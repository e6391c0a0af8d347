// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Flow control of a stream set: what it may send, and what credit it gives.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

using Kind = StreamEvent::Kind;
using wire::FrameType;

// [rfc9000-4.1-1] [rfc9000-4.1-3] [rfc9000-4.1-4] [rfc9000-19.13-1] [rfc9000-19.10-3]
// [rfc9000-2.2-4]
TEST(StreamSet, StopsAtTheStreamsLimitAndSaysSoOnce) {
  Pair pair{{}, {.stream_receive_window = 100}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 500);
  const Packet packet = write_packet(pair.client);
  ASSERT_EQ(kinds_of(packet),
            (std::vector<u8>{code(FrameType::stream), code(FrameType::stream_data_blocked)}));
  EXPECT_EQ(packet.sent[0].length, 100U);
  EXPECT_EQ(packet.sent[1].offset, 100U);
  EXPECT_FALSE(pair.client.has_frames());
  tell(packet, pair.client, Fate::lost);
  EXPECT_EQ(kinds_of(write_packet(pair.client)),
            (std::vector<u8>{code(FrameType::stream_data_blocked), code(FrameType::stream)}));
  ASSERT_TRUE(pair.client.on_frame(wire::MaxStreamDataFrame{id, 90}).has_value());
  EXPECT_FALSE(pair.client.has_frames());
  ASSERT_TRUE(pair.client.on_frame(wire::MaxStreamDataFrame{id, 250}).has_value());
  EXPECT_EQ(write_packet(pair.client).sent.at(0).length, 150U);
}

TEST(StreamSet, StopsAtTheConnectionsLimitAndSaysSoOnce) {  // [rfc9000-4.1-4] [rfc9000-19.12-1]
  Pair pair{{}, {.receive_window = 150}};
  const StreamId a = *pair.client.open(false);
  const StreamId b = *pair.client.open(false);
  write_all(pair.client, a, 100);
  write_all(pair.client, b, 100);
  const Packet packet = write_packet(pair.client);
  ASSERT_EQ(kinds_of(packet), (std::vector<u8>{code(FrameType::stream), code(FrameType::stream),
                                               code(FrameType::data_blocked)}));
  EXPECT_EQ(packet.sent[1].length, 50U);
  EXPECT_EQ(packet.sent[2].offset, 150U);
  EXPECT_FALSE(pair.client.has_frames());
  ASSERT_TRUE(pair.client.finish(a).has_value());
  EXPECT_EQ(write_packet(pair.client).sent.at(0).length, 0U) << "FIN needs no credit";
  ASSERT_TRUE(pair.client.on_frame(wire::MaxDataFrame{140}).has_value());
  EXPECT_FALSE(pair.client.has_frames());
  ASSERT_TRUE(pair.client.on_frame(wire::MaxDataFrame{160}).has_value());
  EXPECT_EQ(write_packet(pair.client).sent.at(0).length, 10U);
}

TEST(StreamSet, SaysThatItIsBlockedWhenItWantsToSendMore) {  // [rfc9000-19.12-1]
  Pair pair{{}, {.receive_window = 100}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 100);
  EXPECT_EQ(write_packet(pair.client).sent.size(), 1U) << "all is sent: nothing is held back";
  write_all(pair.client, id, 1);
  const Packet packet = write_packet(pair.client);
  ASSERT_EQ(kinds_of(packet), std::vector<u8>{code(FrameType::data_blocked)});
  tell(packet, pair.client, Fate::lost);
  EXPECT_EQ(write_packet(pair.client).payload, packet.payload);
  ASSERT_TRUE(pair.client.reset(id, 0).has_value());
  tell(packet, pair.client, Fate::lost);
  EXPECT_EQ(kinds_of(write_packet(pair.client)), std::vector<u8>{code(FrameType::reset_stream)});
}

TEST(StreamSet, SendsNoBlockedFrameForALimitThatWasRaisedMeanwhile) {
  Pair pair{{}, {.receive_window = 100}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 100);
  write_packet(pair.client);
  write_all(pair.client, id, 1);
  ASSERT_TRUE(pair.client.on_frame(wire::MaxDataFrame{200}).has_value());
  EXPECT_EQ(kinds_of(write_packet(pair.client)), std::vector<u8>{code(FrameType::stream)});
}

TEST(StreamSet, GivesCreditAfterHalfAWindow) {  // [rfc9000-4.2-2] [rfc9000-13.3-5]
  Pair pair{{}, {.receive_window = 1000, .stream_receive_window = 1000}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 1000);
  Pair::carry(pair.client, pair.server);
  pair.server.consume(id, 499);
  EXPECT_FALSE(pair.server.has_frames());
  pair.server.consume(id, 1);
  const Packet packet = write_packet(pair.server);
  ASSERT_EQ(kinds_of(packet),
            (std::vector<u8>{code(FrameType::max_stream_data), code(FrameType::max_data)}));
  EXPECT_EQ(packet.sent[0].offset, 1500U);
  EXPECT_EQ(packet.sent[1].offset, 1500U);
  pair.server.consume(id, 500);
  const Packet newer = write_packet(pair.server);
  EXPECT_EQ(newer.sent.at(1).offset, 2000U);
  tell(packet, pair.server, Fate::lost);
  EXPECT_FALSE(pair.server.has_frames()) << "a newer frame is under way";
  tell(newer, pair.server, Fate::lost);
  EXPECT_EQ(write_packet(pair.server).payload, newer.payload);
  ASSERT_TRUE(deliver(newer, pair.client).has_value());
  ASSERT_TRUE(deliver(packet, pair.client).has_value());
}

TEST(StreamSet, GivesCreditSoonerToAPeerThatIsBlocked) {
  Pair pair{{}, {.receive_window = 1000, .stream_receive_window = 1000}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 1000);
  Pair::carry(pair.client, pair.server);
  pair.server.consume(id, 10);
  ASSERT_TRUE(pair.server.on_frame(wire::DataBlockedFrame{1000}).has_value());
  ASSERT_TRUE(pair.server.on_frame(wire::StreamDataBlockedFrame{id, 1000}).has_value());
  EXPECT_EQ(write_packet(pair.server).sent.size(), 2U);
}

TEST(StreamSet, GivesNoCreditToAStreamWhoseSizeIsKnown) {  // [rfc9000-13.3-2]
  Pair pair{{}, {.stream_receive_window = 1000}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 1000);
  ASSERT_TRUE(pair.client.finish(id).has_value());
  Pair::carry(pair.client, pair.server);
  pair.server.consume(id, 900);
  EXPECT_FALSE(pair.server.has_frames());
}

TEST(StreamSet, CountsWhatItDropsAfterStopSending) {
  Pair pair{{}, {.receive_window = 1000, .stream_receive_window = 1000}};
  const StreamId id = *pair.client.open(false);
  write_all(pair.client, id, 100);
  Pair::carry(pair.client, pair.server);
  ASSERT_TRUE(pair.server.stop_sending(id, 1).has_value());
  EXPECT_EQ(pair.server.buffered_bytes(), 0U);
  write_packet(pair.server);
  const auto more = pattern(id, 100, 800);
  ASSERT_TRUE(pair.server.on_frame(wire::StreamFrame{id, 100, more, false}).has_value());
  EXPECT_EQ(pair.server.buffered_bytes(), 0U);
  EXPECT_EQ(kinds_of(write_packet(pair.server)), std::vector<u8>{code(FrameType::max_data)});
  ASSERT_TRUE(pair.server.on_frame(wire::StreamFrame{id, 900, {}, true}).has_value());
  events_of(pair.server);
  EXPECT_EQ(pair.server.open_streams(), 0U);
}

// STOP_SENDING for a stream that we have reset, or one that comes again, is no news for the
// application and sets off no other RESET_STREAM. [rfc9000-3.5-4]: lost data is not sent again.
// [rfc9000-3.5-5]: the code is that of what came first.
TEST(StreamSet, AStreamIsStoppedOnce) {
  for (const bool is_reset : {false, true}) {
    Pair pair{{}, {}};
    const StreamId id = *pair.client.open(false);
    write_all(pair.client, id, 100);
    const Packet data = write_packet(pair.client);
    Packet answer;
    if (is_reset) {
      ASSERT_TRUE(pair.client.reset(id, 1).has_value());
      answer = write_packet(pair.client);
      events_of(pair.client);
    }
    const auto stopped = [&] {
      EXPECT_TRUE(pair.client.on_frame(wire::StopSendingFrame{id, 7}).has_value());
      std::size_t count = 0;
      for (const StreamEvent& event : events_of(pair.client)) {
        count += event.kind == StreamEvent::Kind::stopped ? 1 : 0;
      }
      return count;
    };
    EXPECT_EQ(stopped(), is_reset ? 0U : 1U);
    EXPECT_EQ(pair.client.has_frames(), !is_reset);
    if (!is_reset) answer = write_packet(pair.client);
    ASSERT_EQ(kinds_of(answer), std::vector<u8>{code(FrameType::reset_stream)});
    const auto frames = frames_of(answer);
    EXPECT_EQ(find<wire::ResetStreamFrame>(frames)->application_error_code, is_reset ? 1U : 7U);
    EXPECT_EQ(stopped(), 0U);
    EXPECT_FALSE(pair.client.has_frames());
    tell(data, pair.client, Fate::lost);
    EXPECT_FALSE(pair.client.has_frames()) << "the data is not sent again";
    tell(answer, pair.client, Fate::lost);
    EXPECT_EQ(write_packet(pair.client).payload, answer.payload);
  }
}

// [rfc9000-19.9-1]: what a reset stream has used stays used.
TEST(StreamSet, CountsTheFinalSizesOfResetStreams) {
  Pair pair{{}, {.receive_window = 1000}};
  const StreamId a = *pair.client.open(false);
  write_all(pair.client, a, 600);
  write_packet(pair.client);  // Never arrives.
  ASSERT_TRUE(pair.client.reset(a, 1).has_value());
  const Packet reset = write_packet(pair.client);
  EXPECT_EQ(reset.sent.at(0).offset, 600U);
  const StreamId b = *pair.client.open(false);
  write_all(pair.client, b, 600);
  EXPECT_EQ(write_packet(pair.client).sent.at(0).length, 400U);
}

// [rfc9000-4.4-1] [rfc9000-3.5-4]: one direction is over, the other keeps its limits.
TEST(StreamSet, KeepsTheCreditOfADirectionWhenTheOtherIsOver) {
  Pair pair{{.stream_receive_window = 100}, {}};
  const StreamId id = *pair.client.open(true);
  ASSERT_TRUE(pair.client.reset(id, 1).has_value());
  pair.settle();
  EXPECT_EQ(pair.server.peek(id).error(), StreamError::reset);
  write_all(pair.server, id, 300);
  const Packet first = write_packet(pair.server);
  EXPECT_EQ(first.sent.at(0).length, 100U);
  ASSERT_TRUE(deliver(first, pair.client).has_value());
  pair.client.consume(id, 100);
  const Packet credit = write_packet(pair.client);
  ASSERT_EQ(kinds_of(credit), std::vector<u8>{code(FrameType::max_stream_data)});
  ASSERT_TRUE(deliver(credit, pair.server).has_value());
  EXPECT_EQ(write_packet(pair.server).sent.at(0).length, 100U);
}

}  // namespace
}  // namespace qpeer::transport::test
