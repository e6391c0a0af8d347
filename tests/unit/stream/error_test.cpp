// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What closes the connection: each violation with its code and its frame type.
#include <gtest/gtest.h>

#include <utility>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

using Code = TransportErrorCode;
using wire::FrameType;

// Seen from the server: what the client opens is the peer's, what the server opens is its own.
constexpr StreamId kPeerBidi{0};
constexpr StreamId kOwnBidi{1};
constexpr StreamId kPeerUni{2};
constexpr StreamId kOwnUni{3};

class StreamErrors : public testing::Test {
 protected:
  StreamErrors()
      : pair_({}, {.receive_window = 1000,
                   .stream_receive_window = 600,
                   .max_streams_bidi = 3,
                   .max_streams_uni = 3,
                   .send_buffer = 10'000}) {}

  template <class F>
  void expect(const F& frame, Code code, FrameType type) {
    const Result result = pair_.server.on_frame(frame);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << to_string(result.error().code);
    EXPECT_EQ(result.error().frame_type, std::to_underlying(type));
    EXPECT_FALSE(result.error().reason.empty());
  }
  wire::StreamFrame stream(StreamId id, std::uint64_t offset, std::size_t size, bool fin = false) {
    bytes_.resize(size);
    return {id, offset, bytes_, fin};
  }
  template <class F>
  void accept(const F& frame) {
    const Result result = pair_.server.on_frame(frame);
    EXPECT_TRUE(result.has_value()) << result.error().reason;
  }

  std::vector<u8> bytes_;
  Pair pair_;
};

TEST_F(StreamErrors, FramesForTheWrongDirection) {
  ASSERT_TRUE(pair_.server.open(false).has_value());
  // [rfc9000-19.8-1] [rfc9000-19.4-1] [rfc9000-19.13-2]: what only we send on.
  expect(stream(kOwnUni, 0, 1), Code::stream_state_error, FrameType::stream);
  expect(wire::ResetStreamFrame{kOwnUni, 0, 0}, Code::stream_state_error, FrameType::reset_stream);
  expect(wire::StreamDataBlockedFrame{kOwnUni, 0}, Code::stream_state_error,
         FrameType::stream_data_blocked);
  // [rfc9000-19.5-2] [rfc9000-19.10-2]: what only the peer sends on.
  expect(wire::StopSendingFrame{kPeerUni, 0}, Code::stream_state_error, FrameType::stop_sending);
  expect(wire::MaxStreamDataFrame{kPeerUni, 0}, Code::stream_state_error,
         FrameType::max_stream_data);
}

TEST_F(StreamErrors, FramesForStreamsWeHaveNotOpened) {
  // [rfc9000-19.8-1] [rfc9000-19.5-1] [rfc9000-19.10-1]
  expect(stream(kOwnBidi, 0, 1), Code::stream_state_error, FrameType::stream);
  expect(wire::StopSendingFrame{kOwnBidi, 0}, Code::stream_state_error, FrameType::stop_sending);
  expect(wire::StopSendingFrame{kOwnUni, 0}, Code::stream_state_error, FrameType::stop_sending);
  expect(wire::MaxStreamDataFrame{kOwnBidi, 0}, Code::stream_state_error,
         FrameType::max_stream_data);
  expect(wire::ResetStreamFrame{kOwnBidi, 0, 0}, Code::stream_state_error, FrameType::reset_stream);
  expect(wire::StreamDataBlockedFrame{kOwnBidi, 0}, Code::stream_state_error,
         FrameType::stream_data_blocked);
}

TEST_F(StreamErrors, StreamsBeyondTheLimit) {  // [rfc9000-4.6-3] [rfc9000-19.11-4]
  accept(stream({8}, 0, 1));
  expect(stream({12}, 0, 1), Code::stream_limit_error, FrameType::stream);
  expect(stream({14}, 0, 1), Code::stream_limit_error, FrameType::stream);
  expect(wire::ResetStreamFrame{{12}, 0, 0}, Code::stream_limit_error, FrameType::reset_stream);
  expect(wire::StopSendingFrame{{12}, 0}, Code::stream_limit_error, FrameType::stop_sending);
  expect(wire::MaxStreamDataFrame{{12}, 0}, Code::stream_limit_error, FrameType::max_stream_data);
  expect(wire::StreamDataBlockedFrame{{14}, 0}, Code::stream_limit_error,
         FrameType::stream_data_blocked);
}

TEST_F(StreamErrors, CountsThatNoStreamIdCouldHold) {
  // [rfc9000-4.6-1] [rfc9000-19.11-1] [rfc9000-19.14-2]
  constexpr std::uint64_t kTooMany = (std::uint64_t{1} << 60) + 1;
  expect(wire::MaxStreamsFrame{true, kTooMany}, Code::frame_encoding_error,
         FrameType::max_streams_bidi);
  expect(wire::MaxStreamsFrame{false, kTooMany}, Code::frame_encoding_error,
         FrameType::max_streams_uni);
  expect(wire::StreamsBlockedFrame{true, kTooMany}, Code::frame_encoding_error,
         FrameType::streams_blocked_bidi);
  accept(wire::MaxStreamsFrame{true, kTooMany - 1});
}

TEST_F(StreamErrors, MoreDataThanAStreamMayCarry) {  // [rfc9000-4.1-2] [rfc9000-19.10-4]
  accept(stream(kPeerBidi, 599, 1));
  expect(stream(kPeerBidi, 600, 1), Code::flow_control_error, FrameType::stream);
  expect(stream(kPeerUni, 0, 601), Code::flow_control_error, FrameType::stream);
  expect(wire::ResetStreamFrame{{6}, 0, 601}, Code::flow_control_error, FrameType::reset_stream);
  // [rfc9000-19.8-2]
  expect(stream({10}, kMaxVarint, 1), Code::flow_control_error, FrameType::stream);
}

TEST_F(StreamErrors, MoreDataThanTheConnectionMayCarry) {  // [rfc9000-19.9-2]
  accept(stream(kPeerBidi, 0, 600));
  accept(stream(kPeerUni, 399, 1));
  accept(stream(kPeerUni, 0, 399));  // Fills a hole: nothing new.
  expect(stream({6}, 0, 1), Code::flow_control_error, FrameType::stream);
  expect(wire::ResetStreamFrame{{6}, 0, 1}, Code::flow_control_error, FrameType::reset_stream);
}

TEST_F(StreamErrors, FinalSizesThatChange) {  // [rfc9000-4.5-3] [rfc9000-4.5-4]
  accept(stream(kPeerBidi, 50, 50, true));
  accept(stream(kPeerBidi, 50, 50, true));
  expect(stream(kPeerBidi, 100, 1), Code::final_size_error, FrameType::stream);
  expect(stream(kPeerBidi, 0, 50, true), Code::final_size_error, FrameType::stream);
  expect(stream(kPeerBidi, 100, 1, true), Code::final_size_error, FrameType::stream);
  expect(wire::ResetStreamFrame{kPeerBidi, 0, 99}, Code::final_size_error, FrameType::reset_stream);
  accept(wire::ResetStreamFrame{kPeerBidi, 0, 100});
  expect(stream(kPeerBidi, 100, 1), Code::final_size_error, FrameType::stream);

  accept(stream(kPeerUni, 0, 100));
  expect(stream(kPeerUni, 0, 99, true), Code::final_size_error, FrameType::stream);
  expect(wire::ResetStreamFrame{kPeerUni, 0, 99}, Code::final_size_error, FrameType::reset_stream);
}

TEST_F(StreamErrors, DataOfStreamsThatAreOverIsLateAndNoError) {
  accept(stream(kPeerUni, 0, 10, true));
  events_of(pair_.server);
  pair_.server.consume(kPeerUni, 10);
  EXPECT_EQ(pair_.server.open_streams(), 0U);
  accept(stream(kPeerUni, 0, 10, true));
  accept(wire::ResetStreamFrame{kPeerUni, 0, 10});
  accept(wire::StreamDataBlockedFrame{kPeerUni, 0});
  EXPECT_EQ(pair_.server.open_streams(), 0U);
  EXPECT_TRUE(events_of(pair_.server).empty());
}

TEST_F(StreamErrors, TooManyGaps) {
  StreamSet server{Side::server, {}};
  const std::array<u8, 1> byte{};
  Result result;
  for (std::uint64_t i = 0; result.has_value() && i <= RecvBuffer::kMaxGaps; ++i) {
    result = server.on_frame(wire::StreamFrame{kPeerBidi, 2 * i + 1, byte, false});
  }
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::internal_error);
}

TEST_F(StreamErrors, MisuseIsAnErrorAndChangesNothing) {
  StreamSet& server = pair_.server;
  accept(stream(kPeerUni, 0, 0));
  const auto own = server.open(false);
  EXPECT_EQ(server.write(kPeerUni, {}).error(), StreamError::wrong_direction);
  EXPECT_EQ(server.reset(kPeerUni, 0).error(), StreamError::wrong_direction);
  EXPECT_EQ(server.peek(*own).error(), StreamError::wrong_direction);
  EXPECT_EQ(server.stop_sending(*own, 0).error(), StreamError::wrong_direction);
  EXPECT_EQ(server.write({5}, {}).error(), StreamError::unknown_stream);
  EXPECT_EQ(server.peek({4}).error(), StreamError::unknown_stream);
  server.consume({4}, 10);
  server.consume(*own, 10);
  ASSERT_TRUE(server.finish(*own).has_value());
  EXPECT_EQ(server.finish(*own).error(), StreamError::finished);
  EXPECT_EQ(server.write(*own, {}).error(), StreamError::finished);
  ASSERT_TRUE(server.reset(*own, 1).has_value());
  EXPECT_EQ(server.reset(*own, 2).error(), StreamError::finished);
  ASSERT_TRUE(server.stop_sending(kPeerUni, 1).has_value());
  EXPECT_EQ(server.stop_sending(kPeerUni, 1).error(), StreamError::finished);
  EXPECT_EQ(server.peek(kPeerUni).error(), StreamError::finished);
}

}  // namespace
}  // namespace qpeer::transport::test
