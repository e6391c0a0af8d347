// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/crypto_stream.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

std::vector<u8> pattern(std::size_t size) {
  std::vector<u8> out(size);
  std::iota(out.begin(), out.end(), u8{1});
  return out;
}

/// What one packet of `size` bytes would carry.
std::vector<SentFrame> write(CryptoStream& stream, std::size_t size) {
  std::vector<u8> storage(size);
  PacketWriter out(storage, wire::PacketType::initial);
  stream.write_frames(out);
  return {out.sent_frames().begin(), out.sent_frames().end()};
}

TEST(CryptoStream, SpreadsAMessageOverPackets) {
  CryptoStream stream;
  stream.send(pattern(1500));
  std::uint64_t sent = 0;
  for (int packets = 0; packets < 3 && stream.has_frames(); ++packets) {
    for (const SentFrame& frame : write(stream, 600)) {
      EXPECT_EQ(frame.offset, sent);
      sent += frame.length;
    }
  }
  EXPECT_EQ(sent, 1500U);
  EXPECT_FALSE(stream.has_frames());
}

TEST(CryptoStream, ResendsOnlyWhatIsLostAndNotAcknowledged) {
  CryptoStream stream;
  stream.send(pattern(1500));
  const auto first = write(stream, 600);
  const auto second = write(stream, 600);
  write(stream, 600);
  ASSERT_EQ(first.size(), 1U);
  ASSERT_EQ(second.size(), 1U);
  stream.on_fate(first[0], Fate::lost);
  stream.on_fate(second[0], Fate::lost);
  stream.on_fate(second[0], Fate::acked);  // The loss was spurious.
  const auto again = write(stream, 1200);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].offset, first[0].offset);
  EXPECT_EQ(again[0].length, first[0].length);
  stream.on_fate(second[0], Fate::lost);  // Told twice, and too late.
  EXPECT_FALSE(stream.has_frames());
}

TEST(CryptoStream, NeedsRoomForAtLeastAByte) {
  CryptoStream stream;
  stream.send(pattern(10));
  EXPECT_TRUE(write(stream, 3).empty());
  EXPECT_TRUE(stream.has_frames());
}

TEST(CryptoStream, PutsPiecesInOrder) {
  const auto data = pattern(300);
  CryptoStream stream;
  const auto piece = [&](std::size_t begin, std::size_t end) {
    return wire::CryptoFrame{.offset = begin, .data = Bytes(data).subspan(begin, end - begin)};
  };
  ASSERT_TRUE(stream.on_frame(piece(200, 300)));
  EXPECT_TRUE(stream.peek().empty());
  ASSERT_TRUE(stream.on_frame(piece(0, 120)));
  EXPECT_TRUE(equal(stream.peek(), Bytes(data).first(120)));
  stream.consume(100);
  ASSERT_TRUE(stream.on_frame(piece(90, 210)));  // Overlaps what is known on both sides.
  EXPECT_TRUE(equal(stream.peek(), Bytes(data).subspan(100)));
  stream.consume(200);
  ASSERT_TRUE(stream.on_frame(piece(0, 300)));  // A late repeat.
  EXPECT_TRUE(stream.peek().empty());
}

TEST(CryptoStream, TakesAByteAtATimeBeforeAFarOne) {
  const auto data = pattern(2'000);
  CryptoStream stream(4096);
  ASSERT_TRUE(stream.on_frame({.offset = 1'900, .data = Bytes(data).subspan(1'900)}));
  for (std::size_t at = 0; at < 1'900; ++at) {
    EXPECT_TRUE(stream.has_gap());
    ASSERT_TRUE(stream.on_frame({.offset = at, .data = Bytes(data).subspan(at, 1)}));
    const std::size_t size = at == 1'899 ? 101 : 1;
    ASSERT_TRUE(equal(stream.peek(), Bytes(data).subspan(at, size)));
    stream.consume(size);
  }
  EXPECT_FALSE(stream.has_gap());
  EXPECT_TRUE(stream.peek().empty());
}

// [rfc9000-7.5-1], [rfc9000-7.5-3]
TEST(CryptoStream, BuffersUpToItsLimitAndNoByteMore) {
  const auto data = pattern(1);
  CryptoStream stream(4096);
  EXPECT_TRUE(stream.on_frame({.offset = 4095, .data = data}));
  const Result result = stream.on_frame({.offset = 4096, .data = data});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, TransportErrorCode::crypto_buffer_exceeded);
}

// Each at its offset, so many that no handshake makes them: [rfc9000-7.5-3].
TEST(CryptoStream, TakesAThousandPiecesAndNotMore) {
  const auto data = pattern(1);
  CryptoStream stream;
  for (std::uint64_t i = 0; i < IntervalSet::kDefaultMaxRanges; ++i) {
    ASSERT_TRUE(stream.on_frame({.offset = 2 * i + 1, .data = data}));
  }
  EXPECT_TRUE(stream.on_frame({.offset = 1, .data = data})) << "a repeat is no further piece";
  const Result result =
      stream.on_frame({.offset = 2 * IntervalSet::kDefaultMaxRanges + 1, .data = data});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, TransportErrorCode::crypto_buffer_exceeded);
}

}  // namespace
}  // namespace qpeer::transport
