// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/packet_number.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/wire/wire_testing.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

// [rfc9000-17.1-2]
TEST(PacketNumber, IsAsShortAsWhatIsUnacknowledgedAllows) {
  struct Case {
    PacketNumber full;
    std::optional<PacketNumber> largest_acked;
    std::string_view bytes;
  };
  for (const auto& [full, largest_acked, bytes] : std::vector<Case>{
           // RFC 9000 §A.2.
           {0xac5c02, 0xabe8b3, "5c02"},
           {0xace8fe, 0xabe8b3, "ace8fe"},
           // Either side of each border.
           {0, std::nullopt, "00"},
           {127, std::nullopt, "7f"},
           {128, std::nullopt, "0080"},
           {255, std::nullopt, "00ff"},
           {1, 0, "01"},
           {128, 0, "80"},
           {129, 0, "0081"},
           {32'768, 0, "8000"},
           {32'769, 0, "008001"},
           {8'388'608, 0, "800000"},
           {8'388'609, 0, "00800001"},
           {kMaxPacketNumber, kMaxPacketNumber - 1, "ff"},
           {kMaxPacketNumber, 0, "ffffffff"},
       }) {
    const std::size_t length = encode_packet_number_length(full, largest_acked);
    std::array<u8, 4> storage{};
    Writer out{storage};
    write_packet_number(out, full, length);
    EXPECT_EQ(to_vector(out.written()), hex(bytes)) << full;
  }
}

TEST(PacketNumber, IsFoundNearestToTheOneExpected) {
  struct Case {
    PacketNumber largest;
    std::uint64_t truncated;
    std::size_t length;
    PacketNumber decoded;
  };
  for (const auto& [largest, truncated, length, decoded] : std::vector<Case>{
           {0xa82f30ea, 0x9b32, 2, 0xa82f9b32},  // RFC 9000 §A.3.
           {255, 0, 1, 256},
           {255, 127, 1, 383},
           {255, 128, 1, 384},
           {255, 129, 1, 129},
           {255, 255, 1, 255},
           {0, 255, 1, 255},
           {0, 0, 1, 0},
           {127, 255, 1, 255},
           {128, 255, 1, 255},
           {65'535, 0, 2, 65'536},
           {65'536, 65'535, 2, 65'535},
           {11'266'227, 23'554, 2, 11'295'746},
           {16'777'215, 0, 3, 16'777'216},
           {4'294'967'295, 0, 4, 4'294'967'296},
           {kMaxPacketNumber - 1, 255, 1, kMaxPacketNumber},
           {kMaxPacketNumber - 128, 16, 1, 4'611'686'018'427'387'664},
           {kMaxPacketNumber - 255, 0, 1, kMaxPacketNumber - 255},
           {kMaxPacketNumber, 0, 1, kMaxPacketNumber - 255},
       }) {
    EXPECT_EQ(decode_packet_number(largest, truncated, length), decoded)
        << truncated << " after " << largest;
  }
  EXPECT_EQ(decode_packet_number(std::nullopt, 0, 1), 0U);
  EXPECT_EQ(decode_packet_number(std::nullopt, 255, 1), 255U);
}

// [rfc9000-17.1-3]
TEST(PacketNumber, RoundTripsWhateverOfItsWindowTheReceiverHasSeen) {
  Values values{17};
  for (int i = 0; i < 10'000; ++i) {
    const PacketNumber acked = values.varint();
    const PacketNumber full = std::min(
        acked + 1 + values.below(std::uint64_t{1} << (1 + values.below(30))), kMaxPacketNumber);
    if (full <= acked) continue;
    const std::size_t length = encode_packet_number_length(full, acked);
    std::array<u8, 4> storage{};
    Writer out{storage};
    write_packet_number(out, full, length);
    const std::uint64_t truncated = Reader{out.written()}.big_endian(length);
    // The receiver has seen at least what it acknowledged, at most all that was sent.
    const PacketNumber largest = acked + values.below(full - acked);
    EXPECT_EQ(decode_packet_number(largest, truncated, length), full) << largest;
  }
}

// [rfc9000-17.1-1]
TEST(PacketNumber, IsWholeBeforeTheFirstAcknowledgement) {
  for (const PacketNumber full :
       {0U, 1U, 127U, 128U, 32'767U, 32'768U, 8'388'607U, 2'000'000'000U}) {
    const std::size_t length = encode_packet_number_length(full, std::nullopt);
    EXPECT_LT(full, std::uint64_t{1} << (8 * length));
    EXPECT_EQ(decode_packet_number(std::nullopt, full, length), full);
  }
}

}  // namespace
}  // namespace qpeer::wire
