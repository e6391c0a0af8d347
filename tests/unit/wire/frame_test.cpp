// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What holds for every frame: its layout, its way there and back, its end at every byte.
#include "qpeer/transport/wire/frame.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "qpeer/tests/unit/wire/wire_testing.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

/// A random frame of each kind; `data` backs its views.
std::vector<Frame> random_frames(Values& values, const std::vector<u8>& data) {
  const auto piece = [&] { return Bytes(data).first(values.below(data.size() + 1)); };
  const auto stream = [&] { return StreamId{values.varint()}; };
  const std::uint64_t sequence = values.varint();
  return {
      StreamFrame{.stream_id = stream(),
                  .offset = values.varint() / 2,
                  .data = piece(),
                  .fin = values.flag()},
      PingFrame{},
      ResetStreamFrame{.stream_id = stream(),
                       .application_error_code = values.varint(),
                       .final_size = values.varint()},
      StopSendingFrame{.stream_id = stream(), .application_error_code = values.varint()},
      CryptoFrame{.offset = values.varint() / 2, .data = piece()},
      NewTokenFrame{.token = Bytes(data).first(1 + values.below(data.size()))},
      MaxDataFrame{.maximum_data = values.varint()},
      MaxStreamDataFrame{.stream_id = stream(), .maximum_stream_data = values.varint()},
      MaxStreamsFrame{.bidirectional = values.flag(), .maximum_streams = values.varint() / 4},
      DataBlockedFrame{.maximum_data = values.varint()},
      StreamDataBlockedFrame{.stream_id = stream(), .maximum_stream_data = values.varint()},
      StreamsBlockedFrame{.bidirectional = values.flag(), .maximum_streams = values.varint() / 4},
      NewConnectionIdFrame{.sequence_number = sequence,
                           .retire_prior_to = values.below(sequence + 1),
                           .connection_id = values.connection_id(1),
                           .stateless_reset_token = values.array<16>()},
      RetireConnectionIdFrame{.sequence_number = values.varint()},
      PathChallengeFrame{.data = values.array<8>()},
      PathResponseFrame{.data = values.array<8>()},
      ConnectionCloseFrame{.application = false,
                           .error_code = values.varint(),
                           .frame_type = values.varint(),
                           .reason_phrase = piece()},
      ConnectionCloseFrame{
          .application = true, .error_code = values.varint(), .reason_phrase = piece()},
      HandshakeDoneFrame{},
      DatagramFrame{.data = piece()},
      AckFrequencyFrame{.sequence_number = values.varint(),
                        .ack_eliciting_threshold = values.varint(),
                        .requested_max_ack_delay = values.varint(),
                        .reordering_threshold = values.varint()},
      ImmediateAckFrame{},
      ObservedAddressFrame{.sequence_number = values.varint(),
                           .address = SocketAddress::ipv4(
                               values.array<4>(), static_cast<std::uint16_t>(values.varint()))},
      ObservedAddressFrame{.sequence_number = values.varint(),
                           .address = SocketAddress::ipv6(
                               values.array<16>(), static_cast<std::uint16_t>(values.varint()))},
  };
}

TEST(Frame, EveryKindRoundTripsWithRandomValues) {
  Values values{19};
  const std::vector<u8> data = values.bytes(100);
  for (int i = 0; i < 500; ++i) {
    for (const Frame& frame : random_frames(values, data)) {
      const std::vector<u8> bytes = encoded(frame);
      Reader in{bytes};
      const auto back = decode_frame(in, PacketType::one_rtt);
      ASSERT_TRUE(back.has_value()) << back.error().reason;
      EXPECT_EQ(back->index(), frame.index());
      EXPECT_TRUE(in.empty());
      EXPECT_EQ(encoded(*back), bytes);
    }
  }
}

TEST(Frame, EveryKindIsRefusedWhenCutAtAnyByte) {
  Values values{20};
  const std::vector<u8> data = values.bytes(100);
  for (int i = 0; i < 20; ++i) {
    for (const Frame& frame : random_frames(values, data)) {
      const std::vector<u8> bytes = encoded(frame);
      const std::uint64_t type = Reader{bytes}.varint();
      for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        expect_refused(Bytes(bytes).first(cut), TransportErrorCode::frame_encoding_error,
                       cut < varint_size(type) ? 0 : type);
      }
    }
  }
}

TEST(Frame, NoneIsWrittenPastTheEndOfItsStorage) {
  Values values{21};
  const std::vector<u8> data = values.bytes(100);
  for (const Frame& frame : random_frames(values, data)) {
    const std::size_t size = encoded(frame).size();
    for (std::size_t room = 0; room < size; ++room) {
      std::vector<u8> storage(room);
      Writer out{storage};
      std::visit([&](const auto& each) { each.encode(out); }, frame);
      EXPECT_FALSE(out.ok());
    }
  }
}

