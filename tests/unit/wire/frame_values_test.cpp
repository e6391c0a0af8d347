// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The values that a frame's codec checks, and the fields that the flags of its type switch on.
#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/wire/wire_testing.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;
constexpr auto kEncodingError = TransportErrorCode::frame_encoding_error;

TEST(PaddingFrame, ARunIsOneFrame) {
  for (const std::size_t length : {1U, 2U, 7U, 8U, 9U, 16U, 17U, 1100U}) {
    std::vector<u8> bytes(length, 0);
    EXPECT_EQ(decoded<PaddingFrame>(bytes).length, length);
    EXPECT_EQ(encoded(PaddingFrame{.length = length}), bytes);
    bytes.push_back(0x01);
    Reader in{bytes};
    const auto frame = decode_frame(in, PacketType::initial);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(std::get<PaddingFrame>(*frame).length, length);
    EXPECT_EQ(in.remaining(), 1U) << "the next frame is untouched";
  }
}

TEST(StreamFrame, FlagsSwitchItsFields) {
  struct Case {
    std::string_view bytes;
    std::uint64_t offset;
    std::size_t size;
    bool fin;
  };
  for (const auto& [bytes, offset, size, fin] : std::vector<Case>{
           {"08 04 616263", 0, 3, false},
           {"09 04 616263", 0, 3, true},
           {"0a 04 02 6162", 0, 2, false},
           {"0b 04 02 6162", 0, 2, true},
           {"0c 04 05 616263", 5, 3, false},
           {"0d 04 05 616263", 5, 3, true},
           {"0e 04 05 02 6162", 5, 2, false},
           {"0f 04 05 02 6162", 5, 2, true},
           {"08 04", 0, 0, false},
       }) {
    const auto raw = hex(bytes);
    const auto frame = decoded<StreamFrame>(raw);
    EXPECT_EQ(frame.stream_id.value, 4U);
    EXPECT_EQ(frame.offset, offset);
    EXPECT_EQ(frame.data.size(), size);
    EXPECT_EQ(frame.fin, fin);
  }
}

TEST(StreamFrame, HeaderMakesRoomForDataWrittenByOthers) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{70'000}}) {
    for (const auto length : {std::optional<std::size_t>{}, std::optional<std::size_t>{3}}) {
      std::array<u8, 64> storage{};
      Writer out{storage};
      StreamFrame::encode_header(out, {400}, offset, length, true);
      EXPECT_EQ(out.size(), StreamFrame::header_size({400}, offset, length));
      out.bytes(as_bytes("abc"));
      const auto frame = decoded<StreamFrame>(out.written());
      EXPECT_EQ(as_text(frame.data), "abc");
      EXPECT_EQ(frame.offset, offset);
      EXPECT_EQ(frame.stream_id.value, 400U);
      EXPECT_TRUE(frame.fin);
    }
  }
}

// [rfc9000-19.8-2]
TEST(StreamFrame, IsRefusedWhenItEndsPastTheLargestOffset) {
  EXPECT_EQ(decoded<StreamFrame>(hex("0e 04 fffffffffffffffe 01 61")).offset, kMaxVarint - 1);
  EXPECT_EQ(decoded<StreamFrame>(hex("0e 04 ffffffffffffffff 00")).offset, kMaxVarint);
  expect_refused(hex("0e 04 ffffffffffffffff 01 61"), kEncodingError, 0x0e);
  expect_refused(hex("0c 04 fffffffffffffffe 6161"), kEncodingError, 0x0c);
}

// [rfc9000-19.6-1]
TEST(CryptoFrame, IsRefusedWhenItEndsPastTheLargestOffset) {
  EXPECT_EQ(decoded<CryptoFrame>(hex("06 fffffffffffffffe 01 61")).data.size(), 1U);
  expect_refused(hex("06 ffffffffffffffff 01 61"), kEncodingError, 0x06);
}

