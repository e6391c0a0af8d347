// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/crc32.hpp"

#include <array>

namespace qpeer {
namespace {

constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> out{};
  for (std::uint32_t i = 0; i < out.size(); ++i) {
    std::uint32_t rest = i;
    for (int bit = 0; bit < 8; ++bit) rest = (rest & 1) != 0 ? rest >> 1 ^ 0xedb8'8320 : rest >> 1;
    out[i] = rest;
  }
  return out;
}();

}  // namespace

std::uint32_t crc32(Bytes data) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const u8 byte : data) crc = kTable[(crc ^ byte) & 0xff] ^ crc >> 8;
  return ~crc;
}

}  // namespace qpeer