struct Layout {
  Frame frame;
  std::string_view bytes;
};

constexpr std::array<u8, 3> kAbc{'a', 'b', 'c'};
constexpr std::array<u8, 8> kEight{1, 2, 3, 4, 5, 6, 7, 8};
constexpr StatelessResetToken kToken{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

TEST(Frame, EveryKindHasTheLayoutOfTheRfc) {
  // RFC 9000 §19.1 to §19.20, RFC 9221 §4, draft-ietf-quic-address-discovery §4.1, by hand.
  const std::vector<Layout> layouts{
      {PaddingFrame{.length = 3}, "00 00 00"},
      {PingFrame{}, "01"},
      {ResetStreamFrame{.stream_id = {4}, .application_error_code = 64, .final_size = 16384},
       "04 04 4040 80004000"},
      {StopSendingFrame{.stream_id = {7}, .application_error_code = 1}, "05 07 01"},
      {CryptoFrame{.offset = 64, .data = kAbc}, "06 4040 03 616263"},
      {NewTokenFrame{.token = kAbc}, "07 03 616263"},
      {StreamFrame{.stream_id = {4}, .data = kAbc}, "0a 04 03 616263"},
      {StreamFrame{.stream_id = {4}, .offset = 9, .data = kAbc}, "0e 04 09 03 616263"},
      {StreamFrame{.stream_id = {4}, .offset = 9, .data = {}, .fin = true}, "0f 04 09 00"},
      {MaxDataFrame{.maximum_data = 70'000}, "10 80011170"},
      {MaxStreamDataFrame{.stream_id = {4}, .maximum_stream_data = 1}, "11 04 01"},
      {MaxStreamsFrame{.bidirectional = true, .maximum_streams = 5}, "12 05"},
      {MaxStreamsFrame{.bidirectional = false, .maximum_streams = 5}, "13 05"},
      {DataBlockedFrame{.maximum_data = 2}, "14 02"},
      {StreamDataBlockedFrame{.stream_id = {4}, .maximum_stream_data = 3}, "15 04 03"},
      {StreamsBlockedFrame{.bidirectional = true, .maximum_streams = 6}, "16 06"},
      {StreamsBlockedFrame{.bidirectional = false, .maximum_streams = 6}, "17 06"},
      {NewConnectionIdFrame{.sequence_number = 2,
                            .retire_prior_to = 1,
                            .connection_id = ConnectionId(kAbc),
                            .stateless_reset_token = kToken},
       "18 02 01 03 616263 000102030405060708090a0b0c0d0e0f"},
      {RetireConnectionIdFrame{.sequence_number = 3}, "19 03"},
      {PathChallengeFrame{.data = kEight}, "1a 0102030405060708"},
      {PathResponseFrame{.data = kEight}, "1b 0102030405060708"},
      {ConnectionCloseFrame{.error_code = 10, .frame_type = 6, .reason_phrase = kAbc},
       "1c 0a 06 03 616263"},
      {ConnectionCloseFrame{.application = true, .error_code = 10, .reason_phrase = kAbc},
       "1d 0a 03 616263"},
      {HandshakeDoneFrame{}, "1e"},
      {ImmediateAckFrame{}, "1f"},
      {DatagramFrame{.data = kAbc}, "31 03 616263"},
      {AckFrequencyFrame{.sequence_number = 2,
                         .ack_eliciting_threshold = 64,
                         .requested_max_ack_delay = 10'000,
                         .reordering_threshold = 3},
       "40af 02 4040 6710 03"},
      {ObservedAddressFrame{.sequence_number = 64,
                            .address = SocketAddress::ipv4({192, 0, 2, 1}, 443)},
       "809f81a6 4040 c0000201 01bb"},
      {ObservedAddressFrame{.sequence_number = 1,
                            .address = *SocketAddress::parse("[2001:db8::1]:4433")},
       "809f81a7 01 20010db8000000000000000000000001 1151"},
  };
  for (const Layout& layout : layouts) EXPECT_EQ(encoded(layout.frame), hex(layout.bytes));
}

TEST(Frame, CodecsRunAtCompileTime) {
  constexpr bool kRoundTrips = [] {
    std::array<u8, 16> storage{};
    Writer out{storage};
    MaxStreamDataFrame{.stream_id = {4}, .maximum_stream_data = 70'000}.encode(out);
    Reader in{out.written()};
    in.varint();
    return MaxStreamDataFrame::decode(in).maximum_stream_data == 70'000 && in.ok();
  }();
  static_assert(kRoundTrips);
}

}  // namespace
}  // namespace qpeer::wire