TEST(CryptoFrame, HeaderMakesRoomForDataWrittenByOthers) {
  std::array<u8, 64> storage{};
  Writer out{storage};
  CryptoFrame::encode_header(out, 70'000, 3);
  EXPECT_EQ(out.size(), CryptoFrame::header_size(70'000, 3));
  out.bytes(as_bytes("abc"));
  EXPECT_EQ(as_text(decoded<CryptoFrame>(out.written()).data), "abc");
}

// [rfc9000-19.7-2]
TEST(NewTokenFrame, IsRefusedWhenEmpty) { expect_refused(hex("07 00"), kEncodingError, 0x07); }

// [rfc9000-19.11-1] [rfc9000-4.6-1]
TEST(MaxStreamsFrame, IsRefusedAboveTwoToTheSixtieth) {
  for (const std::string_view type : {"12", "13"}) {
    const auto at = hex(std::string(type) + "d000000000000000");
    const auto above = hex(std::string(type) + "d000000000000001");
    EXPECT_EQ(decoded<MaxStreamsFrame>(at).maximum_streams, kMaxStreams);
    EXPECT_EQ(decoded<MaxStreamsFrame>(at).bidirectional, type == "12");
    expect_refused(above, kEncodingError, above[0]);
  }
}

// [rfc9000-19.14-2]
TEST(StreamsBlockedFrame, IsRefusedAboveTwoToTheSixtieth) {
  for (const std::string_view type : {"16", "17"}) {
    const auto at = hex(std::string(type) + "d000000000000000");
    const auto above = hex(std::string(type) + "d000000000000001");
    EXPECT_EQ(decoded<StreamsBlockedFrame>(at).maximum_streams, kMaxStreams);
    EXPECT_EQ(decoded<StreamsBlockedFrame>(at).bidirectional, type == "16");
    expect_refused(above, kEncodingError, above[0]);
  }
}

std::vector<u8> new_connection_id(u8 sequence, u8 retire_prior_to, u8 length) {
  std::vector<u8> out(std::size_t{4} + length + 16, 0x55);
  std::ranges::copy(std::array<u8, 4>{0x18, sequence, retire_prior_to, length}, out.begin());
  return out;
}

// [rfc9000-19.15-1]
TEST(NewConnectionIdFrame, IsRefusedUnlessItsIdHasOneToTwentyBytes) {
  for (unsigned length = 1; length <= 20; ++length) {
    const auto frame =
        decoded<NewConnectionIdFrame>(new_connection_id(1, 0, static_cast<u8>(length)));
    EXPECT_EQ(frame.connection_id.size(), length);
  }
  expect_refused(new_connection_id(1, 0, 0), kEncodingError, 0x18);
  expect_refused(new_connection_id(1, 0, 21), kEncodingError, 0x18);
  expect_refused(new_connection_id(1, 0, 255), kEncodingError, 0x18);
}

// [rfc9000-19.15-6] [rfc9000-19.15-7]
TEST(NewConnectionIdFrame, IsRefusedWhenItRetiresItself) {
  EXPECT_EQ(decoded<NewConnectionIdFrame>(new_connection_id(5, 5, 8)).retire_prior_to, 5U);
  expect_refused(new_connection_id(5, 6, 8), kEncodingError, 0x18);
}

TEST(ConnectionCloseFrame, OnlyTheTransportsNamesAFrame) {
  const auto transport = decoded<ConnectionCloseFrame>(hex("1c 4100 06 02 6869"));
  EXPECT_FALSE(transport.application);
  EXPECT_EQ(transport.error_code, 0x100U);
  EXPECT_EQ(transport.frame_type, 6U);
  const auto application = decoded<ConnectionCloseFrame>(hex("1d 05 00"));
  EXPECT_TRUE(application.application);
  EXPECT_EQ(application.error_code, 5U);
  EXPECT_TRUE(application.reason_phrase.empty());
}

TEST(DatagramFrame, FlagSwitchesItsLength) {
  EXPECT_EQ(decoded<DatagramFrame>(hex("30 616263")).data.size(), 3U);
  EXPECT_EQ(decoded<DatagramFrame>(hex("30")).data.size(), 0U);
  EXPECT_EQ(decoded<DatagramFrame>(hex("31 02 6162")).data.size(), 2U);
  for (const auto length : {std::optional<std::size_t>{}, std::optional<std::size_t>{3}}) {
    std::array<u8, 64> storage{};
    Writer out{storage};
    DatagramFrame::encode_header(out, length);
    EXPECT_EQ(out.size(), DatagramFrame::header_size(length));
    out.bytes(as_bytes("abc"));
    EXPECT_EQ(as_text(decoded<DatagramFrame>(out.written()).data), "abc");
  }
}

}  // namespace
}  // namespace qpeer::wire
