// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/crc32.hpp"

#include <gtest/gtest.h>

#include <array>

namespace qpeer {
namespace {

TEST(Crc32, HasTheValuesOfOthers) {  // Of Python's zlib.
  EXPECT_EQ(crc32({}), 0U);
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf4'3926U);
  EXPECT_EQ(crc32(std::array<u8, 32>{}), 0x190a'55adU);
}

TEST(Crc32, NoChangeWithinFourBytesPasses) {
  std::array<u8, 70> data{};
  const std::uint32_t before = crc32(data);
  std::uint32_t change = 1;
  for (int i = 0; i < 10'000; ++i) {
    change = change * 1'664'525 + 1'013'904'223;
    const std::size_t at = static_cast<std::size_t>(i) % (data.size() - 4);
    for (std::size_t j = 0; j < 4; ++j) data[at + j] ^= static_cast<u8>(change >> (8 * j));
    EXPECT_NE(crc32(data), before) << change << " at " << at;
    for (std::size_t j = 0; j < 4; ++j) data[at + j] ^= static_cast<u8>(change >> (8 * j));
  }
}

}  // namespace
}  // namespace qpeer
